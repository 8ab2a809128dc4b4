"""Messages to the person at the terminal, also written to the log of the run."""

import logging

from sekft.tracking import secrets


def echo(line: str) -> None:
    """Say something to the person at the terminal, and to the log of the run."""
    line = secrets.without(line)
    print(line, flush=True)
    if logging.getLogger().handlers:
        logging.getLogger("sekft").info(line)
