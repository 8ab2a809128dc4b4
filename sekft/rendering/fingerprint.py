"""The fingerprint that is saved with an adapter and compared before it is evaluated or served."""

from typing import Any

from sekft.rendering.messages import CANONICAL_VERSION
from sekft.rendering.render import RENDER_VERSION
from sekft.rendering.tokenizer import ChatTokenizer


def fingerprint(tokenizer: ChatTokenizer, base_identity: str, text_version: int) -> dict[str, Any]:
    """The JSON document: digests of base and tokenizer, versions of canonical form, rendering and deployed text.

    base_identity: digest of the base's shape and weights. text_version: of the deployed text (sandbox.text).
    """
    versions = {"canonical": CANONICAL_VERSION, "render": RENDER_VERSION, "text": text_version}
    return {"base": base_identity, "tokenizer": tokenizer.digest, **versions}
