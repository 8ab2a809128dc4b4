"""Adapter folders: their names in settings, whether they are complete, what they were trained on. No torch."""

import json
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sekft.config.job import Report
from sekft.errors import ModelError, SettingsError
from sekft.model.files import require_whole_folder
from sekft.model.locate import pickle_hint
from sekft.scenario.document import Scenario

if TYPE_CHECKING:
    from sekft.model.base import Base

FINGERPRINT = "fingerprint.json"


def adapter_folders(value: Any, name: str, reserved: Collection[str]) -> dict[str, Path]:
    """The setting `adapter` as name -> folder. name: of a folder given by itself. Raises SettingsError, also for a reserved name."""
    if isinstance(value, str):
        value = {name: value}
    if value is not None and not (isinstance(value, dict) and all(isinstance(folder, str) for folder in value.values())):
        raise SettingsError(f"adapter: found {value!r}, allowed: a folder, or several by name: 'adapter={{one: FOLDER, two: FOLDER}}'")
    adapters = {str(name): Path(folder) for name, folder in (value or {}).items()}
    if clash := sorted(adapters.keys() & set(reserved)):
        raise SettingsError(f"adapter: the name {clash[0]} is reserved; allowed: any but {', '.join(sorted(reserved))}")
    return adapters


def require_adapter(folder: Path | None) -> None:
    """Raise ModelError, before torch is imported, for a folder that holds neither a whole adapter nor a whole full model."""
    if folder is None:
        return
    if not ((folder / "config.json").exists() and any(folder.glob("model*.safetensors"))):  # full model: lora=none
        for name in ("adapter_config.json", "adapter_model.safetensors"):
            if not (folder / name).exists():
                new = "; a new adapter is lora=r16, and model.load_4bit=true for QLoRA" if str(folder) in ("lora", "qlora") else ""
                allowed = f"allowed: a run of sekft.train, or its adapter/{new}"
                raise ModelError(f"adapter={folder}: no {name} there{pickle_hint(folder)}; {allowed}")
    require_whole_folder(folder, weights=True)


def is_full_model(folder: Path) -> bool:
    """Whether training saved all weights there (lora=none), not an adapter."""
    return (folder / "config.json").exists() and not (folder / "adapter_config.json").exists()


def read_fingerprint(folder: Path) -> dict[str, Any] | None:
    """The fingerprint saved with an adapter; None for an adapter made elsewhere. Raises ModelError for an unreadable one."""
    file = folder / FINGERPRINT
    try:
        found = json.loads(file.read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ModelError(f"{file}: not JSON: {error}") from None
    if not isinstance(found, dict):
        raise ModelError(f"{file}: found a {type(found).__name__}, allowed: an object")
    if "worlds" in found:  # the former name of `scenarios`
        found.setdefault("scenarios", found.pop("worlds"))
    return found


def require_fingerprint(folder: Path, base: "Base") -> bool:
    """Whether the adapter has a fingerprint; without one it is "render unproven".

    Raises ModelError if base, tokenizer, template or text version differ from those of the adapter's training.
    """
    found = read_fingerprint(folder)
    if found is None:
        return False
    for key, value in base.fingerprint().items():
        if found.get(key) != value:
            raise ModelError(f"{folder}: trained with {key} {str(found.get(key))[:40]}, here it is {str(value)[:40]}")
    return True


def training_scenarios(scenarios: Iterable[str], adapter: str | None) -> dict[str, Any]:
    """What the fingerprint of a new adapter states about its scenarios: its own, and those of the adapter that training started from.

    unproven: True if the latter are not known completely.
    """
    before = read_fingerprint(Path(adapter)) if adapter else {}
    known = {"scenarios": sorted({*scenarios, *(before or {}).get("scenarios", ())})}
    return known | ({"unproven": True} if before is None or before.get("unproven") else {})


def promotion_obstacle(base: "Base", adapter: Path | None, scenarios: Sequence[Scenario], report: Report) -> str:
    """Return and report why an adapter may not be promoted whatever its result on these scenarios; empty if there is no reason.

    Raises ModelError if it was trained with another base, tokenizer, template or text version.
    """
    if adapter is None:
        return ""
    if not require_fingerprint(adapter, base):
        report(f"{adapter}: render unproven (no {FINGERPRINT}); evaluated, never promoted")
        return "render unproven"
    if (found := read_fingerprint(adapter) or {}).get("unproven"):
        report(f"{adapter}: trained from an adapter without {FINGERPRINT}; evaluated, never promoted")
        return "trained from an adapter without a fingerprint"
    if seen := {scenario.id for scenario in scenarios} & set(found.get("scenarios", ())):
        report(f"{adapter}: trained on {len(seen)} of these scenarios, for example {min(seen)}; evaluated, never promoted")
        return f"trained on {len(seen)} of these scenarios"
    return ""
