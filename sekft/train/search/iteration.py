"""iteration.json: what a training is beside the one its adapter comes from, what both did in the same worlds, and what is to be done next.

All of it follows from files of this run and of its parent's. The exam's worlds are reported and decide nothing; what is decided is
decided in the development worlds, which nothing was learned from and nothing was decided by before.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from sekft.compare.groups import flat
from sekft.config import EvalConfig, TrainConfig
from sekft.episode import trajectory
from sekft.episode.trajectory import Trajectory
from sekft.errors import SettingsError
from sekft.eval import gate, labels, paired, rates, score
from sekft.eval.criterion import Finding, Line, Rule, Tier, judge_rate
from sekft.eval.evaluation import LIVED_BY
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
FROZEN = ("held_out", "exam")
RECOMMENDED = {
    Verdict.promote: "promote",
    Verdict.hold: "hold",
    Verdict.inconclusive: "examine in more worlds",
    Verdict.unmeasured: "examine again",
}
ELSEWHERE = "examine on the frozen set"  # a promote that was earned in other worlds
Players = Mapping[str, Sequence[Trajectory]]


def require(settings: TrainConfig) -> None:
    """Raises SettingsError."""
    if settings.repair.worlds and not settings.eval.episodes:
        raise SettingsError(f"repair.worlds={settings.repair.worlds}: allowed with an exam; give it eval.episodes=N")
    if settings.repair.after and not (Path(settings.repair.after) / ITERATION).is_file():
        raise SettingsError(f"repair.after={settings.repair.after}: no {ITERATION} there; allowed: a run of sekft.train with an exam")
    parent_of(settings)  # which raises, before anything is trained, for a record of it that cannot be read


def write(folder: Path, settings: TrainConfig, summary: Mapping[str, Any], sources: Sequence[str]) -> list[str]:
    """Of a run in this folder that was examined; what is to be said of it. sources: whose lives the reference played."""
    made = document(folder, settings, summary, sources)
    write_json(folder / ITERATION, made)
    return lines(made)


def lines(told: Mapping[str, Any]) -> list[str]:
    """What was decided in the development worlds; nothing without them."""
    if not (developed := told["development"]):
        return []
    found, whom = developed["improvement"], developed["improvement"]["over"]
    pair = developed[f"against_{whom}"][found["criterion"]]
    against = f"won {pair['wins']}, lost {pair['losses']} against the {whom} in {pair['n']} development worlds"
    said = developed["unmeasured"] or f"{found['state']}: {found['text']}"
    out = [f"iteration {told['iteration']}: {found['criterion']} {against}; {said}; it goes on from {developed['goes_on_from']}"]
    return out + [f"  next: {line}" for line in (told["next"] or {"rationale": {"said": ()}})["rationale"]["said"]]


def document(folder: Path, settings: TrainConfig, summary: Mapping[str, Any], sources: Sequence[str]) -> dict[str, Any]:
    parent, after = parent_of(settings), read(Path(settings.repair.after)) if settings.repair.after else None
    exam = in_exam(folder, settings, summary, parent)
    lived = settings.repair.worlds and (folder / DEVELOPMENT).exists()  # not where time was up before
    developed = in_development(folder, settings) if lived else None
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
        "scoring_mode": "unmeasured" if verdict is Verdict.unmeasured else "paired lives",
        "exam": exam,
        "development": developed,
        "critical_pass_rate": exam["gate"]["critical"],
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


def in_exam(folder: Path, settings: TrainConfig, summary: Mapping[str, Any], parent: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the exam of this run says, and beside it the parent's, where that sat the same one."""
    lives = _by_player(trajectory.read(folder / EPISODES))
    own = {score.BASE: lives[score.BASE], score.TUNED: lives[score.TUNED]}
    unlike = _unlike(settings, summary, parent) if parent else "no parent"
    if parent and not unlike:
        own[PARENT] = _by_player(trajectory.read(Path(parent["run"]) / EPISODES))[score.TUNED]
    return {
        "scenarios": settings.scenarios,
        "worlds": summary["worlds"],
        "decides": False,
        **_compared(own, settings),
        "no_parent_because": unlike or None,
        "gate": _gate(str(summary["verdict"]), summary["findings"]),
    }


def in_development(folder: Path, settings: TrainConfig) -> dict[str, Any]:
    """The same in worlds that nobody has looked at, where it counts: did the adapter improve on what it was trained on from?"""
    bundles = load("development", settings.split, settings.repair.seed, settings.repair.worlds)
    lives = _by_player(trajectory.read(folder / DEVELOPMENT))
    whom = PARENT if PARENT in lives else score.BASE
    judged = gate.judge(lives, score.compared(lives, [score.TUNED], settings.eval)[score.TUNED], settings.eval)
    told = gate.unmeasured(lives, settings.eval) or None
    finding = improvement(lives[whom], lives[score.TUNED], settings.eval, settings.repair.tests, whom)
    heir = score.TUNED if whom == score.BASE or finding.state == "met" and not told else whom
    counted = repair.counted(lives[heir], labels.readable(bundles, lives[score.REFERENCE]))
    return {
        "seed": settings.repair.seed,
        "worlds": {"n": len(bundles), "sha256": digest(bundles)},
        "decides": True,
        **_compared({player: own for player, own in lives.items() if player != score.REFERENCE}, settings),
        "improvement": {"over": whom, "tests": settings.repair.tests, **asdict(finding)},
        "improved": finding.state == "met" and not told,
        "unmeasured": told,
        "goes_on_from": heir,
        "lost": asdict(counted),
        "gate": _gate(judged.verdict, [asdict(one) for one in judged.findings]),
    }


def improvement(before: Sequence[Trajectory], after: Sequence[Trajectory], limits: EvalConfig, tests: int, whom: str) -> Finding:
    """By the gate's rule for its critical criterion, with a p value that pays for so many looks."""
    pair = paired.pair(before, after, limits.criterion)
    line = Line(tier=Tier.critical, rule=Rule.up, margin=limits.min_gain)
    finding = judge_rate(replace(pair, holm_p=min(1.0, pair.mcnemar_p * tests)), line)
    return replace(finding, text=finding.text.replace("the base", f"the {whom}"))


def following(folder: Path, settings: TrainConfig, developed: Mapping[str, Any], sources: Sequence[str]) -> dict[str, Any] | None:
    """The next iteration as overrides of this run's command, and why; None where the lives tell nothing, or no data is made anew."""
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
    """Why the parent's lives of its exam are not comparable; empty if they are."""
    run = Path(parent["run"]) if parent["run"] else None
    if run is None or not (run / EPISODES).exists() or not (run / SUMMARY).exists() or Path(parent["adapter"]).name != "adapter":
        return "no exam of its run is known"
    told, limits, own = records.summary(run), records.settings(run)["eval"], asdict(settings.eval)
    if told.get("worlds") != summary["worlds"]:
        return "it sat an exam in other worlds"
    if told.get("sandbox") != summary["sandbox"] or any(str(limits.get(key)) != str(own[key]) for key in LIVED_BY):
        return "it sat its exam within other limits, or in another sandbox"
    return "" if told.get("tuned") else "its exam was of no adapter"


def _compared(lives: Players, settings: TrainConfig) -> dict[str, Any]:
    """Every rate of every player, and the adapter against each of the others."""
    judged = [name for name in gate.criteria(settings.eval) if name != gate.LOSS]
    scores = {player: {name: asdict(rates.counted(own, met)) for name, met in rates.JUDGED.items()} for player, own in lives.items()}
    told: dict[str, Any] = {"scores": scores}
    for other in (score.BASE, PARENT):
        pairs = {name: paired.pair(lives[other], lives[score.TUNED], name) for name in judged} if other in lives else None
        told[f"against_{other}"] = pairs and {name: asdict(pair) for name, pair in pairs.items()}
    return told


def _gate(verdict: str, findings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    critical = [one for one in findings if one["tier"] == Tier.critical.value]
    met = sum(one["state"] == "met" for one in critical)
    passed = {"met": met, "of": len(critical), "rate": met / len(critical) if critical else 0.0}
    return {"verdict": verdict, "critical": passed, "findings": [dict(one) for one in findings]}


def _by_player(lives: Iterable[Trajectory]) -> dict[str, list[Trajectory]]:
    found: dict[str, list[Trajectory]] = {}
    for life in lives:
        found.setdefault(life.operator, []).append(life)
    return found
