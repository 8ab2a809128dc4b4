"""Providers, the tools that print a scenario's directives: sampled style, script in POSIX sh, manual page in roff."""

import random
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

from sekft.scenario import taxonomy


@dataclass(frozen=True)
class ProviderStyle:
    """The interface of one provider.

    naming, grammar, help: keys of the taxonomy; layout: of the help; subcommand: the one that prints the directives, described by `lists`;
    listing: template of one directive; topic: help topic on the way to the sub-command, or empty, described by `topic_help`;
    page: what the topic's help prints; decoys: other sub-commands, as in taxonomy.DECOYS; remarks: lines around the list;
    lost: a missing file at which the list breaks off, or empty.
    """

    name: str
    naming: str
    grammar: str
    help: str
    layout: str
    subcommand: str
    lists: str
    listing: str
    topic: str
    topic_help: str
    page: str
    decoys: tuple[tuple[str, str, str], ...]
    minor: int
    remarks: tuple[str, ...] = field(default=())
    lost: str = ""


def sample(rng: random.Random, words: Sequence[str], topic: bool, remarks: Sequence[str] = (), lost: str = "") -> ProviderStyle:
    """Draw a style. words: those that the name is made of."""
    naming, grammar, word = rng.choice(tuple(taxonomy.NAMINGS)), rng.choice(tuple(taxonomy.GRAMMARS)), rng.choice(words)
    verb, noun, digit = rng.choice(taxonomy.VERBS), rng.choice(taxonomy.OBJECTS), rng.choice("23456789")
    return ProviderStyle(
        name=taxonomy.NAMINGS[naming].format(word=word, Word=word.capitalize(), digit=digit),
        naming=naming,
        grammar=grammar,
        help=rng.choice(tuple(taxonomy.HELPS)),
        layout=rng.choice(tuple(taxonomy.LAYOUTS)),
        subcommand=taxonomy.GRAMMARS[grammar].format(verb=verb, VERB=verb.upper(), letter=verb[0], noun=noun, digit=digit),
        lists=rng.choice(taxonomy.LISTS),
        listing=rng.choice(tuple(taxonomy.LISTINGS.values())),
        topic=rng.choice(taxonomy.TOPICS) if topic else "",
        topic_help=rng.choice(taxonomy.TOPIC_HELPS),
        page=rng.choice(taxonomy.TOPIC_PAGES),
        decoys=tuple(rng.sample(taxonomy.DECOYS, rng.choice((1, 2)))),
        minor=rng.randrange(10),
        remarks=tuple(remarks),
        lost=lost,
    )


def discovery(style: ProviderStyle) -> tuple[str, ...]:
    """The commands from the provider's name to the directives, for somebody who knows the name alone."""
    further = {"word": (f"{style.name} help",), "manual": (f"man {style.name}",)}.get(style.help, ())
    topic = (f"{style.name} help {style.topic}",) if style.topic else ()
    return (f"{style.name} --help", *further, *topic, f"{style.name} {style.subcommand}")


@dataclass(frozen=True)
class Answer:
    """The output for some arguments. words: the arguments that give it, empty for all others; error: printed to stderr, with status 2;
    lost: a missing file at which the output breaks off, with status 1."""

    words: tuple[str, ...]
    text: str
    error: bool = False
    lost: str = ""


def answers(style: ProviderStyle, directives: Sequence[str]) -> tuple[Answer, ...]:
    """Every answer of the provider; the last one, for unknown arguments, is its usage."""
    replies = [Answer((style.subcommand,), listing(style, directives), lost=style.lost)]
    replies += [Answer((command,), _fill(style, output)) for command, _, output in style.decoys]
    if style.topic:
        replies.append(Answer((f"help {style.topic}",), _fill(style, style.page)))
    match style.help:
        case "flag":
            replies.append(Answer(("--help", "-h", "help"), _help(style)))
        case "word":
            replies.append(Answer(("help",), _help(style)))
            replies.append(Answer(("--help", "-h"), _fill(style, taxonomy.HELPS["word"]), error=True))
        case "manual":
            replies.append(Answer(("--help", "-h", "help"), _fill(style, taxonomy.HELPS["manual"])))
    return (*replies, Answer((), _usage(style), error=True))


def script(style: ProviderStyle, directives: Sequence[str]) -> str:
    """The provider's program, POSIX sh."""
    return "\n".join(["#!/bin/sh", 'case "$*" in', *map(_case, answers(style, directives)), "esac", ""])


def manual(style: ProviderStyle) -> str:
    """The manual page, or an empty text if the style has none. Its date is fixed: a page must not depend on the clock."""
    if style.help != "manual":
        return ""
    lines = [line for command, what in rows(style) for line in (".TP", f".B {_roff(f'{style.name} {command}')}", _roff(what))]
    head = [f".TH {style.name.upper()} 1 2023-11-14 sekft", ".SH NAME", f"{_roff(style.name)} \\- keeper of directives"]
    return "\n".join([*head, ".SH COMMANDS", *lines, ""])


def listing(style: ProviderStyle, directives: Sequence[str]) -> str:
    lines = [style.listing.format(number=number, text=text) for number, text in enumerate(directives, 1)]
    return "\n".join([*style.remarks[:1], *lines, *style.remarks[1:]])


def _case(answer: Answer) -> str:
    pattern = " | ".join(map(shlex.quote, answer.words)) or "*"
    prints = [f"    cat {'>&2 ' if answer.error else ''}<<'END'", answer.text, "END"] if answer.text else []
    ends = ["    exit 2"] if answer.error else [f"    cat {answer.lost} || exit 1"] if answer.lost else []
    return "\n".join([f"  {pattern})", *prints, *ends, "    ;;"])


def _usage(style: ProviderStyle) -> str:
    if style.help == "usage":
        return f"{style.name}: no such command\n{_help(style)}"
    ways = {"flag": f"{style.name} --help", "word": f"{style.name} help", "manual": f"man {style.name}"}
    return f"usage: {style.name} COMMAND ({ways[style.help]} prints the commands)"


def _help(style: ProviderStyle) -> str:
    layout = taxonomy.LAYOUTS[style.layout]
    body = [layout.row.format(name=style.name, command=command, what=what) for command, what in rows(style)]
    return "\n".join([_fill(style, layout.head), *body, *([_fill(style, layout.foot)] if layout.foot else [])])


def rows(style: ProviderStyle) -> list[tuple[str, str]]:
    """(sub-command, its description) as the help lists them, in name order."""
    entrance = (f"help {style.topic}", style.topic_help) if style.topic else (style.subcommand, style.lists)
    return [(command, _fill(style, what)) for command, what in sorted((entrance, *((name, what) for name, what, _ in style.decoys)))]


def _roff(text: str) -> str:
    return text.replace("-", "\\-")


def _fill(style: ProviderStyle, text: str) -> str:
    return text.format(
        name=style.name,
        minor=style.minor,
        subcommand=style.subcommand,
        lists=style.lists,
        topic=style.topic,
        Topic=style.topic.capitalize(),
    )
