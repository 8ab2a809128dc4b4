"""Files written whole, checked and locked: a file is replaced in one step, a JSON line is appended in one write."""

import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import IO, Any, TextIO

from filelock import FileLock, Timeout

from sekft.errors import DataError, SekftError, SettingsError


def plain(value: Any) -> Any:
    """The value as strict JSON can hold it; keys keep their order.

    NaN and the infinities become "NaN", "Infinity" and "-Infinity", which float() reads back; enums give their value, paths text.
    """
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return str(value) if isinstance(value, Path) else value


@contextmanager
def replacing(path: Path, mode: str = "w") -> Iterator[IO[Any]]:
    """Open a draft beside path that replaces it, flushed to disk, when the block ends without an error; else path stays as it is.

    mode: "w" for UTF-8 text with \\n line ends, "wb" for bytes. Missing parent folders are created.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
    try:
        with draft.open(mode, **text) as file:  # type: ignore[call-overload]
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Replace path by text in UTF-8, atomically."""
    with replacing(path) as file:
        file.write(text)


def write_json(path: Path, value: Any) -> None:
    """Replace path by value as JSON, atomically: a reader sees the old document or the new one, never a part."""
    write_text(path, json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def append_line(file: TextIO, value: Mapping[str, Any]) -> None:
    """Append value to an open file as one whole JSON line, and hand it to the system before returning."""
    file.write(_json_line(value))
    file.flush()


def append_json(path: Path, value: Mapping[str, Any]) -> None:
    """Append value to path as one JSON line, flushed to disk. After a line that a killed process left incomplete, a new line begins."""
    with path.open("a+b") as file:
        incomplete = file.tell() > 0 and (file.seek(-1, os.SEEK_END), file.read(1))[1] != b"\n"
        file.write((b"\n" if incomplete else b"") + _json_line(value).encode())
        file.flush()
        os.fsync(file.fileno())


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 file without the newline that ends the last one; none if there is no file."""
    return path.read_text(encoding="utf-8", errors="replace").removesuffix("\n").split("\n") if path.exists() else []


def json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file with one JSON object a line; none if there is no file.

    A last line without its end is left out, as a killed process leaves it. Raises DataError with file and line for any other damage.
    """
    whole = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    for number, line in enumerate(whole, 1):
        try:
            value = json.loads(line) if line.strip() else {}
        except ValueError:
            raise DataError(f"{path}:{number}: not JSON; the file is damaged: restore it, or remove that line") from None
        if not isinstance(value, dict):
            raise DataError(f"{path}:{number}: found {type(value).__name__}, allowed: an object; restore the file, or remove that line")
        yield value


def sha256(path: Path) -> str:
    """SHA-256 of a file as `sha256sum` prints it. Raises OSError."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


@contextmanager
def lock(path: Path, taken: SekftError, timeout_s: float = 0) -> Iterator[None]:
    """Hold the lock file at path, whose folder is created; a process that ends releases its locks.

    Raises `taken` if another process holds it for timeout_s.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    held = FileLock(path)
    try:
        held.acquire(timeout=timeout_s)
    except Timeout:
        raise taken from None
    try:
        yield
    finally:
        held.release()


def cache_folder() -> Path:
    """/var/cache/sekft for root, else below the user's own cache. Raises SettingsError for a user without a home.

    Never a folder in /tmp: another user could make it first, and what is cached is executed.
    """
    if os.geteuid() == 0:
        return Path("/var/cache/sekft")
    own = os.environ.get("XDG_CACHE_HOME")
    folder, home = Path(own) if own else None, home_folder()
    if folder is None and home is None:
        raise SettingsError(
            f"no folder for the cache: user {os.geteuid()} has no home; set XDG_CACHE_HOME or HOME to a folder you may write"
        )
    return (folder or Path(str(home)) / ".cache") / "sekft"


def home_folder() -> Path | None:
    """The user's home: HOME, else that of the system's list of users; None for a user who is not in it, as in many containers."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def expanded(path: str) -> Path:
    """The path with ~ replaced by the home of its user; as it is where no such home is known."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def now() -> str:
    """The present time in UTC, to the millisecond, in ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested mapping with dotted keys; lists are not flattened."""
    found: dict[str, Any] = {}
    for key, item in value.items():
        found |= flat(item, f"{prefix}{key}.") if isinstance(item, Mapping) else {f"{prefix}{key}": item}
    return found


def _json_line(value: Mapping[str, Any]) -> str:
    return json.dumps(plain(value), ensure_ascii=False, allow_nan=False) + "\n"
