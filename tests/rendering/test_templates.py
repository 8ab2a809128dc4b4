"""Many published templates, as TRL ships them: each renders one way in training and serving, is unrolled, or is refused."""

import json
from pathlib import Path

import pytest
import trl

from sekft.errors import RenderError
from sekft.rendering.messages import Message
from sekft.rendering.render import Kind, is_position_dependent, prompt_ids, render_all
from sekft.rendering.tokenizer import ChatTokenizer

TEMPLATES = Path(trl.__file__).parent / "chat_templates"
CONTROL = {
    "llama3": ["<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"],
    "llama3_2": ["<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|python_tag|>"],
    "qwen2_5": ["<|endoftext|>", "<|im_end|>", "<|im_start|>"],
    "qwen3": ["<|endoftext|>", "<|im_end|>", "<|im_start|>"],  # its <think> is no special token
    "gemma": ["<bos>", "<end_of_turn>", "<start_of_turn>"],
    "gemma3": ["<bos>", "<end_of_turn>", "<start_of_turn>"],
    "phi3": ["<s>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>", "<|endoftext|>"],
    "deepseek_r1_distill": ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>", "<think>"],
}
WHOLE, UNROLLED, REFUSED = ("llama3", "llama3_2", "qwen2_5", "gemma", "gemma3", "phi3"), ("qwen3",), ("deepseek_r1_distill",)
TEXTS = ("Welcome\n$ ", "ls", "a  b\n$ ", "cat 'a  b'", "$ ", "exit")
TALK = [Message(role="assistant" if at % 2 else "user", content=text) for at, text in enumerate(TEXTS)]
RAW = [
    Message(role="system", content="You are here."),
    *TALK[:3],
    Message(role="user", content="more </s> <|im_end|> <end_of_turn>\n$ "),
    *TALK[3:],
]


def stand_in(name: str, folder: Path) -> ChatTokenizer:
    """The published template over a tokenizer of bytes with that family's control tokens."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    vocabulary = {letter: index for index, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in CONTROL[name]])
    tokenizer.save(str(folder / "tokenizer.json"))
    bos, eos = CONTROL[name][:2]
    (folder / "tokenizer_config.json").write_text(json.dumps({"bos_token": bos, "eos_token": eos, "pad_token": eos}))
    (folder / "chat_template.jinja").write_text((TEMPLATES / f"{name}.jinja").read_text())
    return ChatTokenizer(folder)


@pytest.mark.parametrize("name", WHOLE + UNROLLED)
def test_every_decision_is_learned_after_exactly_what_is_served(name: str, tmp_path: Path):
    tokenizer = stand_in(name, tmp_path)
    assert is_position_dependent(tokenizer) == (name in UNROLLED)
    renderings = render_all(TALK, tokenizer)
    assert len(renderings) == (3 if name in UNROLLED else 1)
    decisions = 0
    for rendered in renderings:
        for turn in sorted({turn for turn, kind in zip(rendered.turns, rendered.kinds, strict=True) if kind is Kind.stop}):
            served = prompt_ids(TALK[:turn], tokenizer)
            reply = [i for i, t, k in zip(rendered.ids, rendered.turns, rendered.kinds, strict=True) if t == turn and k is not Kind.context]
            assert list(rendered.ids[: len(served)]) == served
            assert list(rendered.ids[len(served) : len(served) + len(reply)]) == reply
            assert tokenizer.decode(reply[:-1]) == TALK[turn].content and reply[-1] in tokenizer.stop_ids
            decisions += 1
    assert decisions == 3


@pytest.mark.parametrize("name", REFUSED)
def test_a_template_whose_prompt_opens_a_thought_is_refused(name: str, tmp_path: Path):
    with pytest.raises(RenderError, match="the served prompt begins no training text"):
        render_all(TALK, stand_in(name, tmp_path))


@pytest.mark.parametrize("name", WHOLE + UNROLLED)
def test_the_saved_template_gives_any_server_the_ids_of_training(name: str, tmp_path: Path):
    check_saved_template(stand_in(name, tmp_path), tmp_path)


def test_the_saved_template_gives_the_real_mistral_tokenizer_the_ids_of_training(small_mistral: Path):
    check_saved_template(ChatTokenizer(small_mistral), small_mistral)


def check_saved_template(ours: ChatTokenizer, folder: Path) -> None:
    from transformers import PreTrainedTokenizerFast

    server = PreTrainedTokenizerFast.from_pretrained(folder)
    server.chat_template = ours.canonical_template
    for messages in (RAW[:2], RAW[:5], RAW[:7], TALK[:1], TALK[:5]):
        plain = [message.model_dump() for message in messages]
        assert server.apply_chat_template(plain, add_generation_prompt=True, return_dict=False) == prompt_ids(messages, ours)
    from sekft.rendering.canonical_template import self_canonicalising

    assert self_canonicalising(ours.canonical_template, ours.control.values(), {}) == ours.canonical_template


def test_a_system_turn_in_the_middle_is_refused_by_the_saved_template_too(small_mistral: Path):
    from jinja2 import TemplateError
    from transformers import PreTrainedTokenizerFast

    server = PreTrainedTokenizerFast.from_pretrained(small_mistral)
    server.chat_template = ChatTokenizer(small_mistral).canonical_template
    with pytest.raises(TemplateError, match="a system turn is allowed only as the first"):
        server.apply_chat_template([{"role": "user", "content": "a"}, {"role": "system", "content": "b"}])
