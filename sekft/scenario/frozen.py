"""The frozen test set: the 128 scenarios that all reported rates are about, made once by scripts/test_set.py."""

import gzip
import hashlib
import zlib
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from sekft.errors import ScenarioError, validation_line
from sekft.scenario.document import Scenario

FILE = Path(__file__).with_name("test.jsonl.gz")
SHA256 = "0b6fb7f4486f083cf03a92c703d9206e4352432ebede5174a32754a1ab7b1d6d"  # of the unpacked lines
SIZE = 128
HELD_OUT = ("find_size", "latest", "move", "reverse", "script", "sort", "tidy", "verify")  # archetypes of half of the scenarios


def scenarios(file: Path = FILE) -> list[Scenario]:
    """The set in its stored order. Raises ScenarioError if the file does not have the recorded hash."""
    return list(_read(file))


@cache
def _read(file: Path) -> tuple[Scenario, ...]:
    try:
        text = gzip.decompress(file.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise ScenarioError(f"{file}: the frozen test set cannot be read ({error}); get it from the release again") from None
    if (found := hashlib.sha256(text).hexdigest()) != SHA256:
        changed = f"{file}: the frozen test set was changed, sha256 is {found[:16]}"
        raise ScenarioError(f"{changed}, allowed: {SHA256[:16]}; other scenarios are evaluated by scenarios=fresh or scenarios=FOLDER")
    try:
        return tuple(Scenario.model_validate_json(line) for line in text.splitlines())
    except ValidationError as error:  # a newer format must still read these scenarios
        raise ScenarioError(f"{file}: {validation_line(error)}") from None
