"""The tokenizer and chat template of a base, read from its folder without torch or transformers."""

import hashlib
import json
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from sekft.errors import RenderError
from sekft.rendering.canonical_template import self_canonicalising
from sekft.rendering.messages import Message
from sekft.rendering.template import ChatTemplate

TEMPLATES = Path(__file__).parent / "templates"
PROBE = (Message(role="user", content="a"), Message(role="assistant", content="qXz"))  # a reply that no template writes itself


class ChatTokenizer:
    """The tokenizer of one base: text to ids and back, messages to text.

    folder: holds tokenizer.json, tokenizer_config.json and the chat template, in chat_template.jinja or in tokenizer_config.json.
    template: name of a file in rendering/templates/, or a path, used instead of the base's template. Raises RenderError.
    """

    def __init__(self, folder: Path, template: str | None = None) -> None:
        self.folder = folder
        self.template_name = template
        self._tokenizer = _load_fast(folder)
        settings = _read_json(folder / "tokenizer_config.json")
        self._names = names = {key: _text(value) for key, value in settings.items() if key.endswith("_token") and value}
        self.bos: int | None = self._id(names.get("bos_token"))
        self.eos: int | None = self._id(names.get("eos_token"))
        self.control: dict[int, str] = {
            index: token.content for index, token in self._tokenizer.get_added_tokens_decoder().items() if token.special
        }
        self.boundary_ids = frozenset(  # tokens that are cut out of a text before it is split: no other token reaches across one
            index for index, token in self._tokenizer.get_added_tokens_decoder().items() if token.special and not token.normalized
        )
        source = _chosen_source(template) if template else _template_source(folder, settings)
        self.template = ChatTemplate(source, names, self.control.values())

    def encode(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """(ids, offsets): offsets are [start, end) characters of each token; no special token is added."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        return encoding.ids, encoding.offsets

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of every text, as encode() gives them."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]

    def decode(self, ids: list[int], skip_control: bool = True) -> str:
        return self._tokenizer.decode(ids, skip_special_tokens=skip_control)

    def is_byte(self, token: int) -> bool:
        """Whether the token is one raw byte (`<0x0A>`), whose text depends on its neighbours."""
        return re.fullmatch("<0x[0-9A-F]{2}>", self._tokenizer.id_to_token(token) or "") is not None

    @property
    def vocab_size(self) -> int:
        return self._tokenizer.get_vocab_size(with_added_tokens=True)

    @cached_property
    def stop_ids(self) -> frozenset[int]:
        """The ids that end a generation: eos, and the eos_token_id of generation_config.json and config.json."""
        ids = {self.eos} if self.eos is not None else set()
        for name in ("generation_config.json", "config.json"):
            file = self.folder / name
            if file.exists() and (stop := _read_json(file).get("eos_token_id")) is not None:
                ids |= set(stop) if isinstance(stop, list) else {stop}
        return frozenset(ids)

    @cached_property
    def separator(self) -> str:
        """The whitespace that the template writes between the served prompt and the assistant's text; often empty."""
        return self._before[: len(self._before) - len(self._before.lstrip())]

    @cached_property
    def prefix(self) -> str:
        """What else the template writes there that no prompt holds: a think block, a channel; empty for most templates."""
        return self._before.lstrip()

    @cached_property
    def stop_text(self) -> str:
        """The control token that the template writes after an assistant turn; empty if it writes none."""
        tail = self.template.render(PROBE).rpartition(PROBE[1].content)[2].lstrip(" ")
        return next((text for text in self.control.values() if tail.startswith(text)), "")

    @cached_property
    def canonical_template(self) -> str:
        """The template that is saved with an adapter: with it any server renders raw messages to the ids of training."""
        self.template.render(PROBE[:1], add_generation_prompt=True)  # fills template.dates, if the template prints the date
        return self_canonicalising(self.template.source, self.control.values(), self.template.dates)

    @cached_property
    def _before(self) -> str:
        prompt = self.template.render(PROBE[:1], add_generation_prompt=True)
        return self.template.render(PROBE)[len(prompt) :].partition(PROBE[1].content)[0]

    @cached_property
    def digest(self) -> str:
        """sha256 over what decides the ids: the tokenizer, the template and the special tokens it names."""
        deciding = (self._tokenizer.to_str(), self.template.source, json.dumps(self._names, sort_keys=True))
        return hashlib.sha256("\0".join(deciding).encode()).hexdigest()

    def neutralise(self, content: str) -> str:
        """The content with its control tokens broken by a blank (`</s>` becomes `< /s>`), as in training so in serving."""
        for text in self.control.values():
            if text in content:
                content = content.replace(text, f"{text[0]} {text[1:]}")
        return content

    def _id(self, text: str | None) -> int | None:
        return None if text is None else self._tokenizer.token_to_id(text)


def _load_fast(folder: Path) -> Tokenizer:
    file = folder / "tokenizer.json"
    if not file.exists():
        found = "only tokenizer.model" if (folder / "tokenizer.model").exists() else "none"
        raise RenderError(f"{folder}: no tokenizer.json (found {found}); convert it first, with merges in the order of their scores")
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises plain Exception
        raise RenderError(f"{file}: not a tokenizer: {str(error).splitlines()[0]}") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _chosen_source(template: str) -> str:
    named = TEMPLATES / f"{template}.jinja"
    file = named if named.exists() else Path(template)
    if not file.is_file():
        raise RenderError(f"model.template={template}: no such file; allowed: {_named()}, or a file")
    return file.read_text(encoding="utf-8")


def _named() -> str:
    return "|".join(sorted(path.stem for path in TEMPLATES.glob("*.jinja")))


def _template_source(folder: Path, settings: dict[str, Any]) -> str:
    file = folder / "chat_template.jinja"
    if file.exists():
        return file.read_text(encoding="utf-8")
    source = settings.get("chat_template")
    if isinstance(source, list):  # several named templates: default, tool_use, ...
        source = next((entry["template"] for entry in source if entry.get("name") == "default"), None)
    if not isinstance(source, str):
        raise RenderError(
            f"{folder}: no chat template (chat_template.jinja, or in tokenizer_config.json); give model.template={_named()} or FILE"
        )
    return source


def _read_json(file: Path) -> dict[str, Any]:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RenderError(f"{file}: no such file; a base folder holds tokenizer.json, tokenizer_config.json, config.json") from None
    except ValueError as error:
        raise RenderError(f"{file}: not JSON: {error}") from None


def _text(token: Any) -> str:
    return token["content"] if isinstance(token, dict) else str(token)
