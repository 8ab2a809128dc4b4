"""A scenario as a place can take it: files, variables, and what the shell shows on arrival."""

from sekft.sandbox.session import File
from sekft.scenario.document import HOME, Announcing, Scenario


def files(scenario: Scenario) -> list[File]:
    """Everything that is put before the episode: fixtures, provider, manual page, announcement."""
    out = [File(f.path, f.content, f.mode, f.owner, f.kind) for f in scenario.fixtures]
    out.append(File(f"/usr/local/bin/{scenario.provider.name}", scenario.provider.script, 0o755, "root"))
    if scenario.provider.man:
        out.append(File(f"/usr/local/share/man/man1/{scenario.provider.name}.1", scenario.provider.man, 0o644, "root"))
    match scenario.announcement.kind:
        case Announcing.motd:
            out.append(File("/usr/local/etc/motd", _ended(scenario.announcement.text), 0o644, "root"))
        case Announcing.file:
            at_home = scenario.announcement.path.startswith(f"{HOME}/")
            out.append(File(scenario.announcement.path, _ended(scenario.announcement.text), 0o644, "agent" if at_home else "root"))
        case Announcing.help:
            script = f"#!/bin/sh\ncat <<'HELP_TEXT'\n{_ended(scenario.announcement.text)}HELP_TEXT\n"
            out.append(File("/usr/local/bin/help", script, 0o755, "root"))
        case Announcing.banner | Announcing.env:
            pass
    return out


def environment(scenario: Scenario) -> dict[str, str]:
    announced = {scenario.announcement.variable: scenario.announcement.text} if scenario.announcement.kind is Announcing.env else {}
    return {**scenario.environment, **announced}


def arrival(scenario: Scenario) -> str:
    """What login prints before the first prompt: the motd or the banner, else nothing."""
    shown = scenario.announcement.kind in (Announcing.motd, Announcing.banner)
    return _ended(scenario.announcement.text) if shown else ""


def _ended(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"
