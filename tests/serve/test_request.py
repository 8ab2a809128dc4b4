"""Any bytes are parsed as a request or refused in one line."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sekft.errors import RenderError
from sekft.model import base
from sekft.rendering.messages import Message
from sekft.rendering.render import prompt_ids
from sekft.rendering.tokenizer import ChatTokenizer
from sekft.serve.refusal import Refusal
from sekft.serve.request import HARMLESS, NEUTRAL, ChatRequest, TokenizeRequest, parse
from tests.serve.malformed import GOOD

TOKENIZER = ChatTokenizer(Path(base.__file__).parent / "tiny")
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3), max_leaves=6
)
PARTS = st.lists(st.fixed_dictionaries({"type": st.sampled_from(["text", "image"]) | SCALARS, "text": SCALARS}), max_size=2)
TURNS = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system", "developer"]) | SCALARS, "content": st.text() | PARTS | ANYTHING},
    optional={"name": ANYTHING, "tool_calls": ANYTHING},
)
FIELDS = [*ChatRequest.model_fields, *sorted(HARMLESS), *NEUTRAL, "unknown"]


@given(st.lists(TURNS, max_size=4) | ANYTHING, st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=3))
def test_any_json_becomes_a_prompt_or_a_refusal_of_one_line(messages, changes):
    body = json.dumps({**GOOD, "messages": messages, **changes}).encode("utf-8", "surrogatepass")
    for shape in (ChatRequest, TokenizeRequest):
        try:
            request = parse(body, shape, 8)
            assert prompt_ids(request.conversation(), TOKENIZER)
        except Refusal as refusal:
            assert refusal.status == 400 and refusal.message and "\n" not in refusal.message and len(refusal.message) < 500
        except RenderError as error:
            assert "\n" not in str(error)


@given(st.binary(max_size=60))
def test_any_bytes_become_a_refusal(body: bytes):
    with pytest.raises(Refusal) as refused:
        parse(body, ChatRequest, 8)
    assert refused.value.status == 400


def test_parts_are_joined_by_newlines_null_counts_as_absent_and_developer_means_system():
    turns = [{"role": "developer", "content": "s", "name": None}, {"role": "user", "content": [{"type": "text", "text": t} for t in "ab"]}]
    request = parse(json.dumps({"model": "m", "messages": turns, "tools": None, "n": None, "stop": None}).encode(), ChatRequest, 8)
    assert request.conversation() == [Message(role="system", content="s"), Message(role="user", content="a\nb")] and request.stop == []


@pytest.mark.parametrize("name", sorted(NEUTRAL))
def test_an_unsupported_field_is_accepted_only_with_a_value_that_has_no_effect(name: str):
    for value in NEUTRAL[name]:
        parse(json.dumps({**GOOD, name: value}).encode(), ChatRequest, 8)
    with pytest.raises(Refusal, match=f"^{name}: found 'other', allowed: "):
        parse(json.dumps({**GOOD, name: "other"}).encode(), ChatRequest, 8)


def test_a_turn_that_only_calls_a_tool_is_refused_for_the_call():
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "c"}]}
    for turn in (call, {name: value for name, value in call.items() if value}):
        with pytest.raises(Refusal, match=r"^messages\[1\].tool_calls: found .*, allowed: \[\]$"):
            parse(json.dumps({**GOOD, "messages": [*GOOD["messages"], turn, *GOOD["messages"]]}).encode(), ChatRequest, 8)


NAMES = st.sampled_from([*FIELDS, "role", "content", "type", "text", "refusal"])
BODIES = st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, ANYTHING)) | st.dictionaries(NAMES, ANYTHING, max_size=5)


@pytest.mark.exhaustive
@settings(max_examples=20_000)
@given(BODIES, st.lists(TURNS, max_size=4) | ANYTHING, st.booleans(), st.binary(max_size=3), st.integers(0, 300))
def test_many_bodies_whole_cut_and_spoilt_are_requests_or_refusals(changes, messages, is_good, noise: bytes, at: int):
    """is_good: the fields that a request needs are there, and only the changes may be wrong."""
    document = {**GOOD, **changes} if is_good else {**changes, "messages": messages}
    whole = json.dumps(document).encode("utf-8", "surrogatepass")
    for body in (whole, whole[:at] + noise + whole[at:], whole[:at]):
        for shape in (ChatRequest, TokenizeRequest):
            try:
                request = parse(body, shape, 8)
            except Refusal as refusal:
                assert refusal.status == 400 and refusal.message.isprintable() and len(refusal.message) < 600
                json.dumps(refusal.body()).encode()
            else:
                assert request.messages and all(isinstance(message.content, str) for message in request.conversation())
