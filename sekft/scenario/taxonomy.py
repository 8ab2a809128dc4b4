"""The axes worlds differ along, as data: how directives are announced, documented and listed, and how busy a world is."""

from dataclasses import dataclass

from sekft.scenario.bundle import HOME, Announcing, Terminal

TERMINALS = tuple(Terminal)
DOC_DEPTHS = (1, 2)  # 1: --help names the sub-command; 2: --help names a topic, `help TOPIC` names the sub-command


@dataclass(frozen=True)
class Difficulty:
    """directives: the counts a world may have; distractors: files nobody asks for."""

    directives: tuple[int, ...]
    distractors: int


DIFFICULTIES = {"plain": Difficulty((1, 2), 0), "busy": Difficulty((2, 3), 3)}

# Where the directives are kept: statements, never instructions. `help` is for bundles written by hand.
ANNOUNCED = (Announcing.motd, Announcing.banner, Announcing.env, Announcing.file)
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

# How a provider talks.
SUBCOMMANDS = ("agenda", "due", "list", "open", "pending", "queue", "show", "tasks")
TOPICS = ("directives", "work")
LISTS = ("prints the directives", "prints what is to be done", "prints every directive, one per line")
DECOYS = (  # (sub-command, what the help says of it, what it prints)
    ("about", "prints what {name} is", "{name} keeps the directives of this machine."),
    ("status", "prints whether {name} is ready", "{name} is ready."),
    ("version", "prints the version", "{name} 1.{minor}"),
)
TOLD = ("explains how {topic} can be seen", "says more about {topic}")
TOPIC_PAGES = (
    "{Topic} of this machine can be seen with '{name} {subcommand}'.",
    "'{name} {subcommand}' {lists}.",
    "{topic}:\n  {name} {subcommand}    {lists}",
)


@dataclass(frozen=True)
class HelpStyle:
    """Layout of `--help`: head, one row per sub-command, foot."""

    head: str
    row: str
    foot: str = ""


HELP_STYLES = {
    "usage": HelpStyle("usage: {name} COMMAND\n\ncommands:", "  {command:<16} {what}"),
    "manual": HelpStyle("NAME\n  {name} - keeper of directives\n\nCOMMANDS", "  {name} {command}\n      {what}"),
    "table": HelpStyle("{name} 1.{minor}", "{name} {command:<16} # {what}"),
    "prose": HelpStyle("{name} keeps directives.", "'{name} {command}' {what}.", "'{name} --help' prints this text."),
}
LISTINGS = {"bare": "{text}", "numbered": "{number}. {text}", "dashed": "- {text}"}
