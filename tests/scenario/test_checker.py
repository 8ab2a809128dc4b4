"""The lines of a checker, run by a plain sh on prepared files."""

import subprocess
from pathlib import Path

import pytest

from sekft.scenario import checker


def passes(folder: Path, *lines: str) -> bool:
    run = subprocess.run(["sh", "-c", checker.script(lines)], cwd=folder, capture_output=True, text=True)
    assert run.returncode in (0, 1) and bool(run.stderr) == bool(run.returncode)
    return run.returncode == 0


@pytest.mark.parametrize(
    ("content", "verdict"),
    [("oak\nelm\n", True), ("oak\nelm", True), ("", False), ("oak\n", False), ("elm\noak\n", False), (" oak\nelm\n", False)],
)
def test_a_checker_compares_the_whole_text_of_a_file(content: str, verdict: bool, tmp_path: Path) -> None:
    (tmp_path / "lemon.txt").write_text(content)
    assert passes(tmp_path, checker.holds("lemon.txt", "oak\nelm\n")) is verdict


def test_a_missing_file_a_folder_and_a_link_hold_no_text(tmp_path: Path) -> None:
    (tmp_path / "pear.txt").write_text("oak\n")
    (tmp_path / "link.txt").symlink_to("pear.txt")
    (tmp_path / "folder").mkdir()
    assert not any(passes(tmp_path, checker.holds(name, "oak\n")) for name in ("nothing", "folder", "link.txt"))


def test_text_with_quotes_and_expansions_is_compared_as_it_is(tmp_path: Path) -> None:
    text = 'it\'s $HOME `date` \\ "x" *\n'
    (tmp_path / "lemon.txt").write_text(text)
    assert passes(tmp_path, checker.holds("lemon.txt", text))


def test_an_empty_file_is_not_gone_but_counts_as_not_made(tmp_path: Path) -> None:
    (tmp_path / "lemon.txt").write_text("")
    assert not passes(tmp_path, checker.gone("lemon.txt"))
    assert passes(tmp_path, checker.unmade("lemon.txt"))
    assert passes(tmp_path, checker.gone("pear.txt"), checker.unmade("pear.txt"))


def test_a_written_file_a_folder_and_a_link_count_as_made(tmp_path: Path) -> None:
    (tmp_path / "lemon.txt").write_text("oak\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.txt").symlink_to("lemon.txt")
    assert not any(passes(tmp_path, checker.unmade(name)) for name in ("lemon.txt", "folder", "link.txt"))


def test_a_hard_link_is_not_a_copy(tmp_path: Path) -> None:
    (tmp_path / "lemon.txt").write_text("oak\n")
    (tmp_path / "pear.txt").hardlink_to(tmp_path / "lemon.txt")
    (tmp_path / "plum.txt").write_text("oak\n")
    assert not passes(tmp_path, checker.apart("lemon.txt", "pear.txt"))
    assert passes(tmp_path, checker.apart("lemon.txt", "plum.txt"))


def test_an_unexpected_file_is_found_unless_it_is_hidden(tmp_path: Path) -> None:
    (tmp_path / "harbor").mkdir()
    (tmp_path / "harbor" / "lemon.txt").write_text("")
    (tmp_path / ".history").write_text("")
    assert passes(tmp_path, checker.nothing_else(["harbor/lemon.txt"]))
    assert not passes(tmp_path, checker.nothing_else(["lemon.txt"]))


def test_every_line_must_hold(tmp_path: Path) -> None:
    assert not passes(tmp_path, checker.holds("lemon.txt", "oak\n"), checker.gone("pear.txt"))


def test_a_folder_is_a_folder_and_no_link_to_one(tmp_path: Path) -> None:
    (tmp_path / "harbor-quartz").mkdir()
    (tmp_path / "link").symlink_to("harbor-quartz")
    (tmp_path / "lemon.txt").write_text("")
    assert passes(tmp_path, checker.folder("harbor-quartz"))
    assert not any(passes(tmp_path, checker.folder(name)) for name in ("link", "lemon.txt", "nothing"))


def test_another_mode_fails(tmp_path: Path) -> None:
    (tmp_path / "lemon.txt").touch(mode=0o600)
    assert passes(tmp_path, checker.mode("lemon.txt", 0o600)) and not passes(tmp_path, checker.mode("lemon.txt", 0o644))
    assert not passes(tmp_path, checker.mode("nothing", 0o644))


def test_a_symbolic_link_must_lead_to_its_target_and_a_copy_fails(tmp_path: Path) -> None:
    (tmp_path / "lemon.txt").write_text("oak\n")
    (tmp_path / "link.txt").symlink_to("lemon.txt")
    (tmp_path / "lost.txt").symlink_to("nothing")
    (tmp_path / "hard.txt").hardlink_to(tmp_path / "lemon.txt")
    assert passes(tmp_path, checker.leads("link.txt", "lemon.txt"))
    assert not any(passes(tmp_path, checker.leads(name, "lemon.txt")) for name in ("lost.txt", "hard.txt", "lemon.txt", "nothing"))


def test_an_archive_must_hold_the_unchanged_file(tmp_path: Path) -> None:
    for name in ("lemon.txt", "pear.txt"):
        (tmp_path / name).write_text("oak\n")
    subprocess.run(["tar", "-cf", "x.tar", "lemon.txt"], cwd=tmp_path, check=True)
    assert passes(tmp_path, checker.packed("x.tar", "lemon.txt", "oak\n"))
    assert not passes(tmp_path, checker.packed("x.tar", "lemon.txt", "elm\n"))
    assert not any(passes(tmp_path, checker.packed(*words, "oak\n")) for words in (("x.tar", "pear.txt"), ("pear.txt", "lemon.txt")))


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        (checker.script([checker.holds("harbor/lemon.txt", "oak"), checker.folder("a-b")]), ("harbor/lemon.txt", "a-b")),
        (checker.script([checker.nothing_else(["lemon.txt", "pear.md"])]), ("lemon.txt", "pear.md")),
        ("set -e\n[ -f ./out/result.json ] # and x.txt\ngrep -q done /srv/log/today.log", ("out/result.json", "/srv/log/today.log")),
        ("cat <<END\nit's x.txt\nEND\n", ("x.txt",)),
    ],
)
def test_the_paths_in_any_checker_are_found(text: str, paths: tuple[str, ...]) -> None:
    assert checker.named_paths(text) == paths
