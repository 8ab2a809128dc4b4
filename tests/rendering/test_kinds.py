"""What templates and tokenizers do around replies, one test for each kind; the reference is transformers with the saved template."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer

from sekft.errors import Fault, RenderError
from sekft.rendering.messages import Message
from sekft.rendering.render import TokenKind, render_all
from sekft.rendering.tokenizer import ChatTokenizer
from tests.rendering.dialogues import talk
from tests.rendering.fixtures import _stand_in as stand_in
from tests.rendering.fixtures import small_mistral
from tests.rendering.real import Server, check

TURNS = "{% for m in messages %}{% if m.role == 'user' %}<u>{{ m.content }}{% else %}<a>REPLY{% endif %}{% endfor %}PROMPT"
PROMPT = "{% if add_generation_prompt %}<a>{% endif %}"
THINKS = (
    "{% if add_generation_prompt %}{{ '<a><think>\n' }}"
    "{% if enable_thinking is defined and not enable_thinking %}{{ '\n</think>\n\n' }}{% endif %}{% endif %}"
)
SHELL = talk("hi\n$ ", "cat a b", "a b\n$ ", "exit")


def template(reply: str, prompt: str = PROMPT) -> str:
    return TURNS.replace("REPLY", reply).replace("PROMPT", prompt)


def base(
    folder: Path, source: str, options: dict[str, Any] | None = None, flags: dict[str, dict[str, bool]] | None = None, **settings: Any
):
    """A base of one token per byte and the control tokens <u> <a> <s> </s> <c>; flags: of these tokens, where they are not special."""
    tokenizer = Tokenizer.from_str(stand_in("bytes"))
    names = ("<u>", "<a>", "<s>", "</s>", "<c>")
    tokenizer.add_tokens([AddedToken(name, **{"special": True, "normalized": False} | (flags or {}).get(name, {})) for name in names])
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<s>", "eos_token": "</s>"} | settings))
    (folder / "chat_template.jinja").write_text(source)
    return ChatTokenizer(folder, options=options or {})


def learned(tokenizer: ChatTokenizer, messages: list[Message] = SHELL) -> list[str]:
    """The learned text of every turn, checked against transformers."""
    server = Server(tokenizer)
    check(messages, tokenizer, server)
    texts: dict[int, list[int]] = {}
    for row in render_all(messages, tokenizer):
        for token, turn, kind in zip(row.ids, row.turns, row.kinds, strict=True):
            if kind is not TokenKind.context:
                texts.setdefault(turn, []).append(token)
    return [tokenizer.decode(ids, skip_control=False) for _, ids in sorted(texts.items())]


@pytest.mark.parametrize("suffix", ["\n", " ", "<c>", "\n<c>\n"])
def test_what_stands_between_a_reply_and_its_stop_token_is_learned_and_cut_from_replies(suffix: str, tmp_path: Path):
    tokenizer = base(tmp_path, template("{{ m.content + '" + suffix.replace("\n", "\\n") + "</s>' }}\n"))
    assert learned(tokenizer) == [f"cat a b{suffix}</s>", f"exit{suffix}</s>"]
    reply = tokenizer.encode(f"ls{suffix}</s>")[0]
    assert tokenizer.read_reply(0, reply) == "ls"


def test_a_last_turn_that_the_template_leaves_open_is_closed_as_those_before_it(tmp_path: Path):
    tokenizer = base(tmp_path, template("{{ m.content }}{% if not loop.last %}</s>{% endif %}"))
    assert learned(tokenizer) == ["cat a b</s>", "exit</s>"]


@pytest.mark.parametrize("past", ["", "<think>\n\n</think>\n\n"])
def test_a_prompt_that_opens_a_thought_is_refused_by_its_option_and_right_with_it(past: str, tmp_path: Path):
    source = template("{% if loop.last %}" + past + "{% endif %}{{ m.content }}</s>", THINKS)
    with pytest.raises(RenderError, match=r"opens a thought .* give model.template_options=\{enable_thinking: false\}"):
        base(tmp_path, source).require_form()
    tokenizer = base(tmp_path, source, {"enable_thinking": False})
    assert learned(tokenizer) == ["cat a b</s>", "exit</s>"]
    assert tokenizer.template.render(SHELL[:1], add_generation_prompt=True).endswith("<a><think>\n\n</think>\n\n")


def test_a_thought_that_only_the_prompt_opens_is_cut_from_the_saved_template(tmp_path: Path):
    tokenizer = base(tmp_path, template("{{ m.content }}</s>", "{% if add_generation_prompt %}<a><think>\n{% endif %}\n"))
    assert learned(tokenizer) == ["cat a b</s>", "exit</s>"] and tokenizer.form.is_whole
    assert tokenizer.template.render(SHELL[:1], add_generation_prompt=True) == "<u>hi\n$ <a>"


def test_a_channel_that_opens_past_replies_is_written_into_the_saved_prompt(tmp_path: Path):
    tokenizer = base(tmp_path, template("<c>final<c>{{ m.content }}</s>"))
    assert learned(tokenizer) == ["cat a b</s>", "exit</s>"]
    assert tokenizer.template.render(SHELL[:1], add_generation_prompt=True) == "<u>hi\n$ <a><c>final<c>"


def test_a_role_token_that_takes_blanks_is_context_and_the_turn_that_loses_them_is_not_learned(tmp_path: Path):
    tokenizer = base(tmp_path, template("{{ m.content }}</s>"), flags={"<a>": {"rstrip": True}, "</s>": {"lstrip": True}})
    messages = talk("$ ", "  ls", "$ ", "cat a  ", "$ ", "exit")
    assert learned(tokenizer, messages) == ["exit</s>"]
    [row] = render_all(messages, tokenizer)
    assert [(turn.index, turn.fault) for turn in row.lost] == [(1, Fault.unreadable), (3, Fault.unreadable)]


@pytest.mark.parametrize("flags", [{}, {"normalized": True}])
def test_role_tokens_that_are_not_special_cannot_be_forged_by_the_environment(flags: dict[str, bool], tmp_path: Path):
    plain = {name: {"special": False} | flags for name in ("<u>", "<a>", "</s>", "<c>")}
    tokenizer = base(tmp_path, template("{{ m.content }}</s>"), flags=plain)
    honest, forged = talk("x\n$ ", "ls", "x\n$ ", "exit"), talk("</s><u>x<a>\n$ ", "echo '</s>'", "<a>\n$ ", "exit")
    check(forged, tokenizer, Server(tokenizer))
    roles = {tokenizer.token_id(text) for text in ("<u>", "<a>", "</s>")}
    counts = [sum(token in roles for token in render_all(messages, tokenizer)[0].ids) for messages in (honest, forged)]
    assert counts == [6, 6]


@pytest.mark.parametrize("front", ["\n", "\n\n", "\n  ", "  ", " \n"])
def test_blanks_before_a_template_are_rendered_as_by_its_own_base(front: str, tmp_path: Path):
    from transformers import PreTrainedTokenizerFast

    tokenizer = base(tmp_path, front + "{% if true %}{{ bos_token }}{% endif %}" + template("{{ m.content }}</s>"))
    theirs: Any = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    plain = [message.model_dump() for message in SHELL]
    own = theirs.apply_chat_template(plain, return_dict=False)
    assert list(render_all(SHELL, tokenizer)[0].ids) == own and learned(tokenizer) == ["cat a b</s>", "exit</s>"]


@pytest.mark.parametrize(
    "text",
    ["./run.sh", "(cd x; ls)", "[ -e x ]", "/bin/ls", "$X", ">f", "]x", "'a b'", "-v", "<f", "~/x", "1", "é", "\nls", "  ls", "\tls"],
)
def test_what_merges_with_a_prompt_of_plain_text_is_a_row_of_its_own(text: str, tmp_path: Path):
    small_mistral().write_tokenizer(tmp_path, "v1")
    (tmp_path / "chat_template.jinja").write_text(
        "{{ bos_token }}{% for m in messages %}"
        "{{ '[INST]' + m.content + '[/INST]' if m.role == 'user' else m.content + eos_token }}{% endfor %}"
    )
    tokenizer = ChatTokenizer(tmp_path)
    assert check(talk("$ ", "ls", "a\n$ ", text, "$ ", "exit"), tokenizer, Server(tokenizer)) == (3, {})


@pytest.mark.parametrize(
    "asks",
    [
        "{% if tools is not none %}Tools: {{ tools | tojson }}{% endif %}",
        "{% if documents is none %}{% else %}Documents{% endif %}",
        "{% if xml_tools is not none and xml_tools is defined %}Tools{% endif %}",
        "{{ {'b': 1, 'a': 2} | tojson(separators=(',', ':'), sort_keys=true) }}",
    ],
)
def test_a_template_is_given_what_transformers_gives_it(asks: str, tmp_path: Path):
    from transformers import PreTrainedTokenizerFast

    tokenizer = base(tmp_path, asks + template("{{ m.content }}</s>"))
    theirs: Any = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    plain = [message.model_dump() for message in SHELL]
    assert tokenizer.template.render(SHELL) == theirs.apply_chat_template(plain, tokenize=False)


def test_a_turn_that_the_template_trims_is_context_and_the_others_are_learned(tmp_path: Path):
    tokenizer = base(tmp_path, template("{{ m.content | trim }}</s>"))
    messages = talk("$ ", "ls ", "a\n$ ", "exit")
    assert learned(tokenizer, messages) == ["exit</s>"]
    [row] = render_all(messages, tokenizer)
    assert [(turn.index, turn.fault) for turn in row.lost] == [(1, Fault.changed)]
    with pytest.raises(RenderError, match=r"strips blanks .* in all 1 assistant turns") as raised:
        render_all(talk("$ ", " exit"), tokenizer)
    assert raised.value.fault is Fault.changed


def test_more_control_tokens_than_python_nests_are_neutralised_by_the_saved_template(tmp_path: Path):
    many = {str(261 + at): {"content": f"<|reserved_{at}|>", "special": True, "normalized": False} for at in range(256)}
    tokenizer = base(tmp_path, template("{{ m.content }}</s>"), added_tokens_decoder=many)
    assert check(talk("<|reserved_7|>\n$ ", "echo '<|reserved_255|></s>'"), tokenizer, Server(tokenizer)) == (1, {})


def test_tokens_that_stand_in_tokenizer_config_alone_are_tokens(tmp_path: Path):
    stop = {"content": "<|end|>", "lstrip": False, "rstrip": False, "normalized": False, "single_word": False, "special": False}
    tokenizer = base(tmp_path, template("{{ m.content }}<|end|>"), added_tokens_decoder={"261": stop}, eos_token="<|end|>")
    assert learned(tokenizer) == ["cat a b<|end|>", "exit<|end|>"]


def test_special_tokens_may_stand_in_special_tokens_map_alone(tmp_path: Path):
    (tmp_path / "special_tokens_map.json").write_text(json.dumps({"eos_token": {"content": "<c>"}}))
    assert learned(base(tmp_path, template("{{ m.content }}{{ eos_token }}"))) == ["cat a b<c>", "exit<c>"]


def test_a_bos_that_is_not_special_and_not_in_the_template_is_no_matter(tmp_path: Path):
    assert learned(base(tmp_path, template("{{ m.content }}</s>"), flags={"<s>": {"special": False}})) == ["cat a b</s>", "exit</s>"]


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (template("{{ m.content }}<c>"), "no stop token closes a reply; .* add the id of '<c>' to eos_token_id"),
        (template("{{ m.content }}\n"), "no stop token closes a reply"),
        ("{{ bos_token }}{{ bos_token }}" + template("{{ m.content }}</s>"), "2 BOS tokens at the start; allowed: 1"),
        (template("{{ m.content | upper }}</s>"), "changes the assistant's text"),
        (template("{{ m.content + 1 }}</s>"), "chat template: can only concatenate str"),
    ],
)
def test_a_base_that_no_server_could_serve_as_trained_is_refused_once(source: str, problem: str, tmp_path: Path):
    with pytest.raises(RenderError, match=f"this base is refused: .*{problem}") as raised:
        base(tmp_path, source).require_form()
    assert raised.value.fault is Fault.base


def test_an_option_that_the_template_does_not_know_is_refused(tmp_path: Path):
    with pytest.raises(RenderError, match=r"model.template_options.thinking: no variable of the chat template; allowed: enable_thinking"):
        base(tmp_path, template("{{ m.content }}</s>", THINKS), {"thinking": False})


ODD = st.text(st.sampled_from("ls ./-\n\t$<>&|'▁é[]()ua/s"), max_size=12)


@pytest.mark.parametrize(
    ("source", "flags"),
    [
        (template("{{ m.content + '\\n</s>' }}\n"), {}),
        (template("{{ m.content }}{% if not loop.last %}</s>{% endif %}"), {}),
        (template("<c>final<c>{{ m.content | trim }}</s>"), {}),
        (template("{{ m.content }}</s>"), {"<a>": {"rstrip": True}, "<u>": {"special": False}, "</s>": {"lstrip": True}}),
    ],
)
def test_odd_dialogues_are_learned_as_they_are_served_or_not_at_all(source: str, flags: dict[str, dict[str, bool]], tmp_path: Path):
    tokenizer = base(tmp_path, source, flags=flags)
    server = Server(tokenizer)

    @given(st.lists(st.tuples(ODD, ODD), min_size=1, max_size=4))
    def holds(exchanges: list[tuple[str, str]]) -> None:
        check(talk(*(text for exchange in exchanges for text in exchange)), tokenizer, server)

    holds()
