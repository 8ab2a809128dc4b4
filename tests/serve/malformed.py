"""A hundred malformed requests, each with the status it must get."""

import json
from typing import Any, NamedTuple

JSON = {"content-type": "application/json"}
GOOD: dict[str, Any] = {"model": "tiny", "messages": [{"role": "user", "content": "$ "}], "max_tokens": 2}
USER = {"role": "user", "content": "$ "}


class Bad(NamedTuple):
    body: bytes | str
    status: int = 400
    method: str = "POST"
    path: str = "/v1/chat/completions"
    headers: dict[str, str] = JSON


FIELDS: list[dict[str, Any]] = [
    {"model": 3}, {"model": None}, {"model": ["tiny"]}, {"messages": None}, {"messages": []}, {"messages": "hello"}, {"messages": {}},
    {"messages": [3]}, {"messages": ["ls"]}, {"messages": [{}]}, {"messages": [{"role": "user"}]}, {"messages": [{"content": "x"}]},
    {"messages": [{"role": "root", "content": "x"}]}, {"messages": [{"role": "tool", "content": "x", "tool_call_id": "1"}]},
    {"messages": [{"role": "user", "content": 3}]}, {"messages": [{"role": "user", "content": None}]},
    {"messages": [{"role": "user", "content": {"text": "x"}}]}, {"messages": [{"role": "user", "content": ["x"]}]},
    {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
    {"messages": [{"role": "user", "content": [{"type": "text"}]}]}, {"messages": [{"role": "user", "content": [{"text": "x"}]}]},
    {"messages": [USER, {"role": "system", "content": "late"}]}, {"messages": [{"role": "assistant", "content": "x"}]},
    {"messages": [USER, {"role": "assistant", "content": "x"}]}, {"messages": [{"role": "assistant", "content": "x"}, USER]},
    {"messages": [{**USER, "colour": "red"}]}, {"messages": [{**USER, "tool_calls": [{"id": "1"}]}]}, {"messages": [USER] * 65},
    {"messages": [{"role": "user", "content": "ls " * 2500}]}, {"max_tokens": 0}, {"max_tokens": -1}, {"max_tokens": "3"},
    {"max_tokens": 2.5}, {"max_tokens": True}, {"max_tokens": []}, {"max_completion_tokens": 0}, {"max_completion_tokens": "many"},
    {"temperature": -0.1}, {"temperature": 2.1}, {"temperature": "hot"}, {"temperature": True}, {"temperature": {}}, {"top_p": 0},
    {"top_p": 1.1}, {"top_p": "x"}, {"seed": 1.5}, {"seed": "x"}, {"seed": 2**63}, {"seed": -(2**63) - 1}, {"seed": 10**400},
    {"stop": 3}, {"stop": ""}, {"stop": [""]}, {"stop": [1]}, {"stop": ["x"] * 17}, {"stop": "x" * 257}, {"stop": {"a": 1}},
    {"stream": "yes"}, {"stream": 1}, {"stream_options": 3}, {"stream_options": {"include_usage": "yes"}}, {"n": 2}, {"n": 0},
    {"n": True}, {"n": "1"}, {"tools": [{"type": "function"}]}, {"tool_choice": "required"}, {"response_format": {"type": "json_object"}},
    {"logprobs": True}, {"top_logprobs": 3}, {"logit_bias": {"5": 100}}, {"presence_penalty": 0.5}, {"frequency_penalty": -1},
    {"functions": [{"name": "x"}]}, {"modalities": ["audio"]}, {"top_k": 5}, {"temprature": 0.5}, {"chat_template": "{{ 1 }}"},
    {"reasoning_effort": "high"}, {"web_search_options": {}}, {"x\n\x1b[31m": 1},
]  # fmt: skip
BODIES: list[bytes] = [
    b"", b"{", b"nonsense", b"[]", b"null", b"3", b'"x"', b"\xff\xfe", b"[" * 50000,
    b'{"model": "tiny", "messages": [{"role": "user", "content": "\xff"}]}',
    b'{"model": "tiny", "messages": [{"role": "user", "content": "\\ud800"}]}', b'{"model": "tiny", "model": 3, "messages": []}',
    b'{"model": "tiny", "messages": [{"role": "user", "content": "x"}], "temperature": NaN}',
    b'{"model": "tiny", "messages": [{"role": "user", "content": "x"}], "top_p": Infinity}', b'{"a":' * 5000,
]  # fmt: skip


def malformed() -> list[Bad]:
    found = [Bad(json.dumps({**GOOD, **changes})) for changes in FIELDS] + [Bad(body) for body in BODIES]
    return [
        *found,
        Bad(json.dumps({**GOOD, "model": "gpt-4o"}), 404),
        Bad(json.dumps(GOOD), 404, path="/v1/nothing"),
        Bad(json.dumps(GOOD), 404, path="/v1/chat/completions/"),
        Bad("", 405, method="GET"),
        Bad("", 405, method="DELETE", path="/v1/models"),
        Bad(json.dumps(GOOD), 415, headers={"content-type": "text/plain"}),
        Bad(json.dumps(GOOD), 415, headers={}),
        Bad("x" * 100001, 413),
        Bad("x" * 1500000, 413),
        Bad(json.dumps({"prompt": "x"}), 400, path="/tokenize"),
        Bad(json.dumps({"messages": [USER], "add_generation_prompt": False}), 400, path="/tokenize"),
        Bad(json.dumps({"messages": [USER], "model": "nobody"}), 404, path="/tokenize"),
    ]
