"""What an adapter was trained on, in a form that can be compared with what is about to be served."""

from typing import Any

from sekft.rendering.messages import CANONICAL_VERSION
from sekft.rendering.render import RENDER_VERSION
from sekft.rendering.tokenizer import ChatTokenizer


def fingerprint(tokenizer: ChatTokenizer, base_identity: str, text_version: int) -> dict[str, Any]:
    """base: digest of shape and weights; tokenizer: of tokenizer and template; versions of canonical form, render, deployed text."""
    versions = {"canonical": CANONICAL_VERSION, "render": RENDER_VERSION, "text": text_version}
    return {"base": base_identity, "tokenizer": tokenizer.digest, **versions}
