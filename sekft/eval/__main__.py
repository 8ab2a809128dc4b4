"""`python -m sekft.eval`: base, adapters and reference in held-out scenarios."""

from sekft.cli.launch import Work, launch


def main() -> None:
    launch("eval", work)


def work() -> Work:
    """What the command does. Its imports are slow; a typo and --help are answered without them."""
    from sekft.cli.replay import replaying
    from sekft.cli.sweep import SweepPolicy
    from sekft.data import inputs
    from sekft.eval import command, size
    from sekft.eval.dry_run import plan
    from sekft.eval.run import objective

    return Work(replaying(command.run), SweepPolicy(inputs.eval_inputs, objective=objective), plan, size.choose)


if __name__ == "__main__":
    main()
