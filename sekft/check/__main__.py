"""`python -m sekft.check`: lint scenarios, look for leaks."""

from sekft.cli.launch import Work, launch


def main() -> None:
    launch("check", work)


def work() -> Work:
    """What the command does. Its imports are slow; a typo and --help are answered without them."""
    from sekft.check import command

    return Work(command.run)


if __name__ == "__main__":
    main()
