"""`python -m sekft.train`: one run, a sweep, or with --inspect a preview."""

import sys
from pathlib import Path

from sekft.cli.flags import wants_preview
from sekft.cli.launch import Work, launch
from sekft.config.job import Report


def main() -> None:
    if wants_preview(sys.argv[1:]):
        from sekft.preview.__main__ import main as preview

        preview()
    else:
        launch("train", work)


def work() -> Work:
    """What the command does. Its imports are slow; a typo and --help are answered without them."""
    from sekft.cli.replay import replaying
    from sekft.cli.sweep import SweepPolicy
    from sekft.compare.command import compare_after_each, show_sweep
    from sekft.data import inputs
    from sekft.eval.run import objective
    from sekft.train.automatic import choose
    from sekft.train.dry_run import plan
    from sekft.train.run import run
    from sekft.train.start import starting

    policy = SweepPolicy(inputs.training_inputs, newest_checkpoint, objective)
    return Work(replaying(starting(compare_after_each(run))), policy, plan, choose, show_sweep)


def newest_checkpoint(folder: Path, report: Report) -> Path | None:
    from sekft.train import checkpoint

    return checkpoint.newest(folder, report)


if __name__ == "__main__":
    main()
