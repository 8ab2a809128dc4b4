"""Chance that text and seed decide: the same sample falls on the same side whatever else is there."""

import hashlib


def place(text: str, seed: int) -> float:
    """A number in [0, 1) that only text and seed decide."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{text}".encode()).digest()[:8], "big") / 2**64
