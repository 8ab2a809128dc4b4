"""A simulated machine: the output of commands, computed without a shell. Tests compare it with the output of a real shell."""

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
_MISSING = {  # error for a missing file, by the first word of the command
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
    """files: text by path, relative to the home or absolute; folders: paths; environment: variables by name; style, directives: of the
    installed provider, None and empty without one; help: output of `help`, empty if there is no such command."""

    files: dict[str, str] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    environment: dict[str, str] = field(default_factory=dict)
    style: ProviderStyle | None = None
    directives: Sequence[str] = ()
    help: str = ""

    def copy(self) -> "Machine":
        return replace(self, files=dict(self.files), folders=set(self.folders), environment=dict(self.environment))

    def prepare(self, task: Task) -> None:
        """Create what the task finds on arrival, including the folders of files that it will create."""
        self.files.update(task.before)
        self.environment.update(task.environment)
        for path in (*task.before, *task.after, *task.spare):
            self.folders.update(str(parent) for parent in PurePosixPath(path).parents if str(parent) not in (".", *task.made))

    def solve(self, task: Task) -> list[tuple[str, str]]:
        """Apply the effect of the task's solution; return its (command, output) pairs."""
        steps = [(step, "") for step in task.solve]
        for path, text in task.after.items():
            if text is None:
                self.files.pop(path, None)
            else:
                self.files[path] = text
        self.folders.update(task.made)
        if not task.blocker:
            linked = next(iter(task.before), "")  # a spare file that does not exist is a link to the first file
            self.files.update({path: self.files[linked] for path in task.spare if path not in self.files})
        if task.blocker and steps:
            steps[-1] = (task.solve[-1], _failure(task))
            self.files.update(_partial_output(task))
        return steps

    def output_of(self, command: str) -> str:
        """The output of a command that changes nothing; `not found` for an unknown one."""
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
            case "man" if self.style and arguments == [self.style.name]:
                return manual_page(self.style)
            case _ if self.style and name == self.style.name:
                return provider_output(self.style, self.directives, " ".join(arguments))
            case _:
                return f"sh: {name}: not found\n"

    def _text(self, path: str) -> str:
        return self.files.get(path, _MISSING["cat"].format(path=path) + "\n")

    def _listed(self, arguments: Sequence[str]) -> str:
        prefix = f"{arguments[0]}/" if arguments else ""
        if prefix and arguments[0] not in (*self.folders, *LOCKED) and not any(path.startswith(prefix) for path in self.files):
            return f"{arguments[0]}\n" if arguments[0] in self.files else _MISSING["ls"].format(path=arguments[0]) + "\n"
        inside = {path.removeprefix(prefix).split("/")[0] for path in (*self.files, *self.folders) if _below(path, prefix)}
        return "".join(f"{name}\n" for name in sorted(inside))

    def home_folders(self) -> list[str]:
        """The folders in the home, sorted."""
        inside = {str(parent) for path in self.files for parent in PurePosixPath(path).parents}
        return sorted(path for path in inside | self.folders if path != "." and not path.startswith("/"))

    def pick_file(self, rng: random.Random) -> str:
        """The path of a random file; empty if there are none."""
        return rng.choice(sorted(self.files)) if self.files else ""


def provider_output(style: ProviderStyle, directives: Sequence[str], arguments: str) -> str:
    """What the provider prints for these arguments."""
    answers = provider.answers(style, directives)
    answer = next((answer for answer in answers if arguments in answer.words), answers[-1])
    text = f"{answer.text}\n" if answer.text else ""
    return text + (_MISSING["cat"].format(path=answer.lost) + "\n" if answer.lost else "")


def manual_page(style: ProviderStyle) -> str:
    """The manual page as `man` formats it, PAGE_WIDTH characters wide, with title and section in its first and last line."""
    if style.help != "manual":
        return f"No manual entry for {style.name}\n"
    title, middle = f"{style.name.upper()}(1)", "General Commands Manual"
    rows = [f"\n       {style.name} {command}\n              {what}" for command, what in provider.rows(style)]
    lines = [_across(title, middle, title), "\nNAME", f"       {style.name} - keeper of directives", "\nCOMMANDS" + "\n".join(rows)]
    return "\n".join([*lines, "", _across("sekft", "2023-11-14", title), ""])


def _across(left: str, middle: str, right: str) -> str:
    start = (PAGE_WIDTH - len(middle) + 1) // 2
    head = f"{left:<{start}}{middle}"
    return f"{head}{right:>{PAGE_WIDTH - len(head)}}"


def _below(path: str, prefix: str) -> bool:
    return path.startswith(prefix) and path != prefix.rstrip("/") and not (not prefix and path.startswith("/"))


def _failure(task: Task) -> str:
    """The shell's error for the last command of a blocked task."""
    command = task.solve[-1]
    name = command.split()[0]
    match task.blocker:
        case Blocker.missing:
            error = _MISSING[name].format(path=task.panic.removeprefix("missing "))
        case Blocker.denied:
            path = task.panic.removeprefix("permission denied: ")
            error = (_REDIRECTED if ">" in command else _DENIED[name]).format(path=path, source=PurePosixPath(command.split()[1]).name)
        case Blocker.absent:
            error = f"sh: {name}: not found"
        case _:
            return ""
    return f"{error}\n"


def _partial_output(task: Task) -> dict[str, str]:
    """The file that the shell opened for writing before the command failed."""
    command = task.solve[-1]
    if task.blocker is not Blocker.missing or ">" not in command or "<" in command:
        return {}
    first = command.split()[1] if command.startswith("cat ") else ""
    return {command.split("> ")[-1]: task.before.get(first, "")}
