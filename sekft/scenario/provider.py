"""The tool that serves a world's directives: its manner is sampled, its script is POSIX sh, its manual page roff."""

import random
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

from sekft.scenario import taxonomy


@dataclass(frozen=True)
class Manner:
    """How one provider talks. naming, grammar, help: as in the taxonomy; topic: what its help knows about, or empty;
    decoys: sub-commands beside the point; remarks: around the list; lost: a file the list breaks off at, or empty."""

    name: str
    naming: str
    grammar: str
    help: str
    layout: str
    subcommand: str
    lists: str
    listing: str
    topic: str
    told: str
    page: str
    decoys: tuple[tuple[str, str, str], ...]
    minor: int
    remarks: tuple[str, ...] = field(default=())
    lost: str = ""


def sample(rng: random.Random, words: Sequence[str], topic: bool, remarks: Sequence[str] = (), lost: str = "") -> Manner:
    """words: the invented ones a name is made of."""
    naming, grammar, word = rng.choice(tuple(taxonomy.NAMINGS)), rng.choice(tuple(taxonomy.GRAMMARS)), rng.choice(words)
    verb, noun, digit = rng.choice(taxonomy.VERBS), rng.choice(taxonomy.OBJECTS), rng.choice("23456789")
    return Manner(
        name=taxonomy.NAMINGS[naming].format(word=word, Word=word.capitalize(), digit=digit),
        naming=naming,
        grammar=grammar,
        help=rng.choice(tuple(taxonomy.HELPS)),
        layout=rng.choice(tuple(taxonomy.LAYOUTS)),
        subcommand=taxonomy.GRAMMARS[grammar].format(verb=verb, VERB=verb.upper(), letter=verb[0], noun=noun, digit=digit),
        lists=rng.choice(taxonomy.LISTS),
        listing=rng.choice(tuple(taxonomy.LISTINGS.values())),
        topic=rng.choice(taxonomy.TOPICS) if topic else "",
        told=rng.choice(taxonomy.TOLD),
        page=rng.choice(taxonomy.TOPIC_PAGES),
        decoys=tuple(rng.sample(taxonomy.DECOYS, rng.choice((1, 2)))),
        minor=rng.randrange(10),
        remarks=tuple(remarks),
        lost=lost,
    )


def discovery(manner: Manner) -> tuple[str, ...]:
    """What somebody types who knows only the provider's name, up to the directives."""
    further = {"word": (f"{manner.name} help",), "manual": (f"man {manner.name}",)}.get(manner.help, ())
    topic = (f"{manner.name} help {manner.topic}",) if manner.topic else ()
    return (f"{manner.name} --help", *further, *topic, f"{manner.name} {manner.subcommand}")


def script(manner: Manner, directives: Sequence[str]) -> str:
    """The program. Anything unknown goes to stderr with a usage, and exits 2."""
    cases = [_case(shlex.quote(manner.subcommand), [*_said(listing(manner, directives)), *_broken(manner)])]
    cases += [_case(command, _said(_fill(manner, said))) for command, _, said in manner.decoys]
    if manner.topic:
        cases.append(_case(f"'help {manner.topic}'", _said(_fill(manner, manner.page))))
    match manner.help:
        case "flag":
            cases.append(_case("--help | -h | help", _said(_help(manner))))
        case "word":
            cases.append(_case("help", _said(_help(manner))))
            cases.append(_case("--help | -h", _said(_fill(manner, taxonomy.HELPS["word"]), error=True)))
        case "manual":
            cases.append(_case("--help | -h | help", _said(_fill(manner, taxonomy.HELPS["manual"]))))
    cases.append(_case("*", _said(_usage(manner), error=True)))
    return "\n".join(["#!/bin/sh", 'case "$*" in', *cases, "esac", ""])


def manual(manner: Manner) -> str:
    """The page behind `man NAME`, or nothing. The date and the section are fixed: a page shows no clock."""
    if manner.help != "manual":
        return ""
    rows = [line for command, what in _rows(manner) for line in (".TP", f".B {_roff(f'{manner.name} {command}')}", _roff(what))]
    head = [f".TH {manner.name.upper()} 1 2023-11-14 sekft", ".SH NAME", f"{_roff(manner.name)} \\- keeper of directives"]
    return "\n".join([*head, ".SH COMMANDS", *rows, ""])


def listing(manner: Manner, directives: Sequence[str]) -> str:
    lines = [manner.listing.format(number=number, text=text) for number, text in enumerate(directives, 1)]
    return "\n".join([*manner.remarks[:1], *lines, *manner.remarks[1:]])


def _case(pattern: str, body: Sequence[str]) -> str:
    return "\n".join([f"  {pattern})", *body, "    ;;"])


def _said(text: str, error: bool = False) -> list[str]:
    if not text:
        return []
    return [f"    cat {'>&2 ' if error else ''}<<'END'", text, "END", *(["    exit 2"] if error else [])]


def _broken(manner: Manner) -> list[str]:
    return [f"    cat {manner.lost} || exit 1"] if manner.lost else []


def _usage(manner: Manner) -> str:
    if manner.help == "usage":
        return f"{manner.name}: no such command\n{_help(manner)}"
    ways = {"flag": f"{manner.name} --help", "word": f"{manner.name} help", "manual": f"man {manner.name}"}
    return f"usage: {manner.name} COMMAND ({ways[manner.help]} prints the commands)"


def _help(manner: Manner) -> str:
    layout = taxonomy.LAYOUTS[manner.layout]
    body = [layout.row.format(name=manner.name, command=command, what=what) for command, what in _rows(manner)]
    return "\n".join([_fill(manner, layout.head), *body, *([_fill(manner, layout.foot)] if layout.foot else [])])


def _rows(manner: Manner) -> list[tuple[str, str]]:
    """(sub-command, what it does), in name order."""
    entrance = (f"help {manner.topic}", manner.told) if manner.topic else (manner.subcommand, manner.lists)
    return [(command, _fill(manner, what)) for command, what in sorted((entrance, *((name, what) for name, what, _ in manner.decoys)))]


def _roff(text: str) -> str:
    return text.replace("-", "\\-")


def _fill(manner: Manner, text: str) -> str:
    return text.format(
        name=manner.name,
        minor=manner.minor,
        subcommand=manner.subcommand,
        lists=manner.lists,
        topic=manner.topic,
        Topic=manner.topic.capitalize(),
    )
