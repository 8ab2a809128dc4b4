"""What a session gets from a scenario: files, environment variables, and the text that the shell shows on arrival."""

from sekft.sandbox.session import File
from sekft.scenario.document import HOME, AnnouncementKind, Scenario


def files(scenario: Scenario) -> list[File]:
    """Every file that is put before the episode: fixtures, provider, manual page, announcement."""
    out = [File(f.path, f.content, f.mode, f.owner, f.kind) for f in scenario.fixtures]
    out.append(File(f"/usr/local/bin/{scenario.provider.name}", scenario.provider.script, 0o755, "root"))
    if scenario.provider.man:
        out.append(File(f"/usr/local/share/man/man1/{scenario.provider.name}.1", scenario.provider.man, 0o644, "root"))
    match scenario.announcement.kind:
        case AnnouncementKind.motd:
            out.append(File("/usr/local/etc/motd", _newline_ended(scenario.announcement.text), 0o644, "root"))
        case AnnouncementKind.file:
            at_home = scenario.announcement.path.startswith(f"{HOME}/")
            text = _newline_ended(scenario.announcement.text)
            out.append(File(scenario.announcement.path, text, 0o644, "agent" if at_home else "root"))
        case AnnouncementKind.help:
            script = f"#!/bin/sh\ncat <<'HELP_TEXT'\n{_newline_ended(scenario.announcement.text)}HELP_TEXT\n"
            out.append(File("/usr/local/bin/help", script, 0o755, "root"))
        case AnnouncementKind.banner | AnnouncementKind.env:
            pass
    return out


def environment(scenario: Scenario) -> dict[str, str]:
    """The scenario's variables, and the announcement where that is a variable."""
    announced = {scenario.announcement.variable: scenario.announcement.text} if scenario.announcement.kind is AnnouncementKind.env else {}
    return {**scenario.environment, **announced}


def arrival(scenario: Scenario) -> str:
    """What login prints before the first prompt: the motd or the banner, else nothing."""
    shown = scenario.announcement.kind in (AnnouncementKind.motd, AnnouncementKind.banner)
    return _newline_ended(scenario.announcement.text) if shown else ""


def _newline_ended(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"
