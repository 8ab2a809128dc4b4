"""`python -m sekft.pretrain`: make the embedded base from nothing."""

from sekft.cli.launch import Work, launch


def main() -> None:
    launch("pretrain", work)


def work() -> Work:
    from sekft.pretrain.run import pretrain

    return Work(pretrain)


if __name__ == "__main__":
    main()
