"""The exam alone: base, adapter and reference go through held-out worlds; rates, pairing, verdict."""

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sekft.cli.console import echo
from sekft.config import EvalConfig, EvalVerbConfig
from sekft.data.tinystories import suite as stories
from sekft.episode import trajectory
from sekft.episode.cache import recall, remember
from sekft.episode.show import episode_row, write_examples
from sekft.episode.trajectory import Trajectory
from sekft.eval import rates, score, show, suite_scores
from sekft.eval.asciicast import write_casts
from sekft.eval.evaluation import Candidates, Cast, Exam, whole_lines
from sekft.eval.page import write_exam_page
from sekft.eval.score import Score
from sekft.model.locate import never_saw
from sekft.rendering.fingerprint import fingerprint
from sekft.sandbox.text import TEXT_VERSION
from sekft.scenario.split import digest
from sekft.tracking.tracked import Tracked

if TYPE_CHECKING:
    from sekft.model.base import Base

EPISODES, ANSWERS = "episodes.jsonl", "answers.jsonl"


def answer_suite(
    base: "Base", adapters: Mapping[str, Path], limits: EvalConfig, seed: int, track: Tracked, step: int = 0
) -> dict[str, Any]:
    """Every question to the base and to every adapter; prints the measures, writes the answers, returns them for summary.json."""
    from sekft.model.questions import replies

    asked = stories.suite(limits.suite_path, limits.suite_stories)
    given = replies(base, {"base": None, **adapters}, {one.id: one.messages for one in asked}, limits, seed)
    told = suite_scores.compared({player: stories.scores_of(asked, own) for player, own in given.items()})
    rows = [
        {"player": player, "id": one.id, "stopped": stopped, "reply": text}
        for player in given
        for one, (text, stopped) in zip(asked, given[player], strict=True)
    ]
    (track.folder / ANSWERS).write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    for measured in suite_scores.lines(told):
        echo(measured)
    looked_at = list(told["players"])[-1]
    track.log({f"suite/{name}": value["mean"] for name, value in told["players"][looked_at].items()}, step)
    return {"name": limits.suite.value, "questions": len(asked), **told}


def base_of(settings: EvalVerbConfig) -> "Base":
    """Loaded once; it stays."""
    from sekft.model import base as bases

    return bases.load(settings.model)


def on_base(base: "Base", adapters: Mapping[str, Path], exam: Exam, doubts: Mapping[str, str] | None = None) -> Candidates:
    from sekft.model import prose
    from sekft.model.agents import players

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
    from sekft.episode.endpoint import Client, EndpointCast, EndpointOperator

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


def worth(settings: Any, summary: Mapping[str, Any]) -> float | None:
    """What eval.criterion says of the tuned model; None without an exam."""
    return float(summary["tuned"]["rates"][settings.eval.criterion]["rate"]) if summary.get("tuned") else None
