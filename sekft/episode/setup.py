"""A bundle as a place can take it: files, variables, and what the shell shows on arrival."""

from sekft.sandbox.session import File
from sekft.scenario.document import HOME, Announcing, Bundle


def files(bundle: Bundle) -> list[File]:
    """Everything that is put before the life: fixtures, provider, manual page, announcement."""
    out = [File(f.path, f.content, f.mode, f.owner, f.kind) for f in bundle.fixtures]
    out.append(File(f"/usr/local/bin/{bundle.provider.name}", bundle.provider.script, 0o755, "root"))
    if bundle.provider.man:
        out.append(File(f"/usr/local/share/man/man1/{bundle.provider.name}.1", bundle.provider.man, 0o644, "root"))
    match bundle.announcement.kind:
        case Announcing.motd:
            out.append(File("/usr/local/etc/motd", _ended(bundle.announcement.text), 0o644, "root"))
        case Announcing.file:
            at_home = bundle.announcement.path.startswith(f"{HOME}/")
            out.append(File(bundle.announcement.path, _ended(bundle.announcement.text), 0o644, "agent" if at_home else "root"))
        case Announcing.help:
            script = f"#!/bin/sh\ncat <<'HELP_TEXT'\n{_ended(bundle.announcement.text)}HELP_TEXT\n"
            out.append(File("/usr/local/bin/help", script, 0o755, "root"))
        case Announcing.banner | Announcing.env:
            pass
    return out


def environment(bundle: Bundle) -> dict[str, str]:
    announced = {bundle.announcement.variable: bundle.announcement.text} if bundle.announcement.kind is Announcing.env else {}
    return {**bundle.environment, **announced}


def arrival(bundle: Bundle) -> str:
    """What login prints before the first prompt: the motd or the banner, else nothing."""
    shown = bundle.announcement.kind in (Announcing.motd, Announcing.banner)
    return _ended(bundle.announcement.text) if shown else ""


def _ended(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"
