"""Messages to the person at the terminal, also written to the log of the run."""

import logging


def echo(line: str) -> None:
    """Print a line and write it to the log of the run."""
    print(line, flush=True)
    if logging.getLogger().handlers:
        logging.getLogger("sekft").info(line)
