"""`python -m sekft.resident`: a prompt, or a service on a socket, that keeps the base in memory between commands."""

import sys

from sekft.cli.launch import elsewhere, launch
from sekft.config.job import Job
from sekft.config.resident import ResidentConfig
from sekft.errors import SekftError
from sekft.resident.commands import INTERRUPTED, There, refuse
from sekft.resident.run import run, session


def main() -> None:
    begun: list[tuple[ResidentConfig, Job]] = []
    socket = elsewhere(sys.argv[1:])
    if not socket:
        launch("resident", lambda settings, job: begun.append((settings, job)))  # which ends before a command begins its own
    try:
        if socket:
            sys.exit(session(There(socket)))
        sys.exit(run(*begun[0]) if begun else 0)
    except SekftError as error:
        sys.exit(refuse(str(error)))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
