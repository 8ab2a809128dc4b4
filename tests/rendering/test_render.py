"""The render contract on the real Mistral tokenizer and on ChatML."""

import json
import random
from pathlib import Path

import pytest

from sekft.errors import RenderError
from sekft.rendering.messages import Message, canonical
from sekft.rendering.render import TokenKind, prompt_ids, render
from sekft.rendering.tokenizer import ChatTokenizer

PIECES = [
    "ls",
    "cat a.txt",
    "$ ",
    "\n",
    "  two  blanks",
    "héllo ✓",
    "</s>",
    "[INST]",
    "<|im_end|>",
    "-rw-r--r-- 1 agent",
    "\t",
    "0x1f",
    "exit",
]


def conversation(*contents: str) -> list[Message]:
    roles = ["user", "assistant"]
    return [Message(role=roles[index % 2], content=content) for index, content in enumerate(contents)]


def odd_conversations(amount: int) -> list[list[Message]]:
    rng = random.Random(0)
    out = []
    for _ in range(amount):
        turns = 2 * rng.randint(1, 4)
        contents = []
        for index in range(turns):
            text = "".join(rng.choice(PIECES) for _ in range(rng.randint(1, 6)))
            contents.append(text if index % 2 == 0 else text.strip() or "ls")
        out.append(conversation(*contents))
    return out


@pytest.fixture(params=["small_mistral", "chatml"])
def folder(request: pytest.FixtureRequest) -> Path:
    return request.getfixturevalue(request.param)


@pytest.fixture
def tokenizer(folder: Path) -> ChatTokenizer:
    return ChatTokenizer(folder)


def faithful(messages: list[Message], tokenizer: ChatTokenizer):
    """The rendering, or None where the contract refuses it (a token across a boundary)."""
    try:
        return render(messages, tokenizer)
    except RenderError as error:
        assert "split into different tokens" in str(error)
        return None


def test_environment_is_context_and_every_typed_text_is_followed_by_its_stop_token(tokenizer: ChatTokenizer):
    rendered = render(conversation("hello\n$ ", "ls -la", "a.txt\n$ ", "exit"), tokenizer)
    for turn, text in ((1, "ls -la"), (3, "exit")):
        typed = [i for i, k, t in zip(rendered.ids, rendered.kinds, rendered.turns, strict=True) if t == turn and k is TokenKind.typed]
        stops = [i for i, k, t in zip(rendered.ids, rendered.kinds, rendered.turns, strict=True) if t == turn and k is TokenKind.stop]
        assert tokenizer.decode(typed).strip() == text
        assert len(stops) == 1 and stops[0] in tokenizer.stop_ids
    assert rendered.kinds[0] is TokenKind.context


def test_the_ids_before_a_turn_are_what_a_server_would_be_fed(tokenizer: ChatTokenizer):
    seen = 0
    for messages in odd_conversations(60):
        rendered = faithful(messages, tokenizer)
        if rendered is None:
            continue
        for index in range(1, len(messages), 2):
            served = prompt_ids(messages[:index], tokenizer)
            assert list(rendered.ids[: len(served)]) == served
            assert rendered.kinds[len(served)] is not TokenKind.context
            assert rendered.kinds[len(served) - 1] is TokenKind.context
            seen += 1
    assert seen > 60


def test_ids_equal_those_of_transformers_on_the_same_folder(tokenizer: ChatTokenizer, folder: Path):
    from transformers import PreTrainedTokenizerFast

    theirs = PreTrainedTokenizerFast.from_pretrained(folder)
    for messages in odd_conversations(40):
        rendered = faithful(messages, tokenizer)
        if rendered is not None:
            plain = [message.model_dump() for message in rendered.messages]
            assert theirs.apply_chat_template(plain, return_dict=False) == list(rendered.ids)


def test_prompts_equal_the_reference_encoder_of_mistral(small_mistral: Path):
    from mistral_common.protocol.instruct.messages import AssistantMessage, UserMessage
    from mistral_common.protocol.instruct.request import ChatCompletionRequest
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

    ours, reference = ChatTokenizer(small_mistral), MistralTokenizer.v1()
    for messages in odd_conversations(40):
        turns = canonical([Message(role=m.role, content=ours.neutralise(m.content)) for m in messages[:-1]])
        theirs = [UserMessage(content=m.content) if m.role == "user" else AssistantMessage(content=m.content) for m in turns]
        assert reference.encode_chat_completion(ChatCompletionRequest(messages=theirs)).tokens == prompt_ids(messages[:-1], ours)


def test_control_tokens_in_the_environment_are_read_as_text(tokenizer: ChatTokenizer):
    def control_tokens(text: str) -> int:
        return sum(index in tokenizer.control for index in render(conversation(text, "exit"), tokenizer).ids)

    for stop in tokenizer.control.values():
        assert control_tokens(f"a {stop} b\n$ ") == control_tokens("a b\n$ ")


def test_canonical_folds_the_system_turn_merges_neighbours_and_is_idempotent():
    messages = [
        Message(role="system", content="s"),
        Message(role="user", content="a"),
        Message(role="user", content="b"),
        Message(role="assistant", content="c"),
        Message(role="assistant", content="d"),
    ]
    once = canonical(messages)
    assert [(m.role, m.content) for m in once] == [("user", "s\na\nb"), ("assistant", "c\nd")]
    assert canonical(once) == once


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        ([], "none"),
        ([Message(role="assistant", content="x")], "the assistant comes first"),
        ([Message(role="user", content="x"), Message(role="system", content="y")], r"messages\[1\]: a system turn"),
    ],
)
def test_conversations_without_a_canonical_form_are_refused(messages: list[Message], problem: str):
    with pytest.raises(RenderError, match=problem):
        canonical(messages)


def with_template(chatml: Path, tmp_path: Path, template: str) -> ChatTokenizer:
    for file in chatml.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "chat_template.jinja").write_text(template)
    return ChatTokenizer(tmp_path)


PROMPT = "{% if add_generation_prompt %}<|im_start|>{% endif %}"


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        (
            "{% for m in messages %}<|im_start|>{{ m.content }}{{ loop.length }}<|im_end|>{% endfor %}",
            "behind a reply, as the conversation is long",
        ),
        ("{% for m in messages %}<|im_start|>{{ m.content | upper }}<|im_end|>{% endfor %}" + PROMPT, "changes the assistant's text"),
        ("{% for m in messages %}<|im_start|>{{ m.content }}\n{% endfor %}" + PROMPT, "no stop token closes a reply"),
        ("{% for m in messages %}{{ m.content }}<|im_start|>{% endfor %}", "generation stops at"),
        ("{{ raise_exception('no') }}", "chat template: no"),
    ],
)
def test_a_template_that_would_train_other_text_than_is_served_is_refused(chatml: Path, tmp_path: Path, template: str, problem: str):
    with pytest.raises(RenderError, match=problem):
        render(conversation("a", "b", "c", "d"), with_template(chatml, tmp_path, template))


def test_two_bos_tokens_are_refused(small_mistral: Path, tmp_path: Path):
    for name in ("tokenizer.json", "tokenizer_config.json", "config.json"):
        (tmp_path / name).write_bytes((small_mistral / name).read_bytes())
    (tmp_path / "chat_template.jinja").write_text("{{ bos_token }}" + (small_mistral / "chat_template.jinja").read_text())
    with pytest.raises(RenderError, match="2 BOS tokens"):
        render(conversation("a", "b"), ChatTokenizer(tmp_path))


def test_a_bos_that_opens_every_turn_is_rendered_as_it_is(chatml: Path, tmp_path: Path):
    for file in chatml.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    settings = json.loads((chatml / "tokenizer_config.json").read_text())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings | {"bos_token": "<|im_start|>"}))
    talk = conversation("$ ", "ls", "a\n$ ", "exit")
    with_bos, without = ChatTokenizer(tmp_path), ChatTokenizer(chatml)
    assert render(talk, with_bos).ids == render(talk, without).ids
    assert render(talk, with_bos).ids.count(with_bos.bos) == 4


def test_a_folder_without_a_fast_tokenizer_or_template_is_refused(tmp_path: Path, chatml: Path):
    (tmp_path / "tokenizer.model").write_bytes(b"x")
    with pytest.raises(RenderError, match=r"only tokenizer\.model"):
        ChatTokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_bytes((chatml / "tokenizer.json").read_bytes())
    (tmp_path / "tokenizer_config.json").write_text("{}")
    with pytest.raises(RenderError, match="no chat template"):
        ChatTokenizer(tmp_path)


def test_a_base_without_a_template_takes_a_named_one_or_a_file(chatml: Path, tmp_path: Path):
    for name in ("tokenizer.json", "config.json"):
        (tmp_path / name).write_bytes((chatml / name).read_bytes())
    (tmp_path / "tokenizer_config.json").write_text('{"eos_token": "<|im_end|>"}')
    with pytest.raises(RenderError, match=r"model.template=chatml\|tinystories or FILE"):
        ChatTokenizer(tmp_path)
    talk = conversation("$ ", "ls", "a\n$ ", "exit")
    assert render(talk, ChatTokenizer(tmp_path, "chatml")).ids == render(talk, ChatTokenizer(chatml)).ids
    (tmp_path / "mine.jinja").write_text(ChatTokenizer(chatml).template.source)
    assert render(talk, ChatTokenizer(tmp_path, str(tmp_path / "mine.jinja"))).ids == render(talk, ChatTokenizer(chatml)).ids
    with pytest.raises(RenderError, match=r"model.template=nope: no such file; allowed: chatml\|tinystories, or a file"):
        ChatTokenizer(tmp_path, "nope")
