"""Pre-train the embedded base: generate conversations, train tokenizer and weights, write the files that ship."""

from typing import Any

from sekft.cli.launch import launch
from sekft.config.job import Job
from sekft.config.pretrain import PretrainConfig


def run(settings: PretrainConfig, job: Job) -> dict[str, Any]:
    from sekft.pretrain.run import pretrain

    return pretrain(settings, job)


def main() -> None:
    launch("pretrain", run)


if __name__ == "__main__":
    main()
