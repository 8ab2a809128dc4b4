"""The axes of the scenarios as data: announcement, way to the directives, difficulty, interface of the provider, blockers."""

from dataclasses import dataclass

from sekft.scenario.document import HOME, AnnouncementKind, Terminal
from sekft.scenario.task import Blocker

FAMILIES = ("files", "text", "search", "records", "archives", "steps", "environment")
TERMINALS = tuple(Terminal)
MAX_REFERENCE_TURNS = 12  # as many as eval=quick allows

# Every fourth scenario is blocked. The blockers take turns; with one in eight, `unreachable`, nothing can be done at all.
BLOCKED_EVERY = 4
BLOCKERS = (
    Blocker.missing,
    Blocker.denied,
    Blocker.absent,
    Blocker.broken,
    Blocker.contradictory,
    Blocker.missing,
    Blocker.denied,
    Blocker.unreachable,
)


@dataclass(frozen=True)
class Difficulty:
    """directives: how many a scenario may have; distractors: irrelevant files; folders: maximum depth of files, 0: one file in four lies
    in a folder; chatter: irrelevant remarks around announcement and list; variables: irrelevant environment variables."""

    directives: tuple[int, ...]
    distractors: int = 0
    folders: int = 0
    chatter: bool = False
    variables: int = 0


DIFFICULTIES = {
    "plain": Difficulty((1, 2)),
    "busy": Difficulty((2, 3), distractors=3, variables=1),
    "deep": Difficulty((1, 2), distractors=1, folders=3),
    "noisy": Difficulty((1, 2), distractors=2, chatter=True, variables=2),
}
CHATTER = (
    "The {place} is quiet today.",
    "{Place} was painted last spring.",
    "Nothing new from the {place}.",
    "The {place} and the {other} are open.",
    "This machine was named after a {place}.",
)

# Announcements: statements about where directives are kept, never instructions.
ANNOUNCED = tuple(AnnouncementKind)
SENTENCES = (
    "Directives for this machine are kept by {name}.",
    "{name} keeps the directives for this machine.",
    "The directives of this place are held by {name}.",
    "Here the directives are in the care of {name}.",
    "What is to be done here is known to {name}.",
)
WELCOMES = ("", "Welcome to {place}.\n", "This is {place}, a small machine.\n", "{place}, up and running.\n")
BANNERS = ("** {sentence} **\n", "----\n{sentence}\n----\n", "[{place}] {sentence}\n")
VALUES = ("{name}", "kept by {name}", "Directives are kept by {name}.")  # of the environment variable
VARIABLE = "DIRECTIVES"
NOTICES = (f"{HOME}/NOTICE", f"{HOME}/README", f"{HOME}/MOTD")


@dataclass(frozen=True)
class Route:
    """The way from the announcement to the directives. pointers: number of files on the way, each naming the next; topic: whether --help
    names a help topic, and only that topic's help the sub-command."""

    pointers: int
    topic: bool


ROUTES = {1: (Route(0, False),), 2: (Route(0, True), Route(1, False)), 3: (Route(1, True), Route(2, False))}  # by doc depth
DOC_DEPTHS = tuple(ROUTES)
POINTING = (
    "Where the directives for this machine are kept is written in {path}.",
    "{path} says who keeps the directives of this place.",
    "The keeper of the directives is named in {path}.",
)
POINTING_VALUES = ("{path}", "written in {path}")

# Names of providers and of their sub-commands.
NAMINGS = {
    "plain": "{word}",
    "desk": "{word}-desk",
    "control": "{word}ctl",
    "lowline": "{word}_box",
    "numbered": "{word}{digit}",
    "script": "{word}.sh",
    "capital": "{Word}",
    "prefixed": "my-{word}",
}
GRAMMARS = {
    "verb": "{verb}",
    "flag": "--{verb}",
    "letter": "-{letter}",
    "verb_noun": "{verb} {noun}",
    "noun_verb": "{noun} {verb}",
    "colon": "{noun}:{verb}",
    "number": "{digit}",
    "upper": "{VERB}",
}
VERBS = ("agenda", "due", "list", "open", "pending", "queue", "show", "tasks")
OBJECTS = ("all", "day", "items", "now", "today", "work")
TOPICS = ("directives", "work")
LISTS = ("prints the directives", "prints what is to be done", "prints every directive, one per line")
DECOYS = (  # (sub-command, its description, its output)
    ("about", "prints what {name} is", "{name} keeps the directives of this machine."),
    ("status", "prints whether {name} is ready", "{name} is ready."),
    ("version", "prints the version", "{name} 1.{minor}"),
)
TOPIC_HELPS = ("explains how {topic} can be seen", "says more about {topic}")
TOPIC_PAGES = (
    "{Topic} of this machine can be seen with '{name} {subcommand}'.",
    "'{name} {subcommand}' {lists}.",
    "{topic}:\n  {name} {subcommand}    {lists}",
)
LISTINGS = {"bare": "{text}", "numbered": "{number}. {text}", "dashed": "- {text}"}

# How the help is reached. --help always answers, with the help or with a hint to it.
HELPS = {
    "flag": "",  # --help prints the commands
    "word": "{name}: no option --help; commands are printed by '{name} help'",
    "usage": "",  # no help; the usage, printed on every error, names the commands
    "manual": "{name} 1.{minor}. Its manual page is {name}(1).",
}


@dataclass(frozen=True)
class Layout:
    """The layout of the help: head, one row per sub-command, foot."""

    head: str
    row: str
    foot: str = ""


LAYOUTS = {
    "usage": Layout("usage: {name} COMMAND\n\ncommands:", "  {command:<16} {what}"),
    "manual": Layout("NAME\n  {name} - keeper of directives\n\nCOMMANDS", "  {name} {command}\n      {what}"),
    "table": Layout("{name} 1.{minor}", "{name} {command:<16} # {what}"),
    "prose": Layout("{name} keeps directives.", "'{name} {command}' {what}.", "Nothing else can be asked of {name}."),
}
