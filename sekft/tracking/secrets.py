"""Secrets in text, found by detect-secrets and by a few patterns that it lacks; in settings also by their keys.

Covers: settings, which are refused, logged conversations, which are redacted, and files of a release. Does not cover: a secret that looks
like an ordinary word under a key that does not name it.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any

from sekft.errors import SettingsError

LONGEST = 20000  # characters of a line that are searched in one piece; secrets have at most a few hundred
PLUGINS = (  # without those by entropy, which in logs find file names and hashes
    "AWSKeyDetector AzureStorageKeyDetector BasicAuthDetector CloudantDetector DiscordBotTokenDetector GitHubTokenDetector "
    "GitLabTokenDetector IbmCloudIamDetector JwtTokenDetector KeywordDetector MailchimpDetector NpmDetector OpenAIDetector "
    "PypiTokenDetector SendGridDetector SlackDetector SquareOAuthDetector StripeDetector TelegramBotTokenDetector TwilioKeyDetector"
)
OURS = {
    "private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S),
    "api key": re.compile(r"\bsk-[\w-]{20,}|\bhf_[A-Za-z0-9]{30,}"),
}
NAMED = re.compile(r"(^|_)(token|secret|password|passwd|api_?key|authorization|credentials?)$")
SHORTEST = 12  # characters; no pattern matches a shorter text


@contextmanager
def looking() -> Iterator[None]:
    """Configure detect-secrets; once around many texts, as it takes longer than the search."""
    from detect_secrets.settings import transient_settings

    with transient_settings({"plugins_used": [{"name": name} for name in PLUGINS.split()]}):
        yield


def redacted(text: str) -> tuple[str, int]:
    """(the text with secrets replaced by their kind, number of secrets). Call it inside looking()."""
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


def require_none(settings: Any) -> None:
    """Raises SettingsError for the first setting that holds a secret; settings: nested, or override -> value."""
    for key in found_in(settings):
        allowed = "the name of an environment variable that holds it, as agent.key_env=NAME or serve.token_env=NAME"
        raise SettingsError(f"{key}: holds a secret; allowed: {allowed}")


def found_in(settings: Any) -> list[str]:
    """Dotted keys of values that are secrets: by the last word of the key, or because `redacted` finds one in the value."""
    values = list(_texts(settings))
    found = [key for key, text in values if NAMED.search(key.rpartition(".")[2].lower().replace("-", "_")) and text.strip("'\"")]
    if long := [(key, text) for key, text in values if len(text) >= SHORTEST]:
        with looking():
            found += [key for key, text in long if redacted(text)[1]]
    return list(dict.fromkeys(found))


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _texts(item, f"{key}.{name}" if key else str(name))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item, key)
    elif isinstance(value, str) and not isinstance(value, Enum) and value != "null":
        yield key, value


def lines_with(file: Path) -> Iterator[int]:
    """Numbers of the lines that hold a secret. Call it inside looking()."""
    for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if redacted(line)[1]:
            yield number
