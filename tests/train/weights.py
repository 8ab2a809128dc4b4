"""The digest by which tests compare two adapters."""

import hashlib
from pathlib import Path


def digest(folder: Path) -> str:
    """sha256 of the adapter's weights."""
    return hashlib.sha256((folder / "adapter_model.safetensors").read_bytes()).hexdigest()
