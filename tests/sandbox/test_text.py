"""The deployed text: output cleaned and cut, then the prompt."""

import pytest

from sekft.sandbox.text import OutputBuffer, clean_output, environment_turn, typeable


@pytest.mark.parametrize(
    ("output", "kind", "turn"),
    [
        ("", "ready", "$ "),
        ("a", "ready", "a\n$ "),
        ("a\n", "ready", "a\n$ "),
        ("", "more", "> "),
        ("a", "more", "a\n> "),
        ("bye", "exit", "bye\n"),
        ("", "panic", ""),
        ("", "gone", ""),
    ],
)
def test_a_turn_is_the_output_then_the_prompt(output: str, kind: str, turn: str) -> None:
    assert environment_turn(output, kind) == turn  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["ready", "more"])
@pytest.mark.parametrize("output", ["", "\n", "a", "a\n\n"])
def test_a_turn_of_an_episode_that_goes_on_is_never_empty(kind: str, output: str) -> None:
    assert environment_turn(output, kind) != ""  # type: ignore[arg-type]


def test_errors_of_the_shell_are_plain_and_do_not_count_lines() -> None:
    first, _ = clean_output(b"/dev/fd/3: 7: foo: not found\nx/dev/fd/3: 12: bar: not found\n")
    assert first == "sh: foo: not found\nxsh: bar: not found\n"


def test_errors_of_scripts_keep_their_line() -> None:
    assert clean_output(b"./a.sh: 3: foo: not found\n")[0] == "./a.sh: 3: foo: not found\n"


def test_control_sequences_of_a_terminal_are_not_shown() -> None:
    raw = b"\x1b[31mred\x1b[0m\x07 N\bN\x08 tab\tcr\r\nnul\0 osc\x1b]0;title\x07.\x1bc"
    assert clean_output(raw)[0] == "red  tab\tcr\nnul osc."


def test_bytes_that_are_no_text_become_replacement_characters() -> None:
    assert clean_output(b"a\xff\xc3(b")[0] == "a\ufffd\ufffd(b"


@pytest.mark.parametrize("size", [0, 1, 99, 100])
def test_a_short_output_is_kept_whole(size: int) -> None:
    assert clean_output(b"x" * size, 100) == ("x" * size, 0)


def test_a_long_output_keeps_head_and_tail_and_the_number_of_bytes_between_them() -> None:
    text, cut = clean_output(b"HEAD" + b"x" * 1000 + b"TAIL", 8)
    assert (text, cut) == ("HEAD\n[... 1000 bytes cut ...]\nTAIL", 1000)


def test_a_cut_never_splits_a_character() -> None:
    for keep in range(8, 40):
        text, cut = clean_output("aé€😀".encode() * 50, keep)
        assert "\ufffd" not in text
        head, tail = text.split(f"\n[... {cut} bytes cut ...]\n")
        assert len((head + tail).encode()) + cut == 500


def test_the_text_does_not_depend_on_how_the_output_is_divided() -> None:
    raw = b"".join(b"%d line\n" % number for number in range(100_000))
    whole = clean_output(raw)
    pieces = OutputBuffer()
    for start in range(0, len(raw), 777):
        pieces.add(raw[start : start + 777])
    assert pieces.text() == whole


def test_what_is_typed_has_no_control_characters() -> None:
    assert typeable("ls\x03\x1b[A\t-l\n\x7f\ud800") == "ls[A\t-l\n?"
