"""`python -m sekft.collect`: record episodes as training data."""

from sekft.cli.launch import Work, launch


def main() -> None:
    launch("collect", work)


def work() -> Work:
    """What the command does. Its imports are slow; a typo and --help are answered without them."""
    from sekft.collect import command

    return Work(command.run)


if __name__ == "__main__":
    main()
