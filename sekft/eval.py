"""The exam alone: base, adapter and reference go through held-out worlds; rates, pairing, verdict."""

import json
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sekft.command import facts
from sekft.command.examined import exam_bundles
from sekft.command.launch import Job, echo, launch
from sekft.command.replay import replaying
from sekft.command.sweep import Sweeps
from sekft.config import EvalConfig, EvalVerbConfig, OperatorKind, Suite
from sekft.data import inputs
from sekft.data.tinystories import suite as stories
from sekft.errors import ModelError, SettingsError
from sekft.exam import capability, gate, rates, score, show
from sekft.exam.score import Score
from sekft.exam.sitting import Candidates, Cast, Exam, whole_lines
from sekft.model.locate import base_folder, never_saw, pickles
from sekft.rendering.fingerprint import fingerprint
from sekft.report.asciicast import write_casts
from sekft.report.exam import write_exam_page
from sekft.rollout import trajectory
from sekft.rollout.remembered import recall, remember
from sekft.rollout.show import episode_row, write_examples
from sekft.rollout.trajectory import Trajectory
from sekft.sandbox import choose
from sekft.sandbox.text import TEXT_VERSION
from sekft.scenario.bundle import Bundle
from sekft.scenario.split import digest, is_foreign
from sekft.tracking import heartbeat
from sekft.tracking.tracked import Tracked, tracked

if TYPE_CHECKING:
    from sekft.model.base import Base

EPISODES, ANSWERS = "episodes.jsonl", "answers.jsonl"


def run(settings: EvalVerbConfig, job: Job) -> dict[str, Any]:
    gate.require_criterion(settings.eval)
    if settings.eval.suite is not Suite.none and not settings.eval.episodes:
        return suite_alone(settings, job)
    bundles = exam_bundles(settings)
    if not bundles:
        raise SettingsError("eval.episodes=0: nothing to do; allowed: 1 or more")
    adapters = adapters_of(settings.adapter, score.TUNED, score.NAMES)
    remote = settings.operator.kind is OperatorKind.endpoint
    require_candidates(settings, {} if remote else adapters)
    backend = choose.backend(settings.sandbox, echo, is_foreign(settings.scenarios))
    unseen = () if remote else unseen_archetypes(settings)
    exam = Exam(bundles, backend, settings.eval, settings.workers, settings.seed, tuple(settings.split.held_out), unseen)
    with tracked("eval", settings, job, settings.tracker) as track:
        track.know(**facts.of_examining(settings, exam, adapters))
        started, before = time.monotonic(), loads(remote)
        used = {} if remote else track.uses(adapters)
        candidates = of_endpoint(settings, adapters) if remote else of_model(settings, adapters, exam)
        loaded = time.monotonic()
        track.know(**({} if remote else facts.of_kept()))
        heartbeat.stage("exam")
        summary = {"verb": "eval", "seed": settings.seed, **examine(candidates, exam, track)}
        if settings.eval.suite is not Suite.none:
            summary |= {"suite": answer_suite(base_of(settings), adapters, settings.eval, settings.seed, track)}
        seconds = {"load": round(loaded - started, 3), "train": 0.0, "exam": round(time.monotonic() - loaded, 3)}
        summary |= {"base_loads": loads(remote) - before, "supervised_tokens": 0, "seconds": seconds, "adapters": used}
        track.summary(summary)
        echo(f"run: {job.folder}")
        echo(track.line)
    gate.require_verdict(summary["verdict"], settings.eval)
    return summary


def suite_alone(settings: EvalVerbConfig, job: Job) -> dict[str, Any]:
    """No lives, only questions."""
    adapters = adapters_of(settings.adapter, score.TUNED, score.NAMES)
    require_candidates(settings, adapters)
    with tracked("eval", settings, job, settings.tracker) as track:
        base = base_of(settings)
        track.know(**facts.of_loaded(base))
        for folder in adapters.values():
            doubt(base, folder, ())
        answers = answer_suite(base, adapters, settings.eval, settings.seed, track)
        summary = {"verb": "eval", "seed": settings.seed, "verdict": score.NO_EXAM["verdict"], "suite": answers}
        track.summary(summary)
        echo(f"run: {job.folder}")
        echo(track.line)
    gate.require_verdict(summary["verdict"], settings.eval)
    return summary


def answer_suite(
    base: "Base", adapters: Mapping[str, Path], limits: EvalConfig, seed: int, track: Tracked, step: int = 0
) -> dict[str, Any]:
    """Every question to the base and to every adapter; prints the measures, writes the answers, returns them for summary.json."""
    from sekft.model.asking import replies

    asked = stories.suite(limits.suite_path, limits.suite_stories)
    given = replies(base, {"base": None, **adapters}, {one.id: one.messages for one in asked}, limits, seed)
    told = capability.compared({player: stories.scores_of(asked, own) for player, own in given.items()})
    rows = [
        {"player": player, "id": one.id, "stopped": stopped, "reply": text}
        for player in given
        for one, (text, stopped) in zip(asked, given[player], strict=True)
    ]
    (track.folder / ANSWERS).write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    for measured in capability.lines(told):
        echo(measured)
    looked_at = list(told["players"])[-1]
    track.log({f"suite/{name}": value["mean"] for name, value in told["players"][looked_at].items()}, step)
    return {"name": limits.suite.value, "questions": len(asked), **told}


def require_candidates(settings: EvalVerbConfig, folders: Mapping[str, Path]) -> None:
    """Raises SettingsError or ModelError for one that is not there, before anything is loaded."""
    if settings.eval.suite is not Suite.none and settings.operator.kind is not OperatorKind.model:
        raise SettingsError(f"operator={settings.operator.kind.value}: allowed with eval.suite={settings.eval.suite.value}: model")
    match settings.operator.kind:
        case OperatorKind.endpoint:
            if not settings.operator.model:
                raise SettingsError("operator.model: empty; allowed: the name the server at operator.url knows its model by")
        case OperatorKind.model:
            base_folder(settings.model, weights=True)
            for folder in folders.values():
                require_adapter(folder)
        case other:
            raise SettingsError(f"operator={other.value}: allowed here: model, endpoint; the reference is examined anyway")


def of_model(settings: EvalVerbConfig, adapters: Mapping[str, Path], exam: Exam) -> Candidates:
    """The base of model=, and adapters in folders."""
    base = base_of(settings)
    doubts = {name: doubt(base, folder, exam.bundles) for name, folder in adapters.items()}
    return on_base(base, adapters, exam, doubts)


def base_of(settings: EvalVerbConfig) -> "Base":
    """Loaded once; it stays."""
    from sekft.model import base as bases

    return bases.load(settings.model)


def on_base(base: "Base", adapters: Mapping[str, Path], exam: Exam, doubts: Mapping[str, str] | None = None) -> Candidates:
    from sekft.model import prose
    from sekft.model.players import players

    about = {"weights": base.identity(), "loaded": str(base.config), "chat": fingerprint(base.tokenizer, "", TEXT_VERSION)}

    def seat(with_base: bool) -> AbstractContextManager[Cast]:
        asked: dict[str, Path | None] = {"base": None} if with_base else {}
        return players(base, {**asked, **adapters}, exam.limits, exam.seed)

    return Candidates(tuple(adapters), about, seat, doubts or {}, lambda: {prose.NAME: prose.read(base, adapters).summary()})


def base_lives(base: "Base", exam: Exam, title: str = "choosing") -> list[Trajectory]:
    """Of the base alone; lived once."""
    candidates = on_base(base, {}, exam)
    about = exam.about({"base": candidates.base})["base"]
    if exam.limits.remember and (known := recall("base", about)) is not None:
        return known
    with candidates.seat(True) as cast:
        lives = exam.play(cast.operators, f"{title}: base", tokens=cast.generated)["base"]
    remember("base", about, lives)
    return lives


def of_endpoint(settings: EvalVerbConfig, adapters: Mapping[str, Path]) -> Candidates:
    """Models behind operator.url: operator.model as the base, adapter= by the names the server gives them; without any scaffold."""
    from sekft.serving.client import Client, EndpointCast, EndpointOperator

    asked = replace(settings.operator, temperature=settings.eval.temperature, max_tokens=settings.eval.max_reply_tokens)
    clients = {name: Client(replace(asked, model=str(model))) for name, model in {"base": asked.model, **adapters}.items()}
    for client in clients.values():
        client.require_answer()
    operators = {name: EndpointOperator(client, "", settings.seed, name) for name, client in clients.items()}

    def seat(with_base: bool) -> AbstractContextManager[Cast]:
        return nullcontext(EndpointCast(operators))

    return Candidates(tuple(adapters), None, seat, dict.fromkeys(adapters, "an endpoint shows no fingerprint"))


def unseen_archetypes(settings: Any) -> tuple[str, ...]:
    """Of split.set_aside what the base says that it never saw: nobody else can know."""
    told = never_saw(settings.model)
    return tuple(name for name in settings.split.set_aside if name in told)


def loads(remote: bool) -> int:
    if remote:
        return 0
    from sekft.model import base as bases

    return bases.base_loads()


def examine(candidates: Candidates, exam: Exam, track: Tracked, step: int = 0, group: str = "eval") -> dict[str, Any]:
    """Every player through the same worlds; prints the table, writes the lives, returns the exam's part of summary.json.

    step: of the training, for the axis of the metrics; group: what they are called there.
    """
    partial = track.folder / f"{EPISODES}.partial"
    about = exam.about({"base": candidates.base} if candidates.base else {})
    lives = {player: known for player in about if exam.limits.remember and (known := recall(player, about[player])) is not None}
    with candidates.seat("base" not in lives) as cast:
        missing = {name: operator for name, operator in {**cast.operators, **exam.scripted()}.items() if name not in lives}
        lives |= exam.play(missing, "exam", whole_lines(partial), cast.generated)
    lives = {player: lives[player] for player in ("base", *candidates.adapters, *exam.scripted())}
    trajectory.write([life for player in lives for life in lives[player]], track.folder / EPISODES)
    partial.unlink(missing_ok=True)
    for player in about.keys() & missing.keys():
        remember(player, about[player], lives[player])
    scored = score.score(lives, exam.bundles, exam.limits, candidates.doubts, candidates.losses(), exam.held_out, exam.unseen)
    track.log(rates.metrics(lives[scored.looked_at], group), step)
    report(lives, exam, scored, track)
    place = {"backend": exam.backend.name, "digest": exam.backend.digest}  # one object, so the same for every player
    return {
        **scored.summary(),
        "sandbox": place,
        "worlds": {"n": len(exam.bundles), "sha256": digest(exam.bundles)},
        "unseen": list(exam.unseen),
        "tokens": cast.tokens(),
        "remembered": sorted(lives.keys() - missing.keys()),
    }


def report(lives: Mapping[str, Sequence[Trajectory]], exam: Exam, scored: Score, track: Tracked) -> None:
    """Prints, draws report.html and lives/*.cast, tells the tracker of every life."""
    show.print_score(scored)
    for said in show.lines(scored):
        echo(said)
    looked_at = lives[scored.looked_at]
    for name, path in write_examples(looked_at, track.folder / "lives").items():
        echo(f"a {name} life: {path}")
    casts = write_casts(lives, scored, track.folder / "lives")
    echo(f"to look at: {write_exam_page(lives, exam.bundles, scored, casts, track.folder / 'report.html')}")
    track.episodes([episode_row(player, life) for player in lives for life in lives[player]])


def adapters_of(given: Any, alone: str, taken: Collection[str]) -> dict[str, Path]:
    """name -> folder; a folder by itself goes by the name `alone`. Raises SettingsError, also for a name that is taken."""
    if isinstance(given, str):
        given = {alone: given}
    if given is not None and not (isinstance(given, dict) and all(isinstance(value, str) for value in given.values())):
        raise SettingsError(f"adapter: found {given!r}, allowed: a folder, or several by name: 'adapter={{one: FOLDER, two: FOLDER}}'")
    adapters = {str(name): Path(folder) for name, folder in (given or {}).items()}
    if clash := sorted(adapters.keys() & set(taken)):
        raise SettingsError(f"adapter: {clash[0]} is somebody else's name; allowed: any but {', '.join(sorted(taken))}")
    return adapters


def require_adapter(folder: Path | None) -> None:
    """Raises ModelError, before torch is imported, for a folder that is no adapter."""
    if folder is None or ((folder / "config.json").exists() and any(folder.glob("model*.safetensors"))):  # whole weights: lora=none
        return
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        if not (folder / name).exists():
            raise ModelError(f"adapter={folder}: no {name} there{pickles(folder)}; allowed: what sekft.train writes as adapter/")


def doubt(base: "Base", adapter: Path | None, bundles: Sequence[Bundle]) -> str:
    """Why the adapter may not be promoted whatever it achieves; said, and returned. Empty if there is no reason.

    Raises ModelError if it was trained on something else than what is served here.
    """
    from sekft.model.lora import fingerprint_of, require_fingerprint

    if adapter is None:
        return ""
    if not require_fingerprint(adapter, fingerprint(base.tokenizer, base.identity(), TEXT_VERSION)):
        echo(f"{adapter}: render unproven (no fingerprint.json); examined, never promoted")
        return "render unproven"
    if (about := fingerprint_of(adapter) or {}).get("unproven"):
        echo(f"{adapter}: trained on from an adapter without fingerprint.json; examined, never promoted")
        return "trained on from what is unproven"
    seen = {bundle.id for bundle in bundles} & set(about.get("worlds", ()))
    if seen:
        echo(f"{adapter}: trained on {len(seen)} of these worlds, {min(seen)} among them; examined, never promoted")
        return f"trained on {len(seen)} of these worlds"
    return ""


def worth(settings: Any, summary: Mapping[str, Any]) -> float | None:
    """What eval.criterion says of the tuned model; None without an exam."""
    return float(summary["tuned"]["rates"][settings.eval.criterion]["rate"]) if summary.get("tuned") else None


def main() -> None:
    launch("eval", replaying(run), Sweeps(inputs.of_exam, worth=worth))


if __name__ == "__main__":
    main()
