"""Secrets in text, found by detect-secrets and by a few patterns it lacks, replaced by what kind they are of."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

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
