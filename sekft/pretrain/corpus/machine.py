"""A place that is only imagined: what a shell would print there, without a shell. Tests compare it with real episodes."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from sekft.scenario import provider
from sekft.scenario.document import HOME
from sekft.scenario.draw import LOCKED
from sekft.scenario.provider import ProviderStyle
from sekft.scenario.task import Blocker, Task

PAGE_WIDTH = 78
_MISSING = {  # what a command says of a file that is not there, by its first word
    "awk": "awk: cannot open {path} (No such file or directory)",
    "base64": "base64: {path}: No such file or directory\ntar: This does not look like a tar archive\n"
    "tar: Exiting with failure status due to previous errors",
    "cat": "cat: {path}: No such file or directory",
    "chmod": "chmod: cannot access '{path}': No such file or directory",
    "cp": "cp: cannot stat '{path}': No such file or directory",
    "cut": "cut: {path}: No such file or directory",
    "find": "find: ‘{path}’: No such file or directory",
    "grep": "grep: {path}: No such file or directory",
    "head": "head: cannot open '{path}' for reading: No such file or directory",
    "ls": "ls: cannot access '{path}': No such file or directory",
    "mv": "mv: cannot stat '{path}': No such file or directory",
    "sed": "sed: can't read {path}: No such file or directory",
    "sh": "sh: 0: cannot open {path}: No such file",
    "sha256sum": "sha256sum: {path}: No such file or directory",
    "sort": "sort: cannot read: {path}: No such file or directory",
    "tail": "tail: cannot open '{path}' for reading: No such file or directory",
    "tar": "tar: {path}: Cannot stat: No such file or directory\ntar: Exiting with failure status due to previous errors",
    "tr": "sh: cannot open {path}: No such file",
    "wc": "sh: cannot open {path}: No such file",
}
_DENIED = {
    "cp": "cp: cannot create regular file '{path}': Permission denied",
    "ln": "ln: failed to create symbolic link '{path}': Permission denied",
    "mkdir": "mkdir: cannot create directory ‘{path}’: Permission denied",
    "mv": "mv: cannot create regular file '{path}/{source}': Permission denied",
    "tar": "tar: {path}: Cannot open: Permission denied\ntar: Error is not recoverable: exiting now",
    "rm": "rm: cannot remove '{path}': Permission denied",
}
_REDIRECTED = "sh: cannot create {path}: Permission denied"


@dataclass
class Machine:
    """files: path -> text, relative to the home or absolute; environment: variables; manner, directives: of the provider
    that is installed, if one is; help: what `help` prints, if it is there."""

    files: dict[str, str] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    environment: dict[str, str] = field(default_factory=dict)
    manner: ProviderStyle | None = None
    directives: Sequence[str] = ()
    help: str = ""

    def copy(self) -> "Machine":
        return replace(self, files=dict(self.files), folders=set(self.folders), environment=dict(self.environment))

    def lay(self, task: Task) -> None:
        """What the task finds on arrival; folders of files yet to be made are there too."""
        self.files.update(task.before)
        self.environment.update(task.environment)
        for path in (*task.before, *task.after, *task.spare):
            self.folders.update(str(parent) for parent in PurePosixPath(path).parents if str(parent) not in (".", *task.made))

    def work(self, task: Task) -> list[tuple[str, str]]:
        """(command, output) of the task's own solution, and its effect."""
        steps = [(step, "") for step in task.solve]
        for path, text in task.after.items():
            if text is None:
                self.files.pop(path, None)
            else:
                self.files[path] = text
        self.folders.update(task.made)
        if not task.blocker:
            self.files.update({path: self.files[next(iter(task.before))] for path in task.spare if path not in self.files})  # a link
        if task.blocker and steps:
            steps[-1] = (task.solve[-1], _failure(task))
            self.files.update(_half_made(task))
        return steps

    def answer(self, command: str) -> str:
        """The output of a command that looks around. Of a command this does not know: not found."""
        name, *arguments = command.split()
        match name:
            case "ls":
                return self._listed(arguments)
            case "cat":
                return "".join(self._text(path) for path in arguments)
            case "echo":
                return " ".join(arguments) + "\n"
            case "printenv":
                return f"{self.environment[arguments[0]]}\n" if arguments[0] in self.environment else ""
            case "pwd":
                return f"{HOME}\n"
            case "whoami":
                return "agent\n"
            case "help" if self.help:
                return self.help
            case "man" if self.manner and arguments == [self.manner.name]:
                return page(self.manner)
            case _ if self.manner and name == self.manner.name:
                return asked(self.manner, self.directives, " ".join(arguments))
            case _:
                return f"sh: {name}: not found\n"

    def _text(self, path: str) -> str:
        return self.files.get(path, _MISSING["cat"].format(path=path) + "\n")

    def _listed(self, arguments: Sequence[str]) -> str:
        here = f"{arguments[0]}/" if arguments else ""
        if here and arguments[0] not in (*self.folders, *LOCKED) and not any(path.startswith(here) for path in self.files):
            return f"{arguments[0]}\n" if arguments[0] in self.files else _MISSING["ls"].format(path=arguments[0]) + "\n"
        inside = {path.removeprefix(here).split("/")[0] for path in (*self.files, *self.folders) if _below(path, here)}
        return "".join(f"{name}\n" for name in sorted(inside))

    def shown_folders(self) -> list[str]:
        """Folders of the home, in name order."""
        inside = {str(parent) for path in self.files for parent in PurePosixPath(path).parents}
        return sorted(path for path in inside | self.folders if path != "." and not path.startswith("/"))

    def pick_file(self, rng: random.Random) -> str:
        """One of the files, or nothing."""
        return rng.choice(sorted(self.files)) if self.files else ""


def asked(manner: ProviderStyle, directives: Sequence[str], arguments: str) -> str:
    """What the provider prints when it is called so."""
    known = provider.answers(manner, directives)
    answer = next((answer for answer in known if arguments in answer.words), known[-1])
    text = f"{answer.text}\n" if answer.text else ""
    return text + (_MISSING["cat"].format(path=answer.lost) + "\n" if answer.lost else "")


def page(manner: ProviderStyle) -> str:
    """The manual page as `man` shows it: width PAGE_WIDTH, the title left and right, the section's name in the middle."""
    if manner.help != "manual":
        return f"No manual entry for {manner.name}\n"
    title, middle = f"{manner.name.upper()}(1)", "General Commands Manual"
    rows = [f"\n       {manner.name} {command}\n              {what}" for command, what in provider.rows(manner)]
    lines = [_across(title, middle, title), "\nNAME", f"       {manner.name} - keeper of directives", "\nCOMMANDS" + "\n".join(rows)]
    return "\n".join([*lines, "", _across("sekft", "2023-11-14", title), ""])


def _across(left: str, middle: str, right: str) -> str:
    start = (PAGE_WIDTH - len(middle) + 1) // 2
    head = f"{left:<{start}}{middle}"
    return f"{head}{right:>{PAGE_WIDTH - len(head)}}"


def _below(path: str, here: str) -> bool:
    return path.startswith(here) and path != here.rstrip("/") and not (not here and path.startswith("/"))


def _failure(task: Task) -> str:
    """What the shell says of the task's last command."""
    command = task.solve[-1]
    name = command.split()[0]
    match task.blocker:
        case Blocker.missing:
            said = _MISSING[name].format(path=task.panic.removeprefix("missing "))
        case Blocker.denied:
            path = task.panic.removeprefix("permission denied: ")
            said = (_REDIRECTED if ">" in command else _DENIED[name]).format(path=path, source=PurePosixPath(command.split()[1]).name)
        case Blocker.absent:
            said = f"sh: {name}: not found"
        case _:
            return ""
    return f"{said}\n"


def _half_made(task: Task) -> dict[str, str]:
    """What the shell opened for writing before the command failed."""
    command = task.solve[-1]
    if task.blocker is not Blocker.missing or ">" not in command or "<" in command:
        return {}
    first = command.split()[1] if command.startswith("cat ") else ""
    return {command.split("> ")[-1]: task.before.get(first, "")}
