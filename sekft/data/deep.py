"""JSON however deep it is nested."""

from typing import Any

from pydantic_core import from_json


def parse(text: bytes) -> Any:
    """Raises ValueError for what is no JSON."""
    try:
        return from_json(text)
    except ValueError as error:
        if "recursion limit" not in str(error):
            raise
    import ijson

    try:
        return _built(ijson.basic_parse(text, use_float=True))
    except ijson.JSONError as error:
        raise ValueError(str(error).splitlines()[0]) from None


def _built(events: Any) -> Any:
    """The value of a stream of (event, value), with a list for a stack."""
    root: list[Any] = []
    stack: list[Any] = [root]
    keys: list[str] = [""]
    for event, value in events:
        match event:
            case "map_key":
                keys[-1] = value
            case "end_map" | "end_array":
                stack.pop()
                keys.pop()
            case _:
                made = {"start_map": {}, "start_array": []}.get(event, value)
                if isinstance(stack[-1], dict):
                    stack[-1][keys[-1]] = made
                else:
                    stack[-1].append(made)
                if event.startswith("start_"):
                    stack.append(made)
                    keys.append("")
    return root[0]
