"""iteration.json: what a training is beside the one its adapter comes from, what both did in the same scenarios, and what is to be done next.

All of it follows from files of this run and of its parent's. The evaluation's scenarios are reported and decide nothing; what is decided is
decided in the development scenarios, which nothing was learned from and nothing was decided by before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from sekft.compare.groups import flat
from sekft.config import EvalConfig, TrainConfig
from sekft.episode import trajectory
from sekft.episode.trajectory import EpisodesByAgent, Trajectory
from sekft.errors import SettingsError
from sekft.eval import gate, labels, paired, rates, score
from sekft.eval.criterion import Criterion, Finding, Rule, Tier, judge_rate
from sekft.eval.evaluation import DECIDED_BY
from sekft.eval.gate import Verdict
from sekft.scenario.split import digest, is_frozen, load
from sekft.tracking import audit, records
from sekft.tracking.digest import ASIDE, of_path
from sekft.tracking.files import write_json
from sekft.tracking.record import RUN, SUMMARY
from sekft.train.search import repair

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
ELSEWHERE = "evaluate on the frozen set"  # a promote that was earned in other scenarios


def require(settings: TrainConfig) -> None:
    """Raises SettingsError."""
    if settings.repair.scenarios and not settings.eval.episodes:
        raise SettingsError(f"repair.scenarios={settings.repair.scenarios}: allowed with an evaluation; give it eval.episodes=N")
    if settings.repair.after and not (Path(settings.repair.after) / ITERATION).is_file():
        raise SettingsError(f"repair.after={settings.repair.after}: no {ITERATION} there; allowed: a run of sekft.train with an evaluation")
    parent_of(settings)  # which raises, before anything is trained, for a record of it that cannot be read


def write(folder: Path, settings: TrainConfig, summary: Mapping[str, Any], sources: Sequence[str]) -> list[str]:
    """Of a run in this folder that was evaluated; what is to be said of it. sources: whose episodes the reference played."""
    made = document(folder, settings, summary, sources)
    write_json(folder / ITERATION, made)
    return lines(made)


def lines(told: Mapping[str, Any]) -> list[str]:
    """What was decided in the development scenarios; nothing without them."""
    if not (developed := told["development"]):
        return []
    found, whom = developed["improvement"], developed["improvement"]["over"]
    pair = developed[f"against_{whom}"][found["criterion"]]
    against = f"won {pair['wins']}, lost {pair['losses']} against the {whom} in {pair['n']} development scenarios"
    said = developed["unmeasured"] or f"{found['state']}: {found['text']}"
    out = [f"iteration {told['iteration']}: {found['criterion']} {against}; {said}; it goes on from {developed['goes_on_from']}"]
    return out + [f"  next: {line}" for line in (told["next"] or {"rationale": {"said": ()}})["rationale"]["said"]]


def document(folder: Path, settings: TrainConfig, summary: Mapping[str, Any], sources: Sequence[str]) -> dict[str, Any]:
    parent, after = parent_of(settings), read(Path(settings.repair.after)) if settings.repair.after else None
    evaluation = in_eval(folder, settings, summary, parent)
    played = settings.repair.scenarios and (folder / DEVELOPMENT).exists()  # not where time was up before
    developed = in_development(folder, settings) if played else None
    before = after or (parent or {})
    verdict = Verdict(str(summary["verdict"]).split()[0])
    known = verdict is not Verdict.promote or (settings.scenarios in FROZEN and is_frozen(settings.split))
    return {
        "schema_version": SCHEMA_VERSION,
        "iteration": before["iteration"] + 1 if before else 0,
        "run": str(folder),
        "parent": parent,
        "compared_with": PARENT if parent else score.BASE,
        "rationale": {"run": settings.repair.after, **((after.get("next") or {}).get("rationale") or {})} if after else None,
        "changes": changes(folder, parent),
        "learned": {"supervised_tokens": summary["supervised_tokens"], **summary["data"], "steps": summary["steps"]},
        "scoring_mode": "unmeasured" if verdict is Verdict.unmeasured else "paired episodes",
        "test": evaluation,
        "development": developed,
        "critical_pass_rate": evaluation["gate"]["critical"],
        "gate_result": str(summary["verdict"]),
        "recommendation": RECOMMENDED[verdict] if known else ELSEWHERE,
        "next": following(folder, settings, developed, sources) if developed else None,
    }


def parent_of(settings: TrainConfig) -> dict[str, Any] | None:
    """Where the adapter comes from that was trained on; of a folder without a run the digest alone is known."""
    if not settings.adapter:
        return None
    adapter = Path(settings.adapter)
    run = adapter.parent if (adapter.parent / RUN).exists() else None
    known = read(run) if run and (run / ITERATION).exists() else {}
    seal = audit.seal(run) if run else None
    return {
        "run": run and str(run),
        "adapter": str(adapter),
        "digest": of_path(adapter),
        "audit": seal,
        "iteration": known.get("iteration", 0),
    }


def changes(folder: Path, parent: Mapping[str, Any] | None) -> dict[str, list[Any]]:
    """Setting -> [the parent's, this run's], where they differ; nothing without a parent whose run is known."""
    if not parent or not parent["run"]:
        return {}
    before, now = (flat(records.settings(run)) for run in (Path(parent["run"]), folder))
    keys = [key for key in {**before, **now} if key.partition(".")[0] not in ASIDE and before.get(key) != now.get(key)]
    return {key: [before.get(key), now.get(key)] for key in keys}


def in_eval(folder: Path, settings: TrainConfig, summary: Mapping[str, Any], parent: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the evaluation of this run says, and beside it the parent's, where that sat the same one."""
    episodes = trajectory.by_agent(trajectory.read(folder / EPISODES))
    own = {score.BASE: episodes[score.BASE], score.TUNED: episodes[score.TUNED]}
    unlike = _unlike(settings, summary, parent) if parent else "no parent"
    if parent and not unlike:
        own[PARENT] = trajectory.by_agent(trajectory.read(Path(parent["run"]) / EPISODES))[score.TUNED]
    return {
        "set": settings.scenarios,
        "scenarios": summary["scenarios"],
        "decides": False,
        **_compared(own, settings),
        "no_parent_because": unlike or None,
        "gate": _gate(str(summary["verdict"]), summary["findings"]),
    }


def in_development(folder: Path, settings: TrainConfig) -> dict[str, Any]:
    """The same in scenarios that nobody has looked at, where it counts: did the adapter improve on what it was trained on from?"""
    scenarios = load("development", settings.split, settings.repair.seed, settings.repair.scenarios)
    episodes = trajectory.by_agent(trajectory.read(folder / DEVELOPMENT))
    whom = PARENT if PARENT in episodes else score.BASE
    judged = gate.judge(episodes, score.compare_to_base(episodes, [score.TUNED], settings.eval)[score.TUNED], settings.eval)
    told = gate.unmeasured(episodes, settings.eval) or None
    finding = improvement(episodes[whom], episodes[score.TUNED], settings.eval, settings.repair.tests, whom)
    successor = score.TUNED if whom == score.BASE or finding.state == "met" and not told else whom
    counted = repair.counted(episodes[successor], labels.seen_directives(scenarios, episodes[score.REFERENCE]))
    return {
        "seed": settings.repair.seed,
        "scenarios": {"n": len(scenarios), "sha256": digest(scenarios)},
        "decides": True,
        **_compared({agent: own for agent, own in episodes.items() if agent != score.REFERENCE}, settings),
        "improvement": {"over": whom, "tests": settings.repair.tests, **asdict(finding)},
        "improved": finding.state == "met" and not told,
        "unmeasured": told,
        "goes_on_from": successor,
        "lost": asdict(counted),
        "gate": _gate(judged.verdict, [asdict(one) for one in judged.findings]),
    }


def improvement(before: Sequence[Trajectory], after: Sequence[Trajectory], config: EvalConfig, tests: int, whom: str) -> Finding:
    """By the gate's rule for its critical criterion, with a p value that pays for so many looks."""
    pair = paired.pair(before, after, config.criterion)
    criterion = Criterion(tier=Tier.critical, rule=Rule.up, margin=config.min_gain)
    finding = judge_rate(replace(pair, holm_p=min(1.0, pair.mcnemar_p * tests)), criterion)
    return replace(finding, text=finding.text.replace("the base", f"the {whom}"))


def following(folder: Path, settings: TrainConfig, developed: Mapping[str, Any], sources: Sequence[str]) -> dict[str, Any] | None:
    """The next iteration as overrides of this run's command, and why; None where the episodes tell nothing, or no data is made anew."""
    if developed["unmeasured"] or not sources:
        return None
    found = repair.Counted(**developed["lost"])
    made = repair.mix(found) if settings.repair.aimed else repair.Mix()
    adapter = folder / "adapter" if developed["goes_on_from"] == score.TUNED else settings.adapter
    seeds = {"split.seed": settings.split.seed + 1, "repair.seed": settings.repair.seed + 1}
    words = [f"adapter='{adapter}'", f"repair.after='{folder}'", *(f"{key}={value}" for key, value in seeds.items())]
    return {"overrides": [*words, *made.overrides(sources)], "rationale": repair.rationale(found, made, settings.repair.aimed)}


def read(folder: Path) -> dict[str, Any]:
    """Raises DataError."""
    return records.document(folder / ITERATION)


def _unlike(settings: TrainConfig, summary: Mapping[str, Any], parent: Mapping[str, Any]) -> str:
    """Why the parent's episodes of its evaluation are not comparable; empty if they are."""
    run = Path(parent["run"]) if parent["run"] else None
    if run is None or not (run / EPISODES).exists() or not (run / SUMMARY).exists() or Path(parent["adapter"]).name != "adapter":
        return "no evaluation of its run is known"
    told, limits, own = records.summary(run), records.settings(run)["eval"], asdict(settings.eval)
    if told.get("scenarios") != summary["scenarios"]:
        return "it sat an evaluation in other scenarios"
    if told.get("sandbox") != summary["sandbox"] or any(str(limits.get(key)) != str(own[key]) for key in DECIDED_BY):
        return "it sat its evaluation within other limits, or in another sandbox"
    return "" if told.get("tuned") else "its evaluation was of no adapter"


def _compared(episodes: EpisodesByAgent, settings: TrainConfig) -> dict[str, Any]:
    """Every rate of every agent, and the adapter against each of the others."""
    judged = [name for name in gate.criteria(settings.eval) if name != gate.LOSS]
    scores = {agent: {name: asdict(rates.rate_of(own, met)) for name, met in rates.JUDGED.items()} for agent, own in episodes.items()}
    told: dict[str, Any] = {"scores": scores}
    for other in (score.BASE, PARENT):
        pairs = {name: paired.pair(episodes[other], episodes[score.TUNED], name) for name in judged} if other in episodes else None
        told[f"against_{other}"] = pairs and {name: asdict(pair) for name, pair in pairs.items()}
    return told


def _gate(verdict: str, findings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    critical = [one for one in findings if one["tier"] == Tier.critical.value]
    met = sum(one["state"] == "met" for one in critical)
    passed = {"met": met, "of": len(critical), "rate": met / len(critical) if critical else 0.0}
    return {"verdict": verdict, "critical": passed, "findings": [dict(one) for one in findings]}
