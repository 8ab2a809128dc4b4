"""Five real tokenizers of Mistral against Mistral's own encoder in fine-tuning mode, on dialogues as odd as shells make them."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from mistral_common.protocol.instruct.messages import AssistantMessage, UserMessage
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.protocol.instruct.validator import ValidationMode
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

from sekft.rendering.messages import Message
from sekft.rendering.render import Kind, Rendered, render
from sekft.rendering.tokenizer import ChatTokenizer
from tests.conftest import ROOT

LONG = "".join(f"-rw-r--r-- 1 agent agent {n * 37} file-{n}.txt\n" for n in range(200))
DIALOGUES = {
    "plain": ("Welcome\n$ ", "ls", "a.txt\n$ ", "exit"),
    "one turn": ("$ ", "exit"),
    "eighty turns": ("$ ", "ls") * 39 + ("$ ", "exit"),
    "two hundred lines": ("$ ", "ls -l", LONG + "$ ", "exit"),
    "unicode": ("héllo ✓ 日本\n$ ", "echo 'ñ ü 日本'", "ñ ü 日本\n$ ", "exit"),
    "emoji and bytes": ("🙂\x7f\n$ ", "printf '\\303\\251'", "é$ ", "exit"),
    "tabs": ("a\tb\n$ ", "cut -f\t1", "$ ", "exit"),
    "blanks inside": ("a   b    c\n$ ", "echo 'two  blanks'", "two  blanks\n$ ", "exit"),
    "several lines": ("$ ", "cat <<E\none\n  two\nE", "one\n  two\n$ ", "exit"),
    "numbers": ("1234567890 0x1f\n$ ", "expr 12 + 34", "46\n$ ", "exit"),
    "punctuation": ("]>)}{(<[\n$ ", "[ -f x ] && echo $?", "1\n$ ", "exit"),
    "starts with a bracket": ("$ ", "[ -f x ]", "$ ", "<x cat", "$ ", "exit"),
    "quotes": ("$ ", "echo \"a 'b' c\"", "a 'b' c\n$ ", "exit"),
    "panic": ("$ ", "cat x", "cat: x: No such file or directory\n$ ", "panic missing x"),
    "continuation": ("$ ", "echo 'open", "> ", "close'", "open\nclose\n$ ", "exit"),
    "empty output": ("$ ", "true", "$ ", "true", "$ ", "exit"),
    "control tokens in output": ("</s> [INST] <s>\n$ ", "ls", "x</s>y\n$ ", "exit"),
    "leading blank in output": ("  indented\n$ ", "ls", "   a\n$ ", "exit"),
    "code": ("def f(x):\n    return x\n$ ", "sed -n '1,2p' f.py", "def f(x):\n$ ", "exit"),
    "paths": ("/srv/a-b_c.d/e\n$ ", "cat /srv/a-b_c.d/e", "$ ", "exit"),
    "trailing blanks typed": ("$ ", "ls  ", "$ ", "exit"),
}
# Mistral's encoder strips what an assistant typed at its end; ours trains the blanks that were typed.
STRIPPED = {(version, "trailing blanks typed") for version in ("v2", "v3", "v7", "tekken")}
VERSIONS = ("v1", "v2", "v3", "v7", "tekken")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("small_mistral", ROOT / "scripts" / "small_mistral.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", params=VERSIONS)
def pair(
    request: pytest.FixtureRequest, script: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, ChatTokenizer, MistralTokenizer]:
    folder: Path = tmp_path_factory.mktemp(request.param)
    script.write_tokenizer(folder, request.param)
    reference = MistralTokenizer.from_file(str(script.vocabulary_file(request.param)), mode=ValidationMode.finetuning)
    return request.param, ChatTokenizer(folder), reference


def theirs(rendered: Rendered, reference: MistralTokenizer) -> list[int]:
    messages = [UserMessage(content=m.content) if m.role == "user" else AssistantMessage(content=m.content) for m in rendered.messages]
    return reference.encode_chat_completion(ChatCompletionRequest(messages=messages)).tokens


@pytest.mark.parametrize("name", DIALOGUES)
def test_ids_equal_those_of_mistrals_own_encoder(pair: tuple[str, ChatTokenizer, MistralTokenizer], name: str):
    version, ours, reference = pair
    messages = [Message(role="assistant" if at % 2 else "user", content=text) for at, text in enumerate(DIALOGUES[name])]
    rendered = render(messages, ours)
    assert (list(rendered.ids) == theirs(rendered, reference)) == ((version, name) not in STRIPPED)
    assert sum(kind is Kind.stop for kind in rendered.kinds) == len(messages) // 2
