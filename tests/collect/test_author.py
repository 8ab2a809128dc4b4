"""A teacher over real HTTP writes worlds, good ones and hostile ones: the gate counts them by reason, and nothing runs on the host."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from sekft.collect import author
from sekft.collect.author import Draft
from sekft.config.endpoint import EndpointConfig
from sekft.episode.endpoint import Client
from sekft.errors import BundleError, SandboxError, SettingsError
from sekft.scenario.document import Bundle, dumps, read_all
from tests.collect.conftest import Collect, worlds
from tests.collect.replay import Answer, refusing, said, serving

AUTHOR = ("author=endpoint", "operator.model=teacher", "operator.retries=0", "author.timeout_s=2")
MARK = Path(f"/tmp/sekft-escaped-{uuid.uuid4().hex}")
BOMB = "bomb() { bomb | bomb & }; bomb; sleep 1; exit 1"


def changed(world: Bundle, **changes: Any) -> str:
    return json.dumps({**json.loads(dumps(world)), **changes})


def fixture(**fields: Any) -> list[dict[str, Any]]:
    return [{"kind": "file", "content": "x", "mode": 420, "owner": "agent", **fields}]


def answers(asked_for: list[Bundle]) -> list[tuple[str, Answer]]:
    """(what becomes of it, what the teacher says), one per world."""
    wide = [f"touch {MARK}; echo x > {MARK}", "cat /etc/shadow", "kill -9 -1", "exit"]
    texts = [
        ("", lambda world: "Here is a world:\n```json\n" + dumps(world) + "```\nEnjoy!"),
        ("", dumps),
        ("unparsable", lambda world: "I am sorry, I cannot write that."),
        ("unparsable", lambda world: '{"id": ' * 5000 + "}"),
        ("invalid", lambda world: "{}"),
        ("invalid", lambda world: changed(world, fixtures=fixture(path="/home/agent/../../etc/passwd"))),
        ("invalid", lambda world: changed(world, fixtures=fixture(path="../../etc/passwd"))),
        ("invalid", lambda world: changed(world, fixtures=fixture(path="/home/agent/link", kind="symlink", content="/etc/shadow"))),
        ("invalid", lambda world: changed(world, fixtures=fixture(path="/home/agent/big", content="x" * 2_000_000))),
        ("unsolvable", lambda world: changed(world, reference=["ls", str(world.terminal)])),
        ("unsolvable", lambda world: changed(world, checker=BOMB)),
        ("unsolvable", lambda world: changed(world, checker=f"touch {MARK}; echo x > {MARK}; exit 1")),
        ("unsolvable", lambda world: changed(world, reference=wide, terminal="exit") if world.terminal == "exit" else changed(world)),
        ("forgeable", lambda world: changed(world, checker="true")),
    ]
    said_all = [(verdict, said(text(world))) for (verdict, text), world in zip(texts, asked_for, strict=False)]
    return [*said_all, ("no_answer", Answer(endless=True)), ("no_answer", refusing(500)), ("no_answer", Answer(after_s=30))]


def test_every_answer_is_counted_by_what_became_of_it(gather: Collect, sandbox: str, tmp_path: Path):
    planned = answers(asked_for := worlds(17))

    def answer(request: dict) -> Answer:
        return planned[request["seed"]][1] if len(request["messages"]) > 1 else said("ready")

    with serving(answer) as (url, asked):
        summary, lives = gather(*AUTHOR, f"operator.url={url}", f"episodes={len(planned)}", sandbox)
    verdicts = [verdict for verdict, _ in planned]
    assert summary["refused"] == {verdict: verdicts.count(verdict) for verdict in sorted(set(verdicts) - {""})}
    assert not MARK.exists()

    admitted = read_all(tmp_path / "run" / "bundles")
    assert [bundle.id for bundle in admitted] == ["authored-s0-0000", "authored-s0-0001"]
    assert [(life.bundle_id, life.kept) for life in lives] == [(bundle.id, True) for bundle in admitted]
    drafts = [Draft.model_validate_json(line) for line in (tmp_path / "run" / "authored.jsonl").read_text().splitlines()]
    assert [draft.reason for draft in drafts] == verdicts and "cannot write" in drafts[2].text
    assert all(
        world.archetype in request["messages"][1]["content"] for world, request in zip(asked_for, sorted_by_seed(asked), strict=True)
    )


def sorted_by_seed(asked: list[dict]) -> list[dict]:
    return sorted((request for request in asked if len(request["messages"]) > 1), key=lambda request: request["seed"])


def test_worlds_that_others_write_do_not_go_to_the_weaker_walls_unasked(gather: Collect, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    with serving(lambda request: said("{}")) as (url, asked), pytest.raises(SandboxError, match="only if asked to: sandbox=bwrap"):
        gather(*AUTHOR, f"operator.url={url}", "episodes=1")
    assert asked == []


def test_no_world_at_all_is_one_line_that_counts_why(gather: Collect):
    with serving(lambda request: said("no")) as (url, _), pytest.raises(BundleError, match=r"no world passed the gate \(unparsable 3\)"):
        gather(*AUTHOR, f"operator.url={url}", "episodes=3", "sandbox=bwrap")


def test_the_one_who_wrote_a_world_may_also_live_in_it(gather: Collect):
    world = next(world for world in worlds(60) if world.announcement.kind == "banner" and world.terminal == "exit")

    def answer(request: dict) -> Answer:
        turns = request["messages"]
        if len(turns) < 2:
            return said("ready")
        if "Write another one" in turns[1]["content"]:
            return said(changed(world, axes=None, terminal="exit"))
        return said(world.reference[sum(turn["role"] == "assistant" for turn in turns)])

    with serving(answer) as (url, asked):
        summary, lives = gather(*AUTHOR, "operator=endpoint", f"operator.url={url}", "episodes=60", "sandbox=bwrap")
    assert summary["kept"] == summary["lives"] >= 1 and set(summary["refused"]) <= {"invalid", "unsolvable"}
    assert all(life.messages[0].role == "user" and life.operator == "teacher" for life in lives)


def test_answers_that_are_there_are_not_asked_for_again(tmp_path: Path):
    wanted = worlds(4)
    path = tmp_path / "authored.partial.jsonl"
    with serving(lambda request: said(dumps(wanted[request["seed"]]))) as (url, asked):
        client = Client(EndpointConfig(url, "teacher"))
        first = author.write(wanted, client.complete, 0, "", path, workers=1)
        got = [next(first), next(first)]
        first.close()
        path.write_bytes(path.read_bytes() + b'{"id": "authored-s0-00')
        asked.clear()
        drafts = list(author.write(wanted, client.complete, 0, "", path, workers=1))
        assert [request["seed"] for request in asked] == [2, 3]
    assert drafts[:2] == got and [draft.reason for draft in drafts] == [""] * 4


def test_the_archetypes_of_the_exam_are_not_written_for_training(gather: Collect):
    with pytest.raises(SettingsError, match="scenarios: found held_out, allowed with author=endpoint: train"):
        gather(*AUTHOR, "episodes=1", "scenarios=held_out", "sandbox=bwrap")
