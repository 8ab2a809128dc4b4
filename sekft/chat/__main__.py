"""`python -m sekft.chat`: talk to a model, watch an episode, review."""

from sekft.cli.launch import Work, launch


def main() -> None:
    launch("chat", work)


def work() -> Work:
    """What the command does. Its imports are slow; a typo and --help are answered without them."""
    from sekft.chat import command

    return Work(command.run)


if __name__ == "__main__":
    main()
