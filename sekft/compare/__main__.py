"""`python -m sekft.compare`: runs side by side."""

from sekft.cli.launch import Work, launch


def main() -> None:
    launch("compare", work)


def work() -> Work:
    """What the command does. Its imports are slow; a typo and --help are answered without them."""
    from sekft.compare import command

    return Work(command.run)


if __name__ == "__main__":
    main()
