"""The root file system: made once, with the same bytes each time, or refused in one line."""

from pathlib import Path

import pytest

from sekft.errors import SandboxError
from sekft.sandbox import image


def test_the_second_call_builds_nothing() -> None:
    tar = image.root_tar()
    before = tar.stat().st_mtime_ns
    assert image.root_tar() == tar
    assert tar.stat().st_mtime_ns == before
    assert tar.parent.parent == image.cache_folder()


def test_the_unpacked_root_is_readable_for_everyone() -> None:
    root = image.root_folder()
    assert (root / "usr/bin/panic").stat().st_mode & 0o777 == 0o755
    assert (root / "etc/motd").readlink() == Path("/usr/local/etc/motd")
    assert (root / "usr/bin/sh").readlink() == Path("dash")
    assert all(folder.stat().st_mode & 0o005 == 0o005 for folder in (root, *root.parents[:2]))


def test_a_killed_build_leaves_nothing_under_the_final_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = tmp_path / "mkroot.sh"
    recipe.write_text('mkdir -p "$1/half"; echo half >"$2"; kill -9 $$\n')
    monkeypatch.setattr(image, "RECIPE", recipe)
    with pytest.raises(SandboxError, match="status -9"):
        image.root_tar(tmp_path)
    assert [path.name for path in tmp_path.glob("root-*/*")] == ["lock"]


def test_a_recipe_that_fails_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = tmp_path / "mkroot.sh"
    recipe.write_text("echo noise >&2; echo 'mkroot: apt knows no package sed: run apt-get update' >&2; exit 1\n")
    monkeypatch.setattr(image, "RECIPE", recipe)
    with pytest.raises(SandboxError, match=r"^the root file system was not built: mkroot: .* run apt-get update$"):
        image.root_folder(tmp_path)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_two_builds_give_the_same_bytes(tmp_path: Path) -> None:
    digests = []
    for name in ("a", "b"):
        image.build(tmp_path / name, tmp_path / f"{name}.tar")
        (tmp_path / name / "x").mkdir()
        (tmp_path / f"{name}.tar").rename(tmp_path / name / "x" / "root.tar")
        digests.append(image.tar_digest(tmp_path / name / "x" / "root.tar"))
    assert digests[0] == digests[1] == image.tar_digest(image.root_tar())
