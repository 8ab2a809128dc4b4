"""What settings say of the teacher, as its client wants it."""

import dataclasses

from sekft.config import AuthorConfig, OperatorConfig
from sekft.config.endpoint import EndpointConfig


def author_endpoint(operator: OperatorConfig, author: AuthorConfig) -> EndpointConfig:
    """Where the operator is asked, with what is the author's own."""
    fields = {field.name: getattr(operator, field.name) for field in dataclasses.fields(EndpointConfig)}
    return EndpointConfig(**fields | {"temperature": author.temperature, "max_tokens": author.max_tokens, "timeout_s": author.timeout_s})
