"""`python -m sekft.train`: one run, a sweep, or with --inspect a preview."""

import sys
from collections.abc import Callable
from pathlib import Path

from sekft.cli.flags import wants_preview
from sekft.cli.launch import launch
from sekft.cli.replay import replaying
from sekft.cli.sweep import Sweeps
from sekft.compare.__main__ import after_each
from sekft.data import inputs
from sekft.eval.run import objective
from sekft.train.dry_run import plan
from sekft.train.run import run
from sekft.train.start import beginning


def go_on(folder: Path, say: Callable[[str], None]) -> Path | None:
    from sekft.train import checkpoint

    return checkpoint.newest(folder, say)


def main() -> None:
    if wants_preview(sys.argv[1:]):
        from sekft.preview.__main__ import main as preview

        preview()
    else:
        launch("train", replaying(beginning(after_each(run))), Sweeps(inputs.training_inputs, go_on, objective), plan)


if __name__ == "__main__":
    main()
