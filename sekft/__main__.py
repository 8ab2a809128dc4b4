"""`sekft COMMAND ...`, the same as `python -m sekft.COMMAND ...`; without a command, the list of commands."""

import sys
from importlib import import_module

import sekft
from sekft.config.foreign import closest

COMMANDS = {
    "train": "train an adapter on a base, evaluate both, keep a record",
    "preview": "show rendered rows and which tokens are learned",
    "eval": "play held-out scenarios with any base and adapters",
    "compare": "compare runs: table, intervals, verdicts, one page",
    "status": "which runs are alive, stalled, dead or done, and why",
    "collect": "play scenarios and record the episodes as training data",
    "check": "lint scenarios; look for leaks into training data",
    "chat": "talk to a model, watch it at a shell, review what it did",
    "serve": "an OpenAI endpoint: base and adapters by name",
    "resident": "a prompt at which the base stays in memory",
    "release": "verify the evidence of runs, promote, roll back",
    "pretrain": "make the embedded base from nothing",
}
MODULES = {"status": "sekft.status"}  # commands that are one module
UNKNOWN = 2  # exit status, as argparse has it


def main() -> None:
    """Run the command that the first word names, with the words after it. Exit status 2 for a word that is no command."""
    words = sys.argv[1:]
    if words[:1] == ["help"]:
        words = [*words[1:2], "--help", *words[2:]]
    match words:
        case [] | ["-h" | "--help", *_]:
            print(overview())
        case ["--version" | "-V" | "version", *_]:
            print(f"sekft {sekft.__version__}")
        case [command, *rest] if command in COMMANDS:
            sys.argv = [f"sekft.{command}", *rest]
            import_module(MODULES.get(command, f"sekft.{command}.__main__")).main()
        case [word, *_]:
            meant = closest(word.removeprefix("sekft."), list(COMMANDS))
            hint = f"did you mean {meant[0]}? " if meant else ""
            print(f"sekft: no command {word}; {hint}allowed: {', '.join(COMMANDS)}", file=sys.stderr)
            sys.exit(UNKNOWN)


def overview() -> str:
    """The commands with a line on each, and how settings are given."""
    lines = [f"  sekft {command:<9} {what}" for command, what in COMMANDS.items()]
    return "\n".join(
        [
            f"sekft {sekft.__version__}: small language models learn to operate a shell.\n",
            *lines,
            "\nA setting is KEY=VALUE: sekft train model=tiny lora=r16 trainer.lr=1e-3",
            "Its meaning: sekft train --help; of one group: sekft train --help trainer",
            "sekft COMMAND is the same as python -m sekft.COMMAND",
        ]
    )


if __name__ == "__main__":
    main()
