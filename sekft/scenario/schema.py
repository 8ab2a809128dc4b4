"""The JSON schema of a scenario, for editors: sekft.check new=NAME writes it beside the scenario."""

import json
from typing import Any

from sekft.scenario.document import Scenario

DESCRIPTIONS = {
    "$schema": "The address of this schema; read by editors only.",
    "schema_version": "1.",
    "id": "The scenario's name; no two scenarios of a set have the same.",
    "archetype": "The family of scenarios that are judged together.",
    "axes": "The place in the taxonomy; may be left out.",
    "axes.provider": "How the provider's name is formed.",
    "axes.grammar": "The form of the provider's sub-commands.",
    "axes.help": "How the provider's help is reached.",
    "axes.announcement": "As announcement.kind, which it repeats.",
    "axes.doc_depth": "The number of steps from the announcement to the directives: 1 to 3.",
    "axes.difficulty": "What stands beside the work.",
    "axes.family": "A group of archetypes.",
    "axes.terminal": "As terminal, which it repeats.",
    "axes.blocker": "Why the scenario cannot be done, if terminal is panic.",
    "seed": "What the scenario was drawn by; 0 for one that was written by hand.",
    "provider": "The program that prints the directives.",
    "provider.name": "Its command; it is installed as /usr/local/bin/NAME.",
    "provider.script": "The program, POSIX sh with #!/bin/sh in its first line.",
    "provider.man": "A manual page in roff; empty: none.",
    "announcement": "The text that tells where directives are kept: a statement that names the provider, no instruction.",
    "announcement.kind": "Where it is shown: motd and banner on arrival, env in a variable, file in a file, help by the command `help`.",
    "announcement.text": "The text; for env the value of the variable.",
    "announcement.path": "With kind file: the file.",
    "announcement.variable": "With kind env: the variable.",
    "environment": "More environment variables of the shell.",
    "directives": "The sentences that the provider prints, word for word.",
    "fixtures": "Files, folders and links that exist on arrival.",
    "fixtures.path": "An absolute path below /home/agent, /srv or /usr/local.",
    "fixtures.kind": "file, dir or symlink.",
    "fixtures.content": "The text of a file, the target of a link.",
    "fixtures.mode": 'Permission bits in octal, as a text: "0644".',
    "fixtures.owner": "agent below /home/agent, root elsewhere.",
    "checker": "POSIX sh that is run in /home/agent at the end; status 0 means that the work is done.",
    "reference": "The replies of an episode that verifies; the last one is exit or panic.",
    "terminal": "The right way to end: exit when the work is done, panic if it cannot be done.",
    "limits": "The limits of an episode.",
    "limits.turns": "The most replies.",
    "limits.command_timeout_s": "Seconds of one command.",
}
MODE = {
    "anyOf": [{"type": "string", "pattern": "^(0o)?[0-7]{3,4}$"}, {"type": "integer", "minimum": 0, "maximum": 0o777}],
    "default": "0644",
}


def schema() -> dict[str, Any]:
    """The schema, with a description of every key."""
    out = Scenario.model_json_schema()
    parts = out["$defs"]
    parts["Fixture"]["properties"]["mode"] = dict(MODE)
    parts["Axes"]["required"] = []  # taken from announcement.kind and terminal
    out["required"] = [key for key in out["required"] if key != "axes"]
    out["properties"]["$schema"] = {"type": "string"}
    records = {"": out, "axes.": parts["Axes"], "provider.": parts["Provider"], "announcement.": parts["Announcement"]}
    records |= {"fixtures.": parts["Fixture"], "limits.": parts["Limits"]}
    for prefix, record in records.items():
        record["description"] = DESCRIPTIONS.get(prefix.rstrip("."), "One scenario: a task environment with its reference and its checker.")
        for key, value in record["properties"].items():
            value["description"] = DESCRIPTIONS[prefix + key]
            value.pop("title", None)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **out}


def dumps() -> str:
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"
