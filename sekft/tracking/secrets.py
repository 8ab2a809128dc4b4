"""Secrets in text, found by detect-secrets and by a few patterns it lacks, replaced by their kind; in settings also by their names.

Covers: what is recorded of a run, what is told W&B, what is released. Does not cover: a secret that looks like any other word.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any

LONGEST = 20000  # characters of a line that is looked at in one piece; secrets are no longer than a few hundred
PLUGINS = (
    "AWSKeyDetector AzureStorageKeyDetector BasicAuthDetector CloudantDetector DiscordBotTokenDetector GitHubTokenDetector "
    "GitLabTokenDetector IbmCloudIamDetector JwtTokenDetector KeywordDetector MailchimpDetector NpmDetector OpenAIDetector "
    "PypiTokenDetector SendGridDetector SlackDetector SquareOAuthDetector StripeDetector TelegramBotTokenDetector TwilioKeyDetector"
)  # not those by entropy: in logs they find file names and hashes
OURS = {
    "private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S),
    "api key": re.compile(r"\bsk-[\w-]{20,}|\bhf_[A-Za-z0-9]{30,}"),
}
NAMED = re.compile(r"(^|_)(token|secret|password|passwd|api_?key|authorization|credentials?)$")
YAML_LINE = re.compile(r"^([ -]*)([\w.-]+): (.+)$", re.M)
REDACTED = "[redacted]"
SHORTEST = 12  # characters; nothing that the patterns know is shorter
known: dict[str, str] = {}  # settings of this process that no line may show, and what it shows instead


@contextmanager
def looking() -> Iterator[None]:
    """The library's settings, made once for many texts."""
    from detect_secrets.settings import transient_settings

    with transient_settings({"plugins_used": [{"name": name} for name in PLUGINS.split()]}):
        yield


def redacted(text: str) -> tuple[str, int]:
    """(the text without its secrets, how many there were). Inside looking()."""
    count = 0
    for kind, pattern in OURS.items():
        text, more = pattern.subn(f"[{kind} redacted]", text)
        count += more
    for value, kind in sorted(_found(text).items(), key=lambda pair: -len(pair[0])):
        whole = rf"[\w-]*{re.escape(value)}[\w.+/=-]*"  # the library gives some tokens by their first letters only
        text, more = re.subn(whole, f"[{kind.lower()} redacted]", text)
        count += more
    return text, count


def _found(text: str) -> dict[str, str]:
    from detect_secrets.core.scan import scan_line

    pieces = (line[start : start + LONGEST] for line in text.splitlines() for start in range(0, len(line), LONGEST))
    secrets = (secret for piece in pieces for secret in scan_line(piece))
    return {secret.secret_value: secret.type for secret in secrets if secret.secret_value and "redacted]" not in secret.secret_value}


def is_secret(key: str, value: object) -> bool:
    """By what the setting is called; a value that is taken from elsewhere, as ${oc.env:NAME}, is none."""
    name = key.rpartition(".")[2].lower().replace("-", "_")
    return bool(NAMED.search(name)) and isinstance(value, str) and value.strip("'\"") not in ("", "null") and not value.startswith("${")


def clean(settings: Any, key: str = "") -> Any:
    """Settings, or a card, as they may be written down: without values whose names say what they are, and without what `redacted` finds.

    What was found so is `known` from then on. key: its name.
    """
    if isinstance(settings, Mapping):
        return {name: clean(value, str(name)) for name, value in settings.items()}
    if isinstance(settings, (list, tuple)):
        return [clean(value, key) for value in settings]
    if is_secret(key, settings):
        know(settings)
        return REDACTED
    return text(settings) if isinstance(settings, str) and not isinstance(settings, Enum) and len(settings) >= SHORTEST else settings


def know(value: str) -> None:
    """Of a value in which nothing is found, all is secret."""
    with looking():
        shown, count = redacted(value)
    known[value] = shown if count else REDACTED


def clean_word(word: str) -> str:
    """An override, key=value."""
    key, equals, value = word.partition("=")
    return f"{key}={REDACTED}" if equals and is_secret(key, value) else text(word)


def text(line: str) -> str:
    with looking():
        return without(redacted(line)[0])


def without(line: str) -> str:
    """The line without the values that are known."""
    for value in sorted(known, key=len, reverse=True):
        line = line.replace(value, known[value])
    return line


def clean_yaml(file: Path) -> None:
    """What Hydra has written down of settings; rewritten only if there is a secret in it."""
    if not file.is_file():
        return
    before = file.read_text(encoding="utf-8")
    after = text(YAML_LINE.sub(lambda line: f"{line[1]}{line[2]}: {REDACTED}" if is_secret(line[2], line[3]) else line[0], before))
    if after != before:
        file.write_text(after, encoding="utf-8")


def lines_with(file: Path) -> Iterator[int]:
    """Numbers of the lines in which there is a secret. Inside looking()."""
    for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if redacted(line)[1]:
            yield number
