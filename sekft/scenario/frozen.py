"""The frozen exam set: 128 worlds as they were when rates were first reported. Made once by scripts/exam_set.py, never again by chance."""

import gzip
import hashlib
import zlib
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from sekft.errors import BundleError
from sekft.scenario.document import Bundle, complaint

FILE = Path(__file__).with_name("test.jsonl.gz")
SHA256 = "0b6fb7f4486f083cf03a92c703d9206e4352432ebede5174a32754a1ab7b1d6d"  # of the lines, unpacked
HELD_OUT = ("find_size", "latest", "move", "reverse", "script", "sort", "tidy", "verify")  # half of the worlds are of these archetypes


def exam(file: Path = FILE) -> list[Bundle]:
    """The set in its stored order. Raises BundleError in one line if it is not, byte for byte, what the hash was taken of."""
    return list(_read(file))


@cache
def _read(file: Path) -> tuple[Bundle, ...]:
    try:
        text = gzip.decompress(file.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise BundleError(f"{file}: the frozen exam set cannot be read ({error}); get it from the release again") from None
    if (found := hashlib.sha256(text).hexdigest()) != SHA256:
        changed = f"{file}: the frozen exam set was changed, sha256 is {found[:16]}"
        raise BundleError(f"{changed}, allowed: {SHA256[:16]}; other worlds are examined by scenarios=fresh or scenarios=FOLDER")
    try:
        return tuple(Bundle.model_validate_json(line) for line in text.splitlines())
    except ValidationError as error:  # the format moved on: then it must stay readable
        raise BundleError(f"{file}: {complaint(error)}") from None
