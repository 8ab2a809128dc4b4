"""The JSON schema: every key has a description, and it asks for what the reader asks for."""

from typing import Any

from sekft.scenario.document import Scenario
from sekft.scenario.schema import DESCRIPTIONS, schema


def test_every_key_is_described_and_only_what_the_reader_needs_is_required() -> None:
    described = schema()  # a key without a description is a KeyError
    assert {name.partition(".")[0] for name in DESCRIPTIONS} == {"$schema", *Scenario.model_fields}
    assert set(described["required"]) == {"id", "provider", "announcement", "directives", "checker", "reference"}
    assert described["$defs"]["Fixture"]["properties"]["mode"]["anyOf"][0]["pattern"] == "^(0o)?[0-7]{3,4}$"
    parts: list[dict[str, Any]] = [described, *described["$defs"].values()]
    assert all("description" in value for part in parts for value in part.get("properties", {}).values())
