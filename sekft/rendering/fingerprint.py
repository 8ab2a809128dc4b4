"""What an adapter was trained on, in a form that can be compared with what is about to be served."""

from typing import Any

from sekft.rendering.messages import CANONICAL_VERSION
from sekft.rendering.render import RENDER_VERSION
from sekft.rendering.tokenizer import ChatTokenizer


def fingerprint(tokenizer: ChatTokenizer, text_version: int) -> dict[str, Any]:
    """tokenizer: digest of tokenizer and template; the versions of canonical form, render contract and deployed text."""
    return {"tokenizer": tokenizer.digest, "canonical": CANONICAL_VERSION, "render": RENDER_VERSION, "text": text_version}
