"""What servers say, in their own words: a full context is the agent's limit, trouble is no failure, a reply without text is explained."""

# ruff: noqa: E501  the words of servers are not wrapped

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sekft.episode.answers import FULL_CONTEXT, MAX_WORDS, Kind, Trouble, read
from sekft.rendering.messages import Reply

FULL = [  # (status, body): llama.cpp, vLLM, SGLang, TGI, OpenAI, Gemini, Anthropic, Mistral, ..., sekft.serve
    (400, {"error": {"message": "request (4390 tokens) exceeds the available context size (4096 tokens), try increasing it", "code": 400, "type": "exceed_context_size_error"}}),
    (500, {"error": {"message": "Context size has been exceeded.", "code": 500, "type": "server_error"}}),
    (400, {"error": {"message": "the request exceeds the available context size. try increasing the context size or enable context shift"}}),
    (400, {"error": {"message": "Requested tokens (4400) exceed context window of 4096"}}),
    (400, {"object": "error", "message": "This model's maximum context length is 4096 tokens. However, you requested 4400 tokens", "code": 400}),
    (400, {"error": {"message": "The decoder prompt (length 5000) is longer than the maximum model length of 4096."}}),
    (400, {"error": {"message": "You passed 4097 input tokens and requested 256 output tokens. However, the model's context length is only 4096 tokens, resulting in a maximum input length of 3840 tokens. Please reduce the length of the input prompt."}}),
    (400, {"message": "The input (4390 tokens) is longer than the model's context length (4096 tokens).", "code": 400}),
    (400, {"message": "Requested token count exceeds the model's maximum context length of 4096 tokens."}),
    (400, {"message": "Input length (4390 tokens) exceeds the maximum allowed length (4090 tokens). Use a shorter input."}),
    (422, {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 4390 `inputs` tokens", "error_type": "validation"}),
    (422, {"error": "Input validation error: `inputs` must have less than 1024 tokens. Given: 2000", "error_type": "validation"}),
    (400, {"error": {"message": "too long", "code": "context_length_exceeded"}}),
    (400, {"error": {"message": "Your input exceeds the context window of this model. Please adjust your input and try again."}}),
    (400, [{"error": {"code": 400, "message": "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576).", "status": "INVALID_ARGUMENT"}}]),
    (400, {"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long: 208310 tokens > 200000 maximum"}}),
    (400, {"error": {"message": "input length and `max_tokens` exceed context limit: 198000 + 8192 > 200000, decrease input length and try again"}}),
    (400, {"message": "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length", "code": "3051"}),
    (400, {"error": "The prompt is too long: 140000, model maximum context length: 131071"}),
    (400, {"message": "too many tokens: size limit exceeded by 1000 tokens. Try using shorter or fewer inputs"}),
    (400, {"error": "This model's maximum prompt length is 131072 but the request contains 140000 tokens."}),
    (400, {"message": "Input is too long for requested model."}),
    (400, {"error": "Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens."}),
    (400, {"error": "The number of tokens to keep from the initial prompt is greater than the context length (n_keep: 5000>= n_ctx: 4096)."}),
    (400, {"error": "Reached context length of 4096 tokens with this model"}),
    (400, {"error": {"message": "prompt token count of 130000 exceeds the limit of 128000", "code": "model_max_prompt_tokens_exceeded"}}),
    (413, {"error": {"code": "tokens_limit_reached", "message": "Request body too large for gpt-4o model. Max size: 8000 tokens."}}),
    (400, {"error": {"message": "Please reduce the length of the messages or completion. Current length is 9000 while limit is 8192"}}),
    (400, {"error": {"message": "Invalid request: Your request exceeded model token limit: 8192", "type": "invalid_request_error"}}),
    (400, {"error": {"code": "1261", "message": "Prompt exceeds max length"}}),
    (400, {"error": {"message": "context window exceeds limit (2013)"}}),
    (400, {"error": {"message": "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 30720]"}}),
    (500, {"error": "Prompt length (5000) exceeds maximum input length (4096)."}),
    (500, {"error": "the input length exceeds the context length"}),
    (400, {"error": "prompt too long; exceeded max context length by 300 tokens"}),
    (400, {"error": {"message": "messages: found 2700 tokens, allowed: fewer than 2048", "code": "context_length_exceeded"}}),
    (200, {"error": {"message": "This endpoint's maximum context length is 32768 tokens. However, you requested about 40000 tokens", "code": 400}}),
    (400, {"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": "{\"error\":{\"message\":\"This model's maximum context length is 131072 tokens.\"}}"}}}),
    (400, "the request exceeds the available context size"),
]  # fmt: skip
TROUBLE = [  # (status, body, kind, words that are kept)
    (429, {"error": {"message": "Rate limit reached on tokens per min (TPM): Limit 10000", "code": "rate_limit_exceeded"}}, Kind.overloaded, "http 429: Rate limit"),
    (413, {"error": {"message": "Request too large on tokens per minute (TPM): Limit 6000, please reduce your message size", "code": "rate_limit_exceeded"}}, Kind.overloaded, "TPM"),
    (503, {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}, Kind.overloaded, "Loading model"),
    (529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, Kind.overloaded, "Overloaded"),
    (200, {"id": None, "choices": None, "error": {"message": "Provider returned error", "code": 429, "metadata": {"raw": "Too Many Requests"}}}, Kind.overloaded, "Provider returned error; Too Many Requests"),
    (200, [{"error": {"code": 429, "message": "Resource has been exhausted", "status": "RESOURCE_EXHAUSTED"}}], Kind.overloaded, "Resource has been exhausted"),
    (429, {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}, Kind.credit, "quota"),
    (200, {"error": {"message": "Insufficient credits", "code": 402}}, Kind.credit, "Insufficient credits"),
    (401, {"error": {"message": "Incorrect API key provided"}}, Kind.denied, "http 401: Incorrect"),
    (400, [{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT"}}], Kind.denied, "not valid"),
    (404, {"error": "model 'x' not found"}, Kind.rejected, "http 404: model 'x' not found"),
    (400, {"error": {"message": "max_tokens is too large: 5000. This model supports at most 4096 completion tokens"}}, Kind.rejected, "at most 4096"),
    (422, {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]}, Kind.rejected, "seed: Extra inputs are not permitted"),
    (400, {"error": {"message": "image is too large, maximum is 5 MB"}}, Kind.rejected, "5 MB"),
    (400, {"error": {"message": "The response was filtered", "code": "content_filter"}}, Kind.filtered, "The response was filtered"),
    (200, {"choices": [{"finish_reason": "content_filter", "message": {"content": "rm -r"}}]}, Kind.filtered, "content_filter"),
    (500, "<html><head><title>502 Bad\nGateway</title></head></html>", Kind.failed, "http 500: 502 Bad Gateway"),
    (200, {"error": "model requires more system memory (9.5 GiB) than is available"}, Kind.failed, "system memory"),
    (200, {"object": "error", "message": "Engine loop is not running", "code": 50001}, Kind.failed, "Engine loop"),
    (200, {"choices": [{"finish_reason": "error", "error": {"code": 502, "message": "Upstream idle timeout exceeded"}, "message": {"content": ""}}]}, Kind.failed, "Upstream idle"),
    (200, {"choices": [{"finish_reason": "error", "message": {"content": "ls"}}]}, Kind.failed, "finish_reason error"),
    (200, {"choices": [{"finish_reason": "strange", "message": {"content": ""}}]}, Kind.failed, "finish_reason strange"),
    (200, {"choices": []}, Kind.unreadable, "a list with a choice"),
    (200, {"choices": [{"text": "ls"}]}, Kind.unreadable, "choices[0].message: found nothing"),
    (200, {"choices": [{"message": {"content": {"text": "ls"}}}]}, Kind.unreadable, 'content: found {"text": "ls"}'),
    (200, {"choices": [{"message": {"content": [{"type": "image_url"}]}}]}, Kind.unreadable, "image_url"),
    (200, {"choices": [{"message": {"content": "echo \ud83d"}}]}, Kind.unreadable, "surrogate"),
    (200, "<html><body>Sign in</body></html>", Kind.unreadable, "HTML or XML (Sign in)"),
    (200, 'data: {"choices": []}', Kind.unreadable, "a stream of events"),
    (200, "", Kind.unreadable, "an empty answer"),
]  # fmt: skip


def encoded(body: object) -> bytes:
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def reply(message: dict, finish: str | None = "stop", max_tokens: int = 256) -> Reply:
    return read(200, encoded({"choices": [{"finish_reason": finish, "message": message}]}), max_tokens)


def test_a_context_without_room_is_recognised_in_the_words_of_every_server():
    for status, body in FULL:
        found = read(status, encoded(body), 256)
        assert found.full and not found.cut and found.reason.startswith(f"{FULL_CONTEXT}: "), body


def test_trouble_has_a_kind_and_keeps_the_words_of_the_server():
    for status, body, kind, words in TROUBLE:
        with pytest.raises(Trouble) as refused:
            read(status, encoded(body), 256)
        assert refused.value.kind is kind and words in refused.value.words and "\n" not in refused.value.words, (body, refused.value.words)


def test_the_parts_of_a_reply_are_its_text_without_the_thinking():
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "I look first."}]}
    assert reply({"content": [thinking, {"type": "text", "text": "ls"}]}) == Reply("ls")
    assert reply({"content": ["cat <<E", {"type": "output_text", "text": "E"}, {"type": "reference", "reference_ids": [1]}]}) == Reply(
        "cat <<E\nE"
    )
    assert read(200, b"\xef\xbb\xbf" + encoded({"choices": [{"message": {"content": "exit"}}]}), 1) == Reply("exit")


def test_a_reply_without_text_says_why():
    used_up = reply({"content": None, "reasoning_content": "I look"}, "length")
    assert used_up.full and used_up.cut and "max_tokens=256: 6 characters of reasoning used them up" in used_up.reason
    assert (
        reply({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "I look"}]}]}).reason
        == "6 characters of reasoning and no text"
    )
    assert reply({"content": None, "refusal": "I cannot help with that."}).reason == "the model refused: I cannot help with that."
    assert reply({"content": None, "tool_calls": [{"id": "c"}]}, "tool_calls").reason.startswith("a tool call and no text")
    assert reply({"content": "", "reasoning": ""}) == Reply("") == reply({}, None)  # an agent that types nothing
    assert reply({"content": "ls", "tool_calls": [{}]}, "length") == Reply("ls", cut=True)
    assert read(
        400, encoded({"error": {"message": "Could not finish the message because max_tokens or model output limit was reached."}}), 9
    ).cut


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from([text for body in TROUBLE for text in body[3:]]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "message", "code", "choices", "content", "finish_reason", "type", "text", "detail", "metadata"])
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
MESSAGES = st.fixed_dictionaries({}, optional=dict.fromkeys(("content", "reasoning_content", "reasoning", "refusal", "tool_calls"), JSON))
CHOICES = st.lists(
    st.fixed_dictionaries({}, optional={"message": MESSAGES | JSON, "finish_reason": JSON, "error": JSON}) | JSON, max_size=2
)
COMPLETIONS = st.fixed_dictionaries(
    {}, optional={"choices": CHOICES | JSON, "error": JSON, "errors": JSON, "object": st.just("error"), "message": JSON}
)


def check(status: int, body: bytes) -> None:
    """The answer is a Reply, or a Trouble of one printable line."""
    try:
        found = read(status, body, 5)
    except Trouble as trouble:
        words = trouble.words
    else:
        found.text.encode()
        words = found.reason
        assert not (found.text and found.reason)
    assert len(words) <= MAX_WORDS + 80 and all(letter.isprintable() for letter in words), words


@given(st.sampled_from([200, 200, 400, 429, 500]), COMPLETIONS | JSON)
def test_any_json_is_a_reply_or_trouble_of_one_line(status: int, document: object):
    check(status, json.dumps(document).encode())


@given(st.sampled_from([200, 400]), st.binary(max_size=80))
@example(200, b"[" * 100_000)
def test_any_bytes_are_a_reply_or_trouble_of_one_line(status: int, body: bytes):
    check(status, body)


@pytest.mark.exhaustive
@settings(max_examples=20_000)
@given(st.sampled_from([200, 200, 302, 400, 429, 500]), COMPLETIONS | JSON, st.binary(max_size=3), st.integers(0, 400))
def test_many_answers_whole_cut_and_spoilt_are_replies_or_trouble(status: int, document: object, noise: bytes, at: int):
    body = json.dumps(document).encode()
    check(status, body)
    check(status, body[:at] + noise + body[at:])
    check(status, body[:at])
