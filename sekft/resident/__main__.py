"""The command `python -m sekft.resident`: a prompt or a service on a socket that keeps the base in memory between commands."""

import sys

from sekft.cli.launch import Work, launch, resident_socket
from sekft.config import ResidentConfig
from sekft.config.job import Job
from sekft.errors import SekftError


def main() -> None:
    composed: list[tuple[ResidentConfig, Job]] = []
    socket = resident_socket(sys.argv[1:])
    if not socket:
        launch(
            "resident", lambda: Work(lambda settings, job: composed.append((settings, job)))
        )  # Hydra ends here, as commands start it anew
    from sekft.resident.commands import INTERRUPTED, RemoteCommands, print_error
    from sekft.resident.run import read_prompt, run

    try:
        if socket:
            sys.exit(read_prompt(RemoteCommands(socket)))
        sys.exit(run(*composed[0]) if composed else 0)
    except SekftError as error:
        sys.exit(print_error(str(error)))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
