"""Adapters in folders: by which names they go, whether one is complete, whether what it was trained on allows a promotion."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sekft.errors import ModelError, SettingsError
from sekft.model.locate import pickles
from sekft.rendering.fingerprint import fingerprint
from sekft.sandbox.text import TEXT_VERSION
from sekft.scenario.document import Scenario

if TYPE_CHECKING:
    from sekft.model.base import Base


def adapters_of(given: Any, alone: str, taken: Collection[str]) -> dict[str, Path]:
    """name -> folder; a folder by itself goes by the name `alone`. Raises SettingsError, also for a name that is taken."""
    if isinstance(given, str):
        given = {alone: given}
    if given is not None and not (isinstance(given, dict) and all(isinstance(value, str) for value in given.values())):
        raise SettingsError(f"adapter: found {given!r}, allowed: a folder, or several by name: 'adapter={{one: FOLDER, two: FOLDER}}'")
    adapters = {str(name): Path(folder) for name, folder in (given or {}).items()}
    if clash := sorted(adapters.keys() & set(taken)):
        raise SettingsError(f"adapter: {clash[0]} is somebody else's name; allowed: any but {', '.join(sorted(taken))}")
    return adapters


def require_adapter(folder: Path | None) -> None:
    """Raises ModelError, before torch is imported, for a folder that is no adapter."""
    if folder is None or ((folder / "config.json").exists() and any(folder.glob("model*.safetensors"))):  # whole weights: lora=none
        return
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        if not (folder / name).exists():
            raise ModelError(f"adapter={folder}: no {name} there{pickles(folder)}; allowed: what sekft.train writes as adapter/")


def doubt(base: "Base", adapter: Path | None, scenarios: Sequence[Scenario], notice: Callable[[str], None]) -> str:
    """Why the adapter may not be promoted whatever it achieves; said, and returned. Empty if there is no reason.

    Raises ModelError if it was trained on something else than what is served here.
    """
    from sekft.model.lora import fingerprint_of, require_fingerprint

    if adapter is None:
        return ""
    if not require_fingerprint(adapter, fingerprint(base.tokenizer, base.identity(), TEXT_VERSION)):
        notice(f"{adapter}: render unproven (no fingerprint.json); evaluated, never promoted")
        return "render unproven"
    if (about := fingerprint_of(adapter) or {}).get("unproven"):
        notice(f"{adapter}: trained on from an adapter without fingerprint.json; evaluated, never promoted")
        return "trained on from what is unproven"
    seen = {scenario.id for scenario in scenarios} & set(about.get("scenarios", ()))
    if seen:
        notice(f"{adapter}: trained on {len(seen)} of these scenarios, {min(seen)} among them; evaluated, never promoted")
        return f"trained on {len(seen)} of these scenarios"
    return ""
