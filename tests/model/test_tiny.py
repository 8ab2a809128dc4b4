"""The shipped bases: the hashes of their files are those in their cards."""

import hashlib
import re
from importlib.resources import files

import pytest

CARD = "README.md"


@pytest.mark.parametrize("name", ["tiny", "tiny_early"])
def test_a_card_states_the_hash_of_every_file_that_ships(name: str):
    folder = files("sekft") / "model" / name
    stated = dict(re.findall(r"^\| `([\w.]+)` \| `([0-9a-f]{64})` \|$", (folder / CARD).read_text(), re.MULTILINE))
    assert stated == {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir() if file.name != CARD}
