"""`python -m sekft.release`: verify the evidence of runs, approve, promote, roll back."""

from sekft.cli.launch import Work, launch


def main() -> None:
    launch("release", work)


def work() -> Work:
    """What the command does. Its imports are slow; a typo and --help are answered without them."""
    from sekft.release import command

    return Work(command.run)


if __name__ == "__main__":
    main()
