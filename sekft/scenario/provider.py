"""The tool that serves a scenario's directives: its manner is sampled, its script is POSIX sh, its manual page roff."""

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


@dataclass(frozen=True)
class Answer:
    """What one way of calling prints. words: the arguments, by any of these names; none: whatever else is asked.
    error: to stderr, with status 2; lost: then it breaks off at this file, which is not there."""

    words: tuple[str, ...]
    text: str
    error: bool = False
    lost: str = ""


def answers(manner: Manner, directives: Sequence[str]) -> tuple[Answer, ...]:
    """All that can be asked of the provider; anything unknown goes to stderr with a usage, and exits 2."""
    found = [Answer((manner.subcommand,), listing(manner, directives), lost=manner.lost)]
    found += [Answer((command,), _fill(manner, said)) for command, _, said in manner.decoys]
    if manner.topic:
        found.append(Answer((f"help {manner.topic}",), _fill(manner, manner.page)))
    match manner.help:
        case "flag":
            found.append(Answer(("--help", "-h", "help"), _help(manner)))
        case "word":
            found.append(Answer(("help",), _help(manner)))
            found.append(Answer(("--help", "-h"), _fill(manner, taxonomy.HELPS["word"]), error=True))
        case "manual":
            found.append(Answer(("--help", "-h", "help"), _fill(manner, taxonomy.HELPS["manual"])))
    return (*found, Answer((), _usage(manner), error=True))


def script(manner: Manner, directives: Sequence[str]) -> str:
    """The program: its answers as POSIX sh."""
    return "\n".join(["#!/bin/sh", 'case "$*" in', *map(_case, answers(manner, directives)), "esac", ""])


def manual(manner: Manner) -> str:
    """The page behind `man NAME`, or nothing. The date and the section are fixed: a page shows no clock."""
    if manner.help != "manual":
        return ""
    lines = [line for command, what in rows(manner) for line in (".TP", f".B {_roff(f'{manner.name} {command}')}", _roff(what))]
    head = [f".TH {manner.name.upper()} 1 2023-11-14 sekft", ".SH NAME", f"{_roff(manner.name)} \\- keeper of directives"]
    return "\n".join([*head, ".SH COMMANDS", *lines, ""])


def listing(manner: Manner, directives: Sequence[str]) -> str:
    lines = [manner.listing.format(number=number, text=text) for number, text in enumerate(directives, 1)]
    return "\n".join([*manner.remarks[:1], *lines, *manner.remarks[1:]])


def _case(answer: Answer) -> str:
    pattern = " | ".join(map(shlex.quote, answer.words)) or "*"
    said = [f"    cat {'>&2 ' if answer.error else ''}<<'END'", answer.text, "END"] if answer.text else []
    ends = ["    exit 2"] if answer.error else [f"    cat {answer.lost} || exit 1"] if answer.lost else []
    return "\n".join([f"  {pattern})", *said, *ends, "    ;;"])


def _usage(manner: Manner) -> str:
    if manner.help == "usage":
        return f"{manner.name}: no such command\n{_help(manner)}"
    ways = {"flag": f"{manner.name} --help", "word": f"{manner.name} help", "manual": f"man {manner.name}"}
    return f"usage: {manner.name} COMMAND ({ways[manner.help]} prints the commands)"


def _help(manner: Manner) -> str:
    layout = taxonomy.LAYOUTS[manner.layout]
    body = [layout.row.format(name=manner.name, command=command, what=what) for command, what in rows(manner)]
    return "\n".join([_fill(manner, layout.head), *body, *([_fill(manner, layout.foot)] if layout.foot else [])])


def rows(manner: Manner) -> list[tuple[str, str]]:
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
