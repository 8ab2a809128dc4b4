"""What each turn of an episode did: looked around, asked the provider, read directives, worked, left, or nothing."""

import re
from collections.abc import Sequence
from enum import StrEnum
from itertools import groupby

from sekft.episode.outcome import kinds_of_replies
from sekft.episode.replies import LEAVING, Kind
from sekft.episode.syntax import parse
from sekft.episode.trajectory import Ending, Trajectory
from sekft.eval.labels import squeeze


class Turn(StrEnum):
    """What a turn did, the first that applies, as the commands and the screen prove it.

    exited, panicked: the session ended so. read: the screen shows a directive for the first time. asked: the provider is named.
    nothing: no command ran. looked: only programs that change nothing ran. worked: any other command ran.
    """

    exited = "exited"
    panicked = "panicked"
    read = "read the directives"
    asked = "asked the provider"
    nothing = "ran nothing"
    looked = "looked around"
    worked = "worked"


# Programs that write nothing but their output. find and sed can do more; with these options they count as work.
_LOOKING = """
    ls cat head tail less more pwd cd echo printf file stat wc du df find grep egrep fgrep cut tr sort uniq nl od strings env printenv set
    type which command man help whoami id hostname uname date ps history test [ true : sed awk diff cmp tree readlink dirname basename
    cksum md5sum sha256sum seq apropos whatis export alias sleep clear tty groups
"""
LOOKING = frozenset(_LOOKING.split())
_CHANGES = re.compile(r"(?:^|[^0-9<>&])>{1,2}\s*(?!/dev/null|&|\s)|\s-(?:delete|exec|execdir|ok)\b|\bsed\b.*\s-\w*i|\bsort\b.*\s-o\b")


def turns(episode: Trajectory, provider: str, directives: Sequence[str] = ()) -> tuple[Turn, ...]:
    """One Turn for each reply. provider: the name of its program; directives: those that can be seen in this scenario."""
    unseen = {squeeze(text) for text in directives} - {""}
    named = re.compile(rf"(?<![\w-]){re.escape(provider)}(?![\w-])")
    replies = [at for at, message in enumerate(episode.messages) if message.role == "assistant"]
    found = []
    for at, kind in zip(replies, kinds_of_replies(episode), strict=True):
        text = episode.messages[at].content
        shown = squeeze(episode.messages[at + 1].content) if at + 1 < len(episode.messages) else ""
        new = {directive for directive in unseen if directive in shown}
        unseen -= new
        found.append(_turn(text, kind, named.search(text) is not None, bool(new)))
    if found and episode.ending in (Ending.exit, Ending.panic):
        found[-1] = Turn.exited if episode.ending is Ending.exit else Turn.panicked
    return tuple(found)


def _turn(text: str, kind: Kind, names_provider: bool, shows_directive: bool) -> Turn:
    if shows_directive:
        return Turn.read
    if kind not in (Kind.command, Kind.mixed):
        return Turn.nothing
    if names_provider:
        return Turn.asked
    programs = {command.words[0] for command in parse(text).commands if command.words} - LEAVING
    return Turn.looked if programs <= LOOKING and not _CHANGES.search(text) else Turn.worked


def describe(found: Sequence[Turn]) -> str:
    """The turns in words, equal ones counted: "looked around, asked the provider 3 times, panicked"."""
    parts = [(turn, len(list(group))) for turn, group in groupby(found)]
    return ", ".join(turn.value if amount == 1 else f"{turn.value} {amount} times" for turn, amount in parts) or "no turn"
