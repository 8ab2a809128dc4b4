"""Plays every attack on every backend of this machine and writes the table: python -m tests.sandbox.attacks [FILE]."""

import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path

from sekft.errors import SandboxError
from tests.sandbox.attacks.arena import arena
from tests.sandbox.attacks.attack import Attack, Seen
from tests.sandbox.attacks.suite import ATTACKS, BACKENDS, GROUPS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "attacks.md"
_HEAD = """# What was tried against the sandbox

Written by `python -m tests.sandbox.attacks`; the attacks are in `tests/sandbox/attacks/`, whose tests assert every cell. {where}

Each cell has three parts. First, whether the attack was contained (`yes`), or the weakness of the backend that let it through (**no**).
Then the kind of every turn (`ready/timeout`: interrupted, and the prompt came back; `gone`: the shell was killed or replaced; `lost`:
no prompt came back) and, after the dash, the status of a checker that ran afterwards (7: it ran and was not deceived; 137: it was
killed; none: it did not end in time). Last, the seconds from opening the session to its removal, and the slowest answer of a session
beside it. No episode was `broken`, none raised an exception, and after each of them a fresh session worked and nothing of the old one
was left.

`bwrap` is bubblewrap started by root: control process and agent are two users. `bwrap_one_user` is bubblewrap started by an ordinary user.
Where the image has no tool (sockets, mounts, ptrace), the attacker types machine code with `printf`{elsewhere}.
"""


def main(page: Path) -> int:
    """Exit status 1 if a result is not what the tests expect."""
    cells: dict[str, dict[str, str]] = {}
    wrong: list[str] = []
    for name in BACKENDS:
        try:
            with arena(name) as attacked:
                cells[name] = {attack.name: _cell(attack, name, attacked.play(attack), wrong.append) for attack in ATTACKS}
        except SandboxError as error:
            print(f"{name}: {error}", file=sys.stderr)
    page.parent.mkdir(exist_ok=True)
    page.write_text(_page(cells))
    print(*wrong, f"{page.name}: {len(ATTACKS)} attacks on {', '.join(cells)}, {len(wrong)} not as expected", sep="\n")
    return bool(wrong)


def _page(cells: dict[str, dict[str, str]]) -> str:
    where = f"Last on Linux {platform.release().split('-')[0]}, {platform.machine()}, {os.cpu_count()} cores."
    parts = [_HEAD.format(where=where, elsewhere="" if platform.machine() == "x86_64" else ", on x86-64 only: not in this run")]
    for title, attacks in GROUPS.items():
        parts.append(f"## {title}\n")
        parts.append("| attack | " + " | ".join(cells) + " |\n" + "|---" * (1 + len(cells)) + "|")
        parts += [f"| {attack.name} | " + " | ".join(row[attack.name] for row in cells.values()) + " |" for attack in attacks]
        parts.append("")
    return "\n".join(parts)


def _cell(attack: Attack, backend: str, seen: Seen, report: Callable[[str], None]) -> str:
    escape = attack.escape(seen)
    if bool(escape) != (backend in attack.weak) or not attack.allows(backend, seen.shape):
        report(f"{backend}: {attack.name}: {escape or 'contained'}, {seen.shape}")
    contained = f"**no**: {attack.weak.get(backend, 'unexpected')} ({escape})" if escape else "yes"
    print(f"{backend:15}{attack.name}: {contained}, {seen.shape}, {seen.seconds:.1f} s", file=sys.stderr, flush=True)
    return f"{contained} · {seen.shape} · {seen.seconds:.1f} s, beside it {seen.neighbour_s:.2f} s"


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if sys.argv[1:] else PAGE))
