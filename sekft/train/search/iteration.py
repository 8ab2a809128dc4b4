"""iteration.json: a training beside its parent, the run whose adapter it trained further: results, decision and the next iteration.

Everything in it follows from files of this run and of its parent. Only the development scenarios decide; no run trains on them and nothing
else is decided by them. The evaluation's scenarios are reported and decide nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sekft.config import EvalConfig, TrainConfig
from sekft.episode import trajectory
from sekft.episode.trajectory import EpisodesByAgent, Trajectory
from sekft.errors import DataError, SettingsError, validation_line
from sekft.eval import gate, labels, paired, rates, score
from sekft.eval.criterion import Criterion, Finding, Rule, Tier, judge_rate
from sekft.eval.evaluation import DECIDED_BY
from sekft.eval.gate import Verdict
from sekft.eval.paired import Paired
from sekft.eval.rates import Rate
from sekft.eval.summary import ScenarioSet
from sekft.scenario.split import digest, is_frozen, load
from sekft.tracking import events, records
from sekft.tracking.digest import NOT_DECISIVE, hash_path
from sekft.tracking.files import flat, write_json
from sekft.tracking.record import RUN, SUMMARY
from sekft.train.search import repair
from sekft.train.search.repair import EpisodeCounts, Mix, Rationale

SCHEMA_VERSION = 1
ITERATION, DEVELOPMENT, EPISODES = "iteration.json", "development.jsonl", "episodes.jsonl"
PARENT = "parent"
FROZEN = ("held_out", "test")
RECOMMENDED = {
    Verdict.promote: "promote",
    Verdict.hold: "hold",
    Verdict.inconclusive: "evaluate in more scenarios",
    Verdict.unmeasured: "evaluate again",
}
ELSEWHERE = "evaluate on the frozen set"  # for a promote in other scenarios
RatesByAgent = Mapping[str, Mapping[str, Rate]]  # agent -> name of a rate
PairedByRate = Mapping[str, Paired]


@dataclass(frozen=True)
class Parent:
    """The adapter that was trained further. run, audit: its run and the hash that closed its audit; None for a folder without a run."""

    run: str | None
    adapter: str
    digest: str
    audit: str | None
    iteration: int


@dataclass(frozen=True)
class CriticalCriteria:
    """How many of the gate's critical criteria are met."""

    met: int
    of: int
    rate: float


@dataclass(frozen=True)
class Gate:
    verdict: str
    critical: CriticalCriteria
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class EvaluationResult:
    """The evaluation of this run, and the parent's own evaluation if it was in the same scenarios. set: scenarios=."""

    set: str
    scenarios: ScenarioSet
    decides: bool
    scores: RatesByAgent
    against_base: PairedByRate | None
    against_parent: PairedByRate | None
    no_parent_because: str | None
    gate: Gate


@dataclass(frozen=True, kw_only=True)
class Improvement(Finding):
    """The finding that decides whether the adapter improved. over: parent or base; tests: by which the p value is multiplied."""

    over: str
    tests: int


@dataclass(frozen=True)
class DevelopmentResult:
    """Base, parent and adapter in the development scenarios. goes_on_from: the agent whose adapter the next iteration trains further.

    lost: counts of that agent's episodes. unmeasured: why nothing can be decided; None if it can.
    """

    seed: int
    scenarios: ScenarioSet
    decides: bool
    scores: RatesByAgent
    against_base: PairedByRate | None
    against_parent: PairedByRate | None
    improvement: Improvement
    improved: bool
    unmeasured: str | None
    goes_on_from: str
    lost: EpisodeCounts
    gate: Gate


@dataclass(frozen=True)
class NextIteration:
    """The next iteration as overrides of this run's command."""

    overrides: tuple[str, ...]
    rationale: Rationale


@dataclass(frozen=True)
class Iteration:
    """The document iteration.json; docs/heal.md explains its keys."""

    schema_version: int
    iteration: int
    run: str
    parent: Parent | None
    compared_with: str
    rationale: Rationale | None
    changes: Mapping[str, list[Any]]  # setting -> [the parent's, this run's]
    learned: Mapping[str, Any]
    scoring_mode: str
    test: EvaluationResult
    development: DevelopmentResult | None
    critical_pass_rate: CriticalCriteria
    gate_result: str
    recommendation: str
    next: NextIteration | None

    def continued_adapter(self) -> str | None:
        """The adapter that the next iteration trains further: this run's, or the parent's if this run did not improve on it."""
        if self.development and self.development.goes_on_from == score.TUNED:
            return str(Path(self.run) / "adapter")
        return self.parent.adapter if self.parent else None


_READER = TypeAdapter(Iteration)


def read(folder: Path) -> Iteration:
    """Raises DataError."""
    try:
        return _READER.validate_python(records.document(folder / ITERATION))
    except ValidationError as error:
        raise DataError(f"{folder / ITERATION}: {validation_line(error)}; allowed: what sekft.train writes") from None


def write(folder: Path, settings: TrainConfig, summary: Mapping[str, Any], sources: Sequence[str]) -> list[str]:
    """Write iteration.json of an evaluated run, and return the lines to print. Arguments as of make_iteration."""
    iteration = make_iteration(folder, settings, summary, sources)
    write_json(folder / ITERATION, asdict(iteration))
    return lines(iteration)


def require(settings: TrainConfig) -> None:
    """Check repair.* and the parent's record before anything is trained. Raises SettingsError, DataError."""
    if settings.repair.scenarios and not settings.eval.episodes:
        raise SettingsError(f"repair.scenarios={settings.repair.scenarios}: allowed with an evaluation; give it eval.episodes=N")
    if settings.repair.after and not (Path(settings.repair.after) / ITERATION).is_file():
        raise SettingsError(f"repair.after={settings.repair.after}: no {ITERATION} there; allowed: a run of sekft.train with an evaluation")
    find_parent(settings)


def lines(iteration: Iteration) -> list[str]:
    """The decision in the development scenarios and what the next iteration changes; nothing without development scenarios."""
    if iteration.development is None:
        return []
    development, improvement = iteration.development, iteration.development.improvement
    pairs = development.against_parent if improvement.over == PARENT else development.against_base
    assert pairs is not None  # the improvement is over one of the two
    pair = pairs[improvement.criterion]
    against = f"won {pair.wins}, lost {pair.losses} against the {improvement.over} in {pair.n} development scenarios"
    result = development.unmeasured or f"{improvement.state}: {improvement.text}"
    first = f"iteration {iteration.iteration}: {improvement.criterion} {against}; {result}; it goes on from {development.goes_on_from}"
    return [first, *(f"  next: {line}" for line in (iteration.next.rationale.lines if iteration.next else ()))]


def make_iteration(folder: Path, settings: TrainConfig, summary: Mapping[str, Any], sources: Sequence[str]) -> Iteration:
    """folder: of the run. summary: its summary.json. sources: names of those whose episodes the reference played."""
    parent, after = find_parent(settings), read(Path(settings.repair.after)) if settings.repair.after else None
    evaluation = evaluation_result(folder, settings, summary, parent)
    played = settings.repair.scenarios and (folder / DEVELOPMENT).exists()  # not played if the time limit was reached before
    development = development_result(folder, settings) if played else None
    before = after or parent
    verdict = Verdict(str(summary["verdict"]).split()[0])
    decisive = verdict is not Verdict.promote or (settings.scenarios in FROZEN and is_frozen(settings.split))
    asked_for = (after.next.rationale if after.next else Rationale(run=str(settings.repair.after))) if after else None
    return Iteration(
        schema_version=SCHEMA_VERSION,
        iteration=before.iteration + 1 if before else 0,
        run=str(folder),
        parent=parent,
        compared_with=PARENT if parent else score.BASE,
        rationale=asked_for,
        changes=changed_settings(folder, parent),
        learned={"supervised_tokens": summary["supervised_tokens"], **summary["data"], "steps": summary["steps"]},
        scoring_mode="unmeasured" if verdict is Verdict.unmeasured else "paired episodes",
        test=evaluation,
        development=development,
        critical_pass_rate=evaluation.gate.critical,
        gate_result=str(summary["verdict"]),
        recommendation=RECOMMENDED[verdict] if decisive else ELSEWHERE,
        next=next_iteration(folder, settings, development, sources) if development else None,
    )


def find_parent(settings: TrainConfig) -> Parent | None:
    """The parent of a training with adapter=; None without one. Raises DataError for a record that cannot be read."""
    if not settings.adapter:
        return None
    adapter = Path(settings.adapter)
    run = adapter.parent if (adapter.parent / RUN).exists() else None
    iteration = read(run).iteration if run and (run / ITERATION).exists() else 0
    return Parent(str(run) if run else None, str(adapter), hash_path(adapter), events.closing_digest(run) if run else None, iteration)


def changed_settings(folder: Path, parent: Parent | None) -> dict[str, list[Any]]:
    """Setting -> [the parent's value, this run's] where they differ; empty if the parent's run is unknown."""
    if not parent or not parent.run:
        return {}
    before, now = (flat(records.settings(run)) for run in (Path(parent.run), folder))
    keys = [key for key in {**before, **now} if key.partition(".")[0] not in NOT_DECISIVE and before.get(key) != now.get(key)]
    return {key: [before.get(key), now.get(key)] for key in keys}


def evaluation_result(folder: Path, settings: TrainConfig, summary: Mapping[str, Any], parent: Parent | None) -> EvaluationResult:
    played = trajectory.by_agent(trajectory.read(folder / EPISODES))
    episodes = {score.BASE: played[score.BASE], score.TUNED: played[score.TUNED]}
    no_parent = _not_comparable(settings, summary, parent) if parent else "no parent"
    if parent and parent.run and not no_parent:
        episodes[PARENT] = trajectory.by_agent(trajectory.read(Path(parent.run) / EPISODES))[score.TUNED]
    return EvaluationResult(
        set=settings.scenarios,
        scenarios=ScenarioSet(**summary["scenarios"]),
        decides=False,
        scores=_scores(episodes),
        against_base=_paired(episodes, score.BASE, settings),
        against_parent=_paired(episodes, PARENT, settings),
        no_parent_because=no_parent or None,
        gate=_gate(str(summary["verdict"]), [Finding(**finding) for finding in summary["findings"]]),
    )


def development_result(folder: Path, settings: TrainConfig) -> DevelopmentResult:
    """Read the development episodes and decide whether the adapter improved on its parent, or without a parent on the base."""
    scenarios = load("development", settings.split, settings.repair.seed, settings.repair.scenarios)
    episodes = trajectory.by_agent(trajectory.read(folder / DEVELOPMENT))
    over = PARENT if PARENT in episodes else score.BASE
    judgement = gate.judge(episodes, score.compare_to_base(episodes, [score.TUNED], settings.eval)[score.TUNED], settings.eval)
    unmeasured = gate.unmeasured(episodes, settings.eval) or None
    finding = improvement(episodes[over], episodes[score.TUNED], settings.eval, settings.repair.tests, over)
    improved = finding.state == "met" and not unmeasured
    continued = score.TUNED if over == score.BASE or improved else over
    shown = {agent: own for agent, own in episodes.items() if agent != score.REFERENCE}
    return DevelopmentResult(
        seed=settings.repair.seed,
        scenarios=ScenarioSet(len(scenarios), digest(scenarios)),
        decides=True,
        scores=_scores(shown),
        against_base=_paired(shown, score.BASE, settings),
        against_parent=_paired(shown, PARENT, settings),
        improvement=Improvement(**asdict(finding), over=over, tests=settings.repair.tests),
        improved=improved,
        unmeasured=unmeasured,
        goes_on_from=continued,
        lost=repair.count(episodes[continued], labels.seen_directives(scenarios, episodes[score.REFERENCE])),
        gate=_gate(judgement.verdict, judgement.findings),
    )


def improvement(before: Sequence[Trajectory], after: Sequence[Trajectory], config: EvalConfig, tests: int, over: str) -> Finding:
    """Judge by the gate's rule for its critical criterion, the p value multiplied by the number of tests (Bonferroni)."""
    pair = paired.pair(before, after, config.criterion)
    criterion = Criterion(tier=Tier.critical, rule=Rule.up, margin=config.min_gain)
    finding = judge_rate(replace(pair, holm_p=min(1.0, pair.mcnemar_p * tests)), criterion)
    return replace(finding, text=finding.text.replace("the base", f"the {over}"))


def next_iteration(folder: Path, settings: TrainConfig, development: DevelopmentResult, sources: Sequence[str]) -> NextIteration | None:
    """The next iteration; None if the episodes measure nothing, or if no source of data is played anew."""
    if development.unmeasured or not sources:
        return None
    mix = repair.choose_mix(development.lost) if settings.repair.aimed else Mix()
    adapter = folder / "adapter" if development.goes_on_from == score.TUNED else settings.adapter
    seeds = {"split.seed": settings.split.seed + 1, "repair.seed": settings.repair.seed + 1}
    overrides = [f"adapter='{adapter}'", f"repair.after='{folder}'", *(f"{key}={value}" for key, value in seeds.items())]
    rationale = repair.explain(development.lost, mix, settings.repair.aimed, str(folder))
    return NextIteration((*overrides, *mix.overrides(sources)), rationale)


def _not_comparable(settings: TrainConfig, summary: Mapping[str, Any], parent: Parent) -> str:
    """Why the episodes of the parent's evaluation cannot be compared with this run's; empty if they can."""
    run = Path(parent.run) if parent.run else None
    if run is None or not (run / EPISODES).exists() or not (run / SUMMARY).exists() or Path(parent.adapter).name != "adapter":
        return "no evaluation of its run is known"
    other, limits, own = records.summary(run), records.settings(run)["eval"], asdict(settings.eval)
    if other.get("scenarios") != summary["scenarios"]:
        return "it was evaluated in other scenarios"
    if other.get("sandbox") != summary["sandbox"] or any(str(limits.get(key)) != str(own[key]) for key in DECIDED_BY):
        return "it was evaluated with other limits, or in another sandbox"
    return "" if other.get("tuned") else "its run evaluated no adapter"


def _scores(episodes: EpisodesByAgent) -> RatesByAgent:
    return {agent: {name: rates.rate_of(own, met) for name, met in rates.JUDGED.items()} for agent, own in episodes.items()}


def _paired(episodes: EpisodesByAgent, other: str, settings: TrainConfig) -> PairedByRate | None:
    """The adapter against another agent, by each criterion of the gate; None if the other did not play."""
    if other not in episodes:
        return None
    names = [name for name in gate.criteria(settings.eval) if name != gate.LOSS]
    return {name: paired.pair(episodes[other], episodes[score.TUNED], name) for name in names}


def _gate(verdict: str, findings: Sequence[Finding]) -> Gate:
    critical = [finding for finding in findings if finding.tier == Tier.critical.value]
    met = sum(finding.state == "met" for finding in critical)
    return Gate(verdict, CriticalCriteria(met, len(critical), met / len(critical) if critical else 0.0), tuple(findings))
