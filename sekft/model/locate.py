"""The folder of a base: shipped with sekft, given as a folder or GGUF file, or downloaded from the Hugging Face hub. No torch."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sekft.config import ModelConfig, Weights
from sekft.errors import ModelError, RenderError
from sekft.model.files import require_whole_folder
from sekft.model.gguf.convert import converted
from sekft.model.packaged import PACKAGED, packaged_file
from sekft.rendering.pieces import require_same_pieces
from sekft.rendering.tokenizer import ChatTokenizer
from sekft.scenario.library import archetypes
from sekft.tracking.files import expanded

SHIPPED = "sekft:"
EMBEDDED = ("tiny", "tiny_early")  # folders beside this file
NEVER_SAW = "never_saw.json"  # in a base's folder: a list of the archetypes that its pre-training left out
SMALL_FILES = ["*.json", "*.jinja", "tokenizer.model", "README.md"]
WEIGHT_FILES = ["*.safetensors"]
CODE_FILES = ["*.py"]
PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080, "socks4": 1080, "socks": 1080}
PICKLES = (".bin", ".pt", ".pth", ".pkl", ".ckpt")


def base_folder(model: ModelConfig, weights: bool) -> Path:
    """The folder of a base. weights: require that it holds the weights, unless model.weights=random.

    A hub id is looked up in the local cache and downloaded if the hub is reachable. Raises ModelError.
    """
    if model.trust_remote_code not in (None, model.path):
        raise ModelError(f"model.trust_remote_code={model.trust_remote_code}: allowed: null, or {model.path}, which is model.path")
    pretrained = weights and model.weights is Weights.pretrained
    if model.path.startswith(SHIPPED):
        name = model.path.removeprefix(SHIPPED)
        if name in EMBEDDED:
            return Path(__file__).parent / name
        if name not in PACKAGED:
            raise ModelError(f"model.path={model.path}: allowed with {SHIPPED}: {', '.join((*EMBEDDED, *PACKAGED))}")
        return converted(packaged_file(name), pretrained)
    folder = expanded(model.path)
    if folder.suffix == ".gguf":
        if not folder.is_file():
            raise ModelError(f"model.path={model.path}: no such file")
        return converted(folder, pretrained)
    if not folder.is_dir():
        folder = _from_hub(model, pretrained)
    if pretrained and not any(folder.glob("*.safetensors")):
        found = _gguf_hint(folder) or pickle_hint(folder)
        raise ModelError(f"model.path={model.path}: no *.safetensors there{found}; allowed without weights: model.weights=random")
    if weights and not (folder / "config.json").exists():
        raise ModelError(
            f"model.path={model.path}: no config.json there{_gguf_hint(folder)}; allowed: a folder as save_pretrained writes it"
        )
    require_whole_folder(folder, pretrained)
    if model.trust_remote_code is None and (code := custom_code(folder)):
        raise ModelError(
            f"model.path={model.path}: needs Python code of its own ({code}), which is not run; allowed: a base whose architecture is part "
            f"of transformers, or, once you have read that code, model.trust_remote_code={model.path}"
        )
    return folder


def custom_code(folder: Path) -> str:
    """The classes that config.json loads from Python files in the folder; empty if none, or if transformers has the architecture itself."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        classes = config.get("auto_map") or {}
    except (OSError, ValueError, AttributeError):
        return ""
    if not classes:
        return ""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    if config.get("model_type") in CONFIG_MAPPING_NAMES:  # Phi-4-mini names code that it no longer needs
        return ""
    return ", ".join(map(str, classes.values() if isinstance(classes, dict) else [classes]))


def _gguf_hint(folder: Path) -> str:
    found = sorted(folder.glob("*.gguf"))
    return f", but a GGUF file: give model.path={found[0]}" if found else ""


def pickle_hint(folder: Path) -> str:
    """A part of an error line that names a pickle in the folder; empty if there is none. Loading a pickle can run any code."""
    found = sorted(file.name for file in folder.glob("*") if file.suffix in PICKLES)
    return f", only {found[0]}, a pickle, which is never loaded" if found else ""


def load_tokenizer(model: ModelConfig, weights: bool = False) -> ChatTokenizer:
    """The tokenizer in the base's folder. weights: as for base_folder. Raises RenderError if the base was trained with another one."""
    options = {} if model.template_options is None else model.template_options
    if not isinstance(options, dict) or not all(isinstance(value, bool | int | float | str) for value in options.values()):
        raise RenderError(f"model.template_options={options}: allowed: values by name, such as {{enable_thinking: false}}")
    tokenizer = ChatTokenizer(base_folder(model, weights), model.template, options)
    tokenizer.require_form()  # judged once, not row by row
    if model.check_tokenizer:
        require_same_pieces(tokenizer.folder)
    return tokenizer


def never_saw(model: ModelConfig) -> tuple[str, ...]:
    """The archetypes that the base was never trained on, read from NEVER_SAW in its folder; empty without that file. Raises ModelError."""
    if model.weights is Weights.random or not (file := base_folder(model, weights=False) / NEVER_SAW).exists():
        return ()
    try:
        names = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{file}: not JSON: {error}") from None
    if not isinstance(names, list) or (unknown := [name for name in names if name not in archetypes()]):
        found = repr(names) if not isinstance(names, list) else ", ".join(map(str, unknown))
        raise ModelError(f"{file}: found {found}, allowed: a list of {', '.join(archetypes())}")
    return tuple(names)


def _from_hub(model: ModelConfig, weights: bool) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    name = model.path
    patterns = SMALL_FILES + (WEIGHT_FILES if weights else []) + (CODE_FILES if model.trust_remote_code else [])
    try:
        return Path(snapshot_download(name, allow_patterns=patterns, local_files_only=not hub_is_reachable()))
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError):
        raise ModelError(
            f"model.path={name}: neither a folder nor in the local hub cache; fetch it with `hf download {name}`, or give model.path=FOLDER"
        ) from None


@contextmanager
def offline() -> Iterator[None]:
    """Use only the local hub cache; download nothing."""
    from huggingface_hub import constants

    before, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def hub_is_reachable() -> bool:
    """Whether the hub, or the proxy before it, can be connected to within one second.

    Call it before a download: the hub's client retries for minutes.
    """
    import socket

    from huggingface_hub.constants import ENDPOINT, HF_HUB_OFFLINE

    if HF_HUB_OFFLINE:
        return False
    try:
        socket.create_connection(_first_hop(ENDPOINT), timeout=1).close()
    except (OSError, ValueError):  # ValueError: a port that is no number
        return False
    return True


def _first_hop(url: str) -> tuple[str, int]:
    """Host and port that a client of the URL connects to: those of the proxy in the environment, if one is for it. Raises ValueError."""
    from urllib.parse import urlsplit
    from urllib.request import getproxies, proxy_bypass

    address, proxies = urlsplit(url), getproxies()
    proxy = proxies.get(address.scheme) or proxies.get("all")
    if proxy and not proxy_bypass(address.netloc.rpartition("@")[2]):
        address = urlsplit(proxy if "//" in proxy else f"http://{proxy}")
    return address.hostname or "", address.port or PORTS.get(address.scheme, 443)
