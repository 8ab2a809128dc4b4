"""`python -m sekft.preview`: show which tokens are learned."""

from sekft.cli.launch import Work, launch


def main() -> None:
    launch("preview", work)


def work() -> Work:
    """What the command does. Its imports are slow; a typo and --help are answered without them."""
    from sekft.preview import command

    return Work(command.run, choose=command.choose)


if __name__ == "__main__":
    main()
