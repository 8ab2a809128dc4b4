"""The tokenizer and chat template of a base, read from its folder without torch or transformers."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tokenizers import AddedToken, Tokenizer

from sekft.errors import RenderError
from sekft.rendering.canonical_template import self_canonicalising, with_options, with_prompt_end
from sekft.rendering.form import PROBE, Form, PromptEnd, learn, prompt_end, written_in_prompts
from sekft.rendering.template import ChatTemplate

TEMPLATES = Path(__file__).parent / "templates"
NAMES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")  # as transformers knows them
MARKUP = re.compile(r"[^\w\s]\S+[^\w\s]")  # `<|user|>`, `[INST]`; not the blanks and words that some vocabularies add


class ChatTokenizer:
    """The tokenizer of one base: text to ids and back, messages to text.

    folder: holds tokenizer.json, tokenizer_config.json and the chat template, in chat_template.jinja or in tokenizer_config.json.
    template: name of a file in rendering/templates/, or a path, used instead of the base's template. options: values of the template's
    own variables. Raises RenderError.
    """

    def __init__(self, folder: Path, template: str | None = None, options: Mapping[str, Any] = MappingProxyType({})) -> None:
        self.folder = folder
        self.template_name = template
        self.options = dict(options)
        self._tokenizer = _load_fast(folder)
        settings = _read_json(folder / "tokenizer_config.json")
        self._names = names = _special_names(folder, settings)
        _add_missing(self._tokenizer, settings, names)
        self.bos: int | None = self._id(names.get("bos_token"))
        self.eos: int | None = self._id(names.get("eos_token"))
        added = self._tokenizer.get_added_tokens_decoder()
        self.boundary_ids = frozenset(  # tokens that are cut out of a text before it is split: no other token reaches across one
            index for index, token in added.items() if token.special and not token.normalized
        )
        source = _chosen_source(template) if template else _template_source(folder, settings)
        self.template = _with_options(ChatTemplate(source, names), self.options, names)
        # The strings that no text may hold: special tokens, and others that the template writes around turns or that end a generation.
        self.control: dict[int, str] = {index: token.content for index, token in added.items() if token.special}
        written = written_in_prompts(self.template)
        self._unflagged = {
            index: token.content
            for index, token in sorted(added.items())
            if not token.special and (index in self.stop_ids or token.content in written) and MARKUP.fullmatch(token.content)
        }
        self.control |= self._unflagged
        self._form: Form | RenderError = self._judge()
        self.text_after: Callable[[int, tuple[int, ...]], str] = lru_cache(maxsize=1 << 14)(self.written)

    @property
    def form(self) -> Form:
        """What the template writes around replies. Raises RenderError if no reply can be trained on."""
        if isinstance(self._form, RenderError):
            raise self._form
        return self._form

    def require_form(self) -> None:
        """Raise RenderError if no reply can be trained on."""
        if isinstance(self._form, RenderError):
            raise self._form

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

    @property
    def separator(self) -> str:
        """The whitespace that the template writes between the served prompt and the assistant's text; often empty."""
        return self.form.separator

    @cached_property
    def canonical_template(self) -> str:
        """The template that is saved with an adapter: with it any server renders raw messages to the ids of training."""
        written_in_prompts(self.template)  # fills template.dates, if the template prints the date
        return self_canonicalising(self.template.source, self.control.values(), self.template.dates)

    @cached_property
    def suffix(self) -> str:
        """The text that the template writes between a reply and its stop token, without control tokens; mostly empty."""
        suffix = self.form.closing.suffix
        for text in self.control.values():
            suffix = suffix.replace(text, "")
        return suffix

    def read_reply(self, before: int, reply: Sequence[int]) -> str:
        """The text of generated ids behind the token `before`, as it is typed: without control tokens, separator and suffix."""
        return self.written(before, reply).removeprefix(self.separator).removesuffix(self.suffix)

    def written(self, before: int, ids: Sequence[int]) -> str:
        """The text of ids behind a token, without control tokens: the text of a token depends on the token before it."""
        typed = [token for token in ids if token not in self.control]
        return self.decode([before, *typed], skip_control=False)[len(self.decode([before], skip_control=False)) :]

    def ids_after(self, before: int, text: str) -> tuple[list[int], list[tuple[int, int]]] | None:
        """(ids, offsets) of a text behind a token with which none of its characters may merge; None if no ids read back as the text."""
        walls = [self.control[index] for index in sorted(self.boundary_ids)[:1]]
        for wall in (*walls, "\n", ":", "]", "a"):
            ids, offsets = self.encode(wall + text)
            count = len(self.encode(wall)[0])
            tail = offsets[count:]
            if (not tail or tail[0][0] >= len(wall)) and self.text_after(before, tuple(ids[count:])) == text:
                return ids[count:], [(start - len(wall), end - len(wall)) for start, end in tail]
        return None

    def _judge(self) -> Form | RenderError:
        """The form of the template, after the end of its generation prompt is made fit for replies that are typed."""
        stops = {index: text for index, text in self.control.items() if index in self.stop_ids}
        try:
            end = prompt_end(self.template, self.control)
            if end != PromptEnd():
                self.template = ChatTemplate(with_prompt_end(self.template.source, end.cut, end.added), self._names)
            ids = self.encode(self.template.render(PROBE[:1], add_generation_prompt=True))[0]
            if self.bos is not None and ids[:2] == [self.bos, self.bos]:
                raise RenderError("the template writes 2 BOS tokens at the start; allowed: 1; give model.template=FILE that writes it once")
            return learn(self.template, stops, self.control)
        except RenderError as error:
            return RenderError(f"{self.folder}: this base is refused: {error}")

    @cached_property
    def digest(self) -> str:
        """sha256 over what decides the ids: the tokenizer, the template and the special tokens it names."""
        unflagged = [",".join(self._unflagged.values())] if self._unflagged else []
        deciding = (self._tokenizer.to_str(), self.template.source, json.dumps(self._names, sort_keys=True), *unflagged)
        return hashlib.sha256("\0".join(deciding).encode()).hexdigest()

    def neutralise(self, content: str) -> str:
        """The content with its control tokens broken by a blank (`</s>` becomes `< /s>`), as in training so in serving."""
        for text in self.control.values():
            if text in content:
                content = content.replace(text, f"{text[0]} {text[1:]}")
        return content

    def token_id(self, text: str) -> int:
        """The id of a token that is there, by its text."""
        return next(index for index, control in self.control.items() if control == text)

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


def _special_names(folder: Path, settings: dict[str, Any]) -> dict[str, str]:
    """The special tokens by name; special_tokens_map.json counts where tokenizer_config.json lists no added tokens, as in transformers."""
    file = folder / "special_tokens_map.json"
    older = _read_json(file) if "added_tokens_decoder" not in settings and file.exists() else {}
    values = {key: value for key, value in (settings | older).items() if key.endswith("_token")}
    return {key: _text(value) for key, value in values.items() if value and isinstance(value, str | dict)}


def _add_missing(tokenizer: Tokenizer, settings: dict[str, Any], names: dict[str, str]) -> None:
    """Add the tokens that stand in tokenizer_config.json alone, as transformers does."""
    known = tokenizer.get_added_tokens_decoder()
    present = {repr(token) for token in known.values()}
    listed = [
        AddedToken(**token) for _, token in sorted((settings.get("added_tokens_decoder") or {}).items(), key=lambda item: int(item[0]))
    ]
    texts = {token.content for token in (*known.values(), *listed)}
    named = [AddedToken(text, special=True) for key, text in names.items() if key in NAMES and text not in texts]
    for token in (*listed, *named):
        token.special = token.special or token.content in {names.get(key) for key in NAMES}
    if missing := [token for token in (*listed, *named) if repr(token) not in present]:
        tokenizer.add_tokens(missing)


def _with_options(template: ChatTemplate, options: Mapping[str, Any], names: dict[str, str]) -> ChatTemplate:
    """The template with options set. Raises RenderError for one that it does not know."""
    if unknown := [name for name in options if name not in template.options]:
        allowed = ", ".join(template.options) or "none"
        raise RenderError(f"model.template_options.{unknown[0]}: no variable of the chat template; allowed: {allowed}")
    return ChatTemplate(with_options(template.source, options), names) if options else template


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
