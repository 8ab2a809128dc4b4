"""The parser of shell text: words, quotations, groups, and what it leaves open."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekft.episode.syntax import parse


def words(text: str) -> list[tuple[str, ...]]:
    return [command.words for command in parse(text).commands]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ls -l /tmp", [("ls", "-l", "/tmp")]),
        ("a; b && c | d &", [("a",), ("b",), ("c",), ("d",)]),
        ("A=1 B='x y' run --now", [("run", "--now")]),
        ("X=1", [()]),
        ("cat < in >out 2>&1 -n", [("cat", "-n")]),
        ("echo 'a b' \"c d\" e\\ f # g", [("echo", "a b", "c d", "e f")]),
        ("cat <<E\nit's; not code\nE\nls", [("cat",), ("ls",)]),
        ("cat <<-'E F'\n\tls\n\tE F\npwd", [("cat",), ("pwd",)]),
        ("if test -e a; then rm a; else ls; fi", [("test", "-e", "a"), ("rm", "a"), ("ls",)]),
        ("for f in a b; do cat $f; done", [(), ("cat", "$f")]),
        ("(cd x; ls)", [("cd", "x"), ("ls",)]),
        ('echo "$(date; echo ")")" x', [("echo", '$(date; echo ")")', "x")]),
        ("echo `a; b` ${x:-c d}", [("echo", "`a; b`", "${x:-c d}")]),
        ("long \\\n line", [("long", "line")]),
        ("I'm sorry. I'm here", [("Im sorry. Im", "here")]),
        ("", []),
        ("# nothing", []),
    ],
)
def test_a_text_has_the_words_that_the_shell_sees(text: str, expected: list[tuple[str, ...]]):
    assert words(text) == expected and parse(text).rest == ""


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("ls\necho it's", "echo it's\n"),
        ('cat "a', 'cat "a\n'),
        ("cat <<E\na\n", "cat <<E\na\n"),
        ("ls |", "ls |\n"),
        ("true &&", "true &&\n"),
        ("pwd\nfor f in a", "for f in a\n"),
        ("(ls", "(ls\n"),
        ("echo `date", "echo `date\n"),
        ("echo $(date", "echo $(date\n"),
        ("ls \\", "ls \\\n"),
        ("f() {", "f() {\n"),
    ],
)
def test_what_the_shell_would_wait_for_is_left_open(text: str, rest: str):
    assert parse(text).rest == rest


def test_lines_that_the_shell_reads_together_are_one_group():
    assert [command.group for command in parse("a\nif b\nthen c\nfi\nd 'x\ny' e\nf").commands] == [0, 1, 1, 2, 3]


@given(st.lists(st.text("ab '\"\\$`|;&<>()#\n\tZ", min_size=1, max_size=6), min_size=1, max_size=4))
def test_quoted_words_come_back_whatever_is_in_them(arguments: list[str]):
    assert words(shlex.join(["run", *arguments])) == [("run", *arguments)]


@given(st.text("ab '\"\\$`{}|;&<>()#\n\t!", max_size=40))
def test_any_text_can_be_parsed(text: str):
    parsed = parse(text)
    assert parsed.rest == "" or (text + "\n").endswith(parsed.rest) or text.endswith(parsed.rest)
