"""What settings say of the teacher, as its client wants it."""

import dataclasses

from sekft.config import AgentConfig, AuthorConfig
from sekft.config.endpoint import EndpointConfig


def author_endpoint(agent: AgentConfig, author: AuthorConfig) -> EndpointConfig:
    """Where the agent is asked, with what is the author's own."""
    fields = {field.name: getattr(agent, field.name) for field in dataclasses.fields(EndpointConfig)}
    return EndpointConfig(**fields | {"temperature": author.temperature, "max_tokens": author.max_tokens, "timeout_s": author.timeout_s})
