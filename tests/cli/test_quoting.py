"""Text on the command line arrives as it was typed: backslashes, ${...}, =, commas, braces and what looks like a number."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from sekft import api
from sekft.cli.flags import to_overrides
from sekft.cli.quoting import OverridesParser, as_text, unquoted
from sekft.errors import SettingsError

TEXTS = [
    'printf "a\\tb"', 'grep "\\.txt$" f', "C:\\dir\\file", "it's a \\ test", "end\\", "a,b={c}", "echo ${HOME}", "$HOME", "\\${x}",
    "echo ${oc.env:HOME,x}", "${seed}", "1e3", "007", "true", "[ -f x ] && ls", "{ ls; }", '"a" b', "# x", "-n x", "${x:-y}", "a ${b", "é",
]  # fmt: skip


def value_of(command: str, word: str, key: str) -> Any:
    value: Any = api.settings(command, word)
    for name in key.split("."):
        value = getattr(value, name)
    return value


def test_a_prompt_is_what_was_typed_as_a_flag_and_as_an_override():
    for text in TEXTS:
        (flag,) = to_overrides("chat", ["--prompt", text])
        assert value_of("chat", flag, "prompt") == value_of("chat", f"prompt={text}", "prompt") == text


@given(st.text(st.sampled_from("ab\\'\"${}[](),=: \n#:"), max_size=12) | st.text(min_size=1, max_size=20))
@example("\\'")
@example("\\\\${a}\\")
def test_any_text_survives_hydra_and_omegaconf(text: str):
    read = OverridesParser.create().parse_override(f"prompt={as_text(text)}").value()
    assert OmegaConf.to_object(OmegaConf.create({"prompt": read})) == {"prompt": text}


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("data.path=/x/lr=1e-4,r=8 (best) {a}/rows.jsonl", "/x/lr=1e-4,r=8 (best) {a}/rows.jsonl"),
        ("tracker.name=1.10", "1.10"),
        ("tracker.name=a ${b} c", "a ${b} c"),
        ("tracker.name='a b'", "a b"),
        ("tracker.name=run-${seed}", "run-0"),
        ("tracker.tags=[a,${b}]", ["a", "${b}"]),
        ("tracker.name=null", None),
    ],
)
def test_a_text_is_quoted_where_hydra_would_read_something_else(word: str, value: Any):
    assert value_of("train", word, word.partition("=")[0]) == value


def test_shell_text_in_a_script_is_not_interpolated():
    assert value_of("collect", 'agent.script=["echo ${HOME}","exit"]', "agent.script") == ["echo ${HOME}", "exit"]


def test_lists_sweeps_and_a_forgotten_multirun_stay_hydras():
    for words in (["-m", "prompt=a,b"], ["-m", "prompt='a',\"b\""], ["scenarios=test,held_out"], ["adapter={a: x, b: y}"], ["seed=1=2"]):
        assert to_overrides("eval" if "adapter" in words[0] else "chat", words) == words
    with pytest.raises(
        SettingsError,
        match="data.path: found several values, a,b; allowed with -m, as a sweep; several files are put, or linked, into one folder",
    ):
        api.settings("train", "data.path=a,b")
    with pytest.raises(
        SettingsError, match=r"data.path: found a list, \[a,b\], allowed: one path; several files are put, or linked, into one folder"
    ):
        api.settings("train", "data.path=[a,b]")
    twice = to_overrides("chat", to_overrides("chat", ["prompt=echo ${HOME} \\${x} it's"]))
    assert value_of("chat", twice[0], "prompt") == "echo ${HOME} \\${x} it's"
    assert unquoted("'it\\'s'") == "it's" and unquoted("a'b") == "a'b"
