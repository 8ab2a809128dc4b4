"""Play scenarios and record the lives: keepers and labelled rejects in one file, whole or not at all."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from sekft.command.launch import Job, echo, launch
from sekft.config import CollectConfig, OperatorKind
from sekft.errors import SettingsError
from sekft.eval import doubt, require_adapter
from sekft.model.locate import base_folder
from sekft.rollout import operator as operators
from sekft.rollout import trajectory
from sekft.rollout.many import play_many
from sekft.rollout.operator import Operator
from sekft.rollout.show import write_examples
from sekft.sandbox import choose
from sekft.scenario.bundle import Bundle
from sekft.scenario.split import is_foreign, load
from sekft.tracking.record import open_run
from sekft.tracking.signals import terminating


def run(settings: CollectConfig, job: Job) -> dict[str, Any]:
    bundles = load(settings.scenarios, settings.split, settings.seed, settings.episodes)
    adapter = Path(settings.adapter) if settings.adapter else None
    if settings.operator.kind is OperatorKind.model:
        base_folder(settings.model, weights=True)
        require_adapter(adapter)
    elif adapter is not None:
        raise SettingsError(f"adapter={adapter}: used by operator=model only, found operator={settings.operator.kind.value}")
    backend = choose.backend(settings.sandbox, echo, is_foreign(settings.scenarios))
    limits = settings.eval
    if settings.operator.kind is not OperatorKind.model:  # a prepared script is as long as it is
        limits = replace(limits, max_turns=max(limits.max_turns, *(bundle.limits.turns for bundle in bundles)))
    with (
        terminating(),
        open_run(job.folder, "collect", asdict(settings), job.overrides, settings.seed) as record,
        operating(settings, bundles) as operator,
    ):
        lives = play_many([(bundle, operator, 0) for bundle in bundles], backend, limits, settings.workers, f"collect: {operator.name}")
        path = job.folder / "trajectories.jsonl"
        trajectory.write(lives, path)
        outcomes = dict(sorted(Counter(life.outcome.value for life in lives).items()))
        kept = sum(life.kept for life in lives)
        summary = {"verb": "collect", "seed": settings.seed, "lives": len(lives), "kept": kept, "outcomes": outcomes, "path": str(path)}
        record.summary(summary)
    echo(f"kept {kept} of {len(lives)} lives ({', '.join(f'{name} {count}' for name, count in outcomes.items())})")
    for name, example in write_examples(lives, job.folder / "lives").items():
        echo(f"a {name} life: {example}")
    echo(f"trajectories: {path}")
    if kept:
        echo(f"learn from them: python -m sekft.train data.sources.shell.path={path}")
    return summary


@contextmanager
def operating(settings: CollectConfig, bundles: Sequence[Bundle]) -> Iterator[Operator]:
    match settings.operator.kind:
        case OperatorKind.reference:
            yield operators.reference(bundles, settings.operator.noise, settings.seed)
        case OperatorKind.scripted:
            if not settings.operator.script:
                raise SettingsError("operator.script: empty; allowed: one reply or more, e.g. 'operator.script=[ls,exit]'")
            yield operators.scripted(bundles, settings.operator.script)
        case OperatorKind.model:
            from sekft.model import base as bases
            from sekft.model.generate import ModelOperator
            from sekft.model.lora import loaded

            base = bases.load(settings.model)
            if settings.adapter is None:
                yield ModelOperator(settings.model.name, base, None, settings.eval, settings.seed)
            else:
                adapter = Path(settings.adapter)
                doubt(base, adapter, bundles)
                with loaded(base, adapter) as tuned:
                    yield ModelOperator(f"{settings.model.name}+adapter", base, tuned, settings.eval, settings.seed)


def main() -> None:
    launch("collect", run)


if __name__ == "__main__":
    main()
