"""The tool that serves a world's directives: its manner is sampled, its script is POSIX sh."""

import random
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from sekft.scenario import taxonomy


@dataclass(frozen=True)
class Manner:
    """How one provider talks. topic: what `help` knows about, empty at doc depth 1; decoys: as in the taxonomy."""

    name: str
    style: str
    subcommand: str
    lists: str
    listing: str
    topic: str
    told: str
    page: str
    decoys: tuple[tuple[str, str, str], ...]
    minor: int


def sample(rng: random.Random, name: str, doc_depth: int) -> Manner:
    return Manner(
        name=name,
        style=rng.choice(tuple(taxonomy.HELP_STYLES)),
        subcommand=rng.choice(taxonomy.SUBCOMMANDS),
        lists=rng.choice(taxonomy.LISTS),
        listing=rng.choice(tuple(taxonomy.LISTINGS.values())),
        topic=rng.choice(taxonomy.TOPICS) if doc_depth > 1 else "",
        told=rng.choice(taxonomy.TOLD),
        page=rng.choice(taxonomy.TOPIC_PAGES),
        decoys=tuple(rng.sample(taxonomy.DECOYS, rng.choice((1, 2)))),
        minor=rng.randrange(10),
    )


def discovery(manner: Manner) -> tuple[str, ...]:
    """What somebody types who knows only the provider's name, up to the directives."""
    topic = (f"{manner.name} help {manner.topic}",) if manner.topic else ()
    return (f"{manner.name} --help", *topic, f"{manner.name} {manner.subcommand}")


def script(manner: Manner, directives: Sequence[str]) -> str:
    """The program. An unknown sub-command prints the usage to stderr and exits 2."""
    listing = "\n".join(manner.listing.format(number=number, text=text) for number, text in enumerate(directives, 1))
    cases = [_case(manner.subcommand, listing)]
    cases += [_case(command, _fill(manner, said)) for command, _, said in manner.decoys]
    if manner.topic:
        cases.append(_case(f"'help {manner.topic}'", _fill(manner, manner.page)))
    cases.append(_case("--help | -h | help", _help(manner)))
    usage = shlex.quote(f"usage: {manner.name} COMMAND ({manner.name} --help prints the commands)")
    return "\n".join(["#!/bin/sh", 'case "$*" in', *cases, "  *)", f"    echo {usage} >&2", "    exit 2", "    ;;", "esac", ""])


def _case(pattern: str, text: str) -> str:
    return f"  {pattern})\n    cat <<'END'\n{text}\nEND\n    ;;"


def _help(manner: Manner) -> str:
    style = taxonomy.HELP_STYLES[manner.style]
    entrance = (f"help {manner.topic}", manner.told) if manner.topic else (manner.subcommand, manner.lists)
    rows = sorted((entrance, *((command, what) for command, what, _ in manner.decoys)))
    body = [style.row.format(name=manner.name, command=command, what=_fill(manner, what)) for command, what in rows]
    return "\n".join([_fill(manner, style.head), *body, *([_fill(manner, style.foot)] if style.foot else [])])


def _fill(manner: Manner, text: str) -> str:
    return text.format(
        name=manner.name,
        minor=manner.minor,
        subcommand=manner.subcommand,
        lists=manner.lists,
        topic=manner.topic,
        Topic=manner.topic.capitalize(),
    )
