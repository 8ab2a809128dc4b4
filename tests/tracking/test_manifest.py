"""What a run was made of."""

import subprocess
import sys
from pathlib import Path

import sekft
from sekft.tracking.manifest import commit, hardware, manifest, versions

IDENTITY = ("-c", "user.name=a", "-c", "user.email=a@example.org")


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True, text=True).stdout.strip()


def test_the_versions_of_the_key_packages_are_named() -> None:
    assert versions()["wandb"]
    assert {"versions", "python", "platform", "hardware", "git"} == set(manifest())


def test_a_manifest_imports_none_of_the_packages_it_names() -> None:
    code = "import sys; from sekft.tracking.manifest import manifest; manifest(); print({'torch', 'wandb'} & set(sys.modules))"
    source = Path(sekft.__file__).parents[1]
    answer = subprocess.run([sys.executable, "-c", code], cwd=source, check=True, capture_output=True, text=True)
    assert answer.stdout == "set()\n"


def test_a_checkout_has_a_commit_and_says_when_it_was_changed(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    assert commit(tmp_path) is None  # nothing committed yet
    git(tmp_path, *IDENTITY, "commit", "--quiet", "--allow-empty", "--message", "start")
    assert commit(tmp_path) == {"sha": git(tmp_path, "rev-parse", "HEAD"), "dirty": False}
    (tmp_path / "new.py").touch()
    assert (commit(tmp_path) or {})["dirty"] is True


def test_other_changes_to_a_checkout_have_another_digest(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "code.py").write_text("one\n")
    git(tmp_path, "add", "code.py")
    git(tmp_path, *IDENTITY, "commit", "--quiet", "--message", "start")
    found = []
    for text in ("two\n", "three\n", "two\n"):
        (tmp_path / "code.py").write_text(text)
        found.append((commit(tmp_path) or {})["changes"])
    assert found[0] == found[2] != found[1]


def test_the_machine_is_named() -> None:
    told = hardware()
    assert told["cpu"] and told["cores"] >= 1 and told["memory_gib"] > 0 and isinstance(told["gpus"], list)


def test_an_installed_copy_inside_somebody_elses_checkout_has_no_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    git(tmp_path, *IDENTITY, "commit", "--quiet", "--allow-empty", "--message", "theirs")
    inside = tmp_path / "site-packages"
    inside.mkdir()
    assert commit(inside) is None
