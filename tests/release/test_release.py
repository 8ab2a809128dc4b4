"""A release holds what the evidence proves; everything else is refused with its reason, and no release is overwritten."""

import io
import json
import shutil
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from sekft.config import Action, Device, LoraConfig, ModelConfig, ReleaseConfig, SplitConfig
from sekft.episode import trajectory
from sekft.episode.trajectory import Command, Ending, Outcome, Trajectory
from sekft.errors import ReleaseError
from sekft.model import base as bases
from sekft.model import lora
from sekft.release import replay
from sekft.release.command import promote, verify
from sekft.release.evidence import Requirements, objections
from sekft.release.releases import create, roll_back
from sekft.release.replies import recorded_replies
from sekft.rendering.messages import Message
from sekft.scenario import frozen
from sekft.scenario.split import digest, load
from sekft.tracking import sums
from sekft.tracking.events import add_event
from sekft.tracking.record import open_run
from tests.conftest import run_command

MODEL = ModelConfig(name="tiny", path="sekft:tiny", device=Device.cpu)
EPISODE = [("user", "$ "), ("assistant", "ls"), ("user", "a\n$ "), ("assistant", "exit")]
RATE = {"k": 48, "n": 64, "rate": 0.75, "low": 0.6, "high": 0.85}
AGENT = {"rates": dict.fromkeys(("terminated", "right_terminal", "solved", "verified", "operated"), RATE)}
PAIRED = {
    "criterion": "verified",
    "n": 64,
    "both": 0,
    "neither": 16,
    "base_rate": 0.0,
    "difference": 0.75,
    "low": 0.6,
    "high": 0.9,
    "archetypes": 29,
    "wins": 48,
    "losses": 0,
    "mcnemar_p": 1e-14,
    "holm_p": 1e-14,
}


def adapter(folder: Path, zero: bool = False, rank: int = 4, **other: object) -> None:
    base = bases.load(MODEL)
    with lora.fresh(base, LoraConfig(name="drawn", r=rank, alpha=8), 0) as tuned, torch.no_grad():
        for name, parameter in tuned.named_parameters():
            if "lora_B" in name and not zero:
                parameter.normal_(std=0.05, generator=torch.Generator().manual_seed(1))
        about = {**base.fingerprint(), **other}
        lora.publish(lora.save(tuned, base, folder, about))


def make_run(folder: Path, changes: dict[str, object] | None = None, **adapted: object) -> Path:
    """The files of a run with the verdict promote. changes: to its summary; adapted: see adapter()."""
    scenarios = load("held_out", SplitConfig(name="frozen", held_out=list(frozen.HELD_OUT)))
    settings = {
        "model": asdict(MODEL),
        "adapter": None,
        "seed": 0,
        "mask": {"rule": "assistant"},
        "lora": {"r": adapted.get("rank", 4), "alpha": 8},
    }
    settings |= {"trainer": {"lr": 2e-3}, "data": {"sources": {"shell": {"path": None}}}}
    summary = {"command": "train", "verdict": "promote", "base": AGENT, "tuned": AGENT, "paired": PAIRED, "power": "", "steps": 168}
    summary |= {"scenarios": {"n": 64, "sha256": digest(scenarios)}, "sandbox": {"backend": "docker"}, "supervised_tokens": 14247}
    with open_run(folder, "train", settings, ["lora=r4"], 0) as record:
        record.log({"train/loss": 0.5}, 1)
        record.write_summary(summary | (changes or {}))
        (folder / "episodes.jsonl").write_text(episode("w0", "base"))
        for name in ("report.html", "iteration.json"):
            (folder / name).write_text("{}\n")
        adapter(folder / "adapter", **adapted)
    return folder


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "good")


@pytest.fixture
def home(good: Path, tmp_path: Path) -> Path:
    shutil.copytree(good, tmp_path / "run")
    return tmp_path


def release(home: Path, *words: str):
    return run_command("release", *words, cwd=home)


def require_refused(run: Path, reason: str, **required: int) -> None:
    out = io.StringIO()
    settings = ReleaseConfig(do=Action.promote, run=str(run), releases=str(run.parent / "releases"), **required)
    with redirect_stdout(out), pytest.raises(ReleaseError, match=f"{run}: not released, "):
        promote(settings)
    assert reason in out.getvalue() and not (run.parent / "releases").exists()


def test_a_run_is_released_once_per_promotion_and_a_release_can_be_rolled_back(home: Path):
    for number in (1, 2):
        done = release(home, "do=promote", "run=run", "to=prod", "by=ada")
        assert done.returncode == 0 and done.stdout.strip() == f"prod: outputs/releases/prod/000{number}-run", done.stdout + done.stderr
    prod = home / "outputs" / "releases" / "prod"
    assert (prod / "current").readlink() == Path("0002-run")
    for name in ("adapter/adapter_model.safetensors", "evidence/summary.json", "evidence/iteration.json"):
        assert (prod / "0001-run" / name).read_bytes() == (home / "run" / name.removeprefix("evidence/")).read_bytes()
    card = (prod / "0001-run" / "README.md").read_text()
    assert "| verified | 48/64 [0.60, 0.85] |" in card and "verified: +0.75 [+0.60, +0.90]" in card
    assert (prod / "0001-run" / "replay.py").exists() and json.loads((prod / "0001-run" / "replay.json").read_text())[
        "base"
    ] == "sekft:tiny"
    assert release(home, "do=verify", "runs=outputs").returncode == 0
    assert release(home, "do=rollback", "to=prod").stdout.strip() == "prod: outputs/releases/prod/0001-run is current again"
    assert (prod / "current").readlink() == Path("0001-run")
    again = release(home, "do=rollback", "to=prod")
    assert again.returncode == 1 and "no release before it" in again.stderr
    events = [json.loads(line)["event"] for line in (prod / "audit.jsonl").read_text().splitlines()]
    assert events == ["promoted", "promoted", "rolled back"]
    (prod / "0002-run" / "README.md").write_text("better than it is")
    forged = release(home, "do=verify", "runs=outputs")
    assert forged.returncode == 1 and forged.stdout.strip().endswith("0002-run/README.md: changed")


def test_a_rollback_skips_releases_that_were_rolled_back(tmp_path: Path):
    for name in ("0001-run", "0002-bad", "0004-new"):
        (tmp_path / name).mkdir()
    add_event(tmp_path, "rolled back", release="0001-run", instead_of="0002-bad", by="ada")
    (tmp_path / "current").symlink_to("0004-new")
    assert roll_back(tmp_path, "ada").name == "0001-run"
    with pytest.raises(ReleaseError, match="0001-run; no release before it"):
        roll_back(tmp_path, "ada")


def leak_a_secret(run: Path) -> None:
    (run / "iteration.json").write_text('{"token": "hf_' + "aB3dE5gH7jK9mN1pQ3sT5vX7zA9cE1gI3k" + '"}')


def edit_report(run: Path) -> None:
    (run / "report.html").write_text("all verified")


def edit_summary(run: Path) -> None:
    text = (run / "summary.json").read_text()
    (run / "summary.json").write_text(text.replace('"k": 48', '"k": 64'))


def lose_episodes(run: Path) -> None:
    (run / "episodes.jsonl").unlink()


def remove_the_closing_event(run: Path) -> None:
    opened, *_ = (run / "audit.jsonl").read_text().splitlines(keepends=True)
    (run / "audit.jsonl").write_text(opened)


def remove_the_fingerprint(run: Path) -> None:
    (run / "adapter" / "fingerprint.json").unlink()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (edit_report, "run/report.html: changed since the run was closed"),
        (edit_summary, "run/summary.json: changed since the run was closed"),
        (lose_episodes, "run/episodes.jsonl: missing"),
        (remove_the_closing_event, "run/audit.jsonl: the run was never closed"),
        (leak_a_secret, "run/iteration.json:1: contains a secret"),
        (remove_the_fingerprint, "run/adapter/fingerprint.json: missing; render unproven"),
    ],
)
def test_evidence_that_does_not_hold_is_refused(home: Path, change: Callable[[Path], None], reason: str):
    change(home / "run")
    require_refused(home / "run", reason)


@pytest.mark.parametrize(
    ("changes", "adapted", "reason"),
    [
        ({"verdict": "unmeasured (eval=none)"}, {}, "verdict 'unmeasured (eval=none)', allowed: promote"),
        ({"verdict": "inconclusive (needs n >= 90)"}, {}, "verdict 'inconclusive (needs n >= 90)', allowed: promote"),
        (
            {"scenarios": {"n": 64, "sha256": "0" * 64}},
            {},
            "evaluated on scenarios of sha256 0000000000000000, allowed: the frozen test set",
        ),
        ({"paired": None}, {}, "base and tuned model were not evaluated on the same scenarios"),
        ({}, {"zero": True}, "the adapter changes nothing, every lora_B is zero"),
        ({}, {"base": "f" * 64}, "trained with base ffffffffffffffff, on this machine it is "),
        ({"power": f"hf_{'aB3' * 12}"}, {}, "run/summary.json:97: contains a secret, which the release would publish"),
    ],
)
def test_a_run_without_proof_is_refused(tmp_path: Path, changes: dict[str, object], adapted: dict[str, object], reason: str):
    make_run(tmp_path / "run", changes, **adapted)
    require_refused(tmp_path / "run", reason)


def test_a_small_evaluation_and_a_missing_approval_are_refused(home: Path):
    require_refused(home / "run", "evaluated on 64 scenarios, allowed: 100 or more", scenarios=100)
    require_refused(home / "run", "approved by 0 (nobody), required: 2; do=approve by=NAME", approvals=2)
    for name in ("ada", "ada", "grace"):
        assert release(home, "do=approve", "run=run", f"by={name}").returncode == 0
    done = release(home, "do=promote", "run=run", "approvals=2")
    assert done.returncode == 0, done.stdout + done.stderr
    (home / "run" / "metrics.jsonl").write_text("")
    late = release(home, "do=approve", "run=run", "by=eve")
    assert late.returncode == 1 and "its evidence does not hold" in late.stderr


def test_a_missing_run_and_a_wrong_action_are_refused_in_one_line(tmp_path: Path):
    assert release(tmp_path, "do=promote", "run=nowhere").stderr.startswith("sekft.release: run=nowhere: no run there;")
    assert "do" in release(tmp_path, "do=dance").stderr


def episode(name: str, agent: str = "tuned", **meta: object) -> str:
    """One line of episodes.jsonl."""
    messages = tuple(Message(role=role, content=content) for role, content in EPISODE)
    commands = tuple(Command(turn=at, text=EPISODE[at][1], status=0) for at in (1, 3))
    result = {"ending": Ending.exit, "checked": True, "clean": True, "outcome": Outcome.verified, "kept": True}
    about = {"id": f"{name}@{agent}", "scenario_id": name, "archetype": "copy", "agent": agent, "meta": meta}
    return trajectory.dumps(Trajectory(messages=messages, commands=commands, **about, **result))


def test_a_release_holds_five_recorded_episodes_with_the_tokens_of_their_replies(tmp_path: Path):
    cut = episode("cut", limits={"eval.max_reply_tokens": 1})
    (tmp_path / "episodes.jsonl").write_text(episode("other", "base") + cut + "".join(episode(f"w{number}") for number in range(7)))
    recorded = recorded_replies(tmp_path, bases.load(MODEL).tokenizer, {"model": asdict(MODEL), "eval": {"temperature": 0.0}}, "float32")
    assert [episode["id"] for episode in recorded["episodes"]] == [f"w{number}@tuned" for number in range(5)]
    tokenizer = bases.hub_tokenizer(bases.load(MODEL))
    for message, expected in zip(("ls", "exit"), recorded["episodes"][0]["replies"], strict=True):
        assert tokenizer.decode(expected[:-1]).strip() == message and expected[-1] == tokenizer.eos_token_id
    sampled = recorded_replies(tmp_path, bases.load(MODEL).tokenizer, {"model": asdict(MODEL), "eval": {"temperature": 0.7}}, None)
    assert sampled["episodes"] == []


@pytest.mark.parametrize("rank", [4, 0], ids=["adapter", "all weights"])
def test_a_replay_compares_every_reply_and_names_those_that_differ(tmp_path: Path, rank: int):
    base = bases.load(MODEL)
    with lora.fresh(base, LoraConfig(name="drawn", r=rank, alpha=8), 0) as tuned:
        lora.publish(lora.save(tuned, base, tmp_path / "adapter", {}))
    model, tokenizer = replay.load(str(base.folder), tmp_path / "adapter", load_4bit=False, dtype=None)
    messages = [{"role": role, "content": content} for role, content in EPISODE]
    replies = [replay.reply(model, tokenizer, messages[:at], 4) for at in (1, 3)]
    recorded = {"load_4bit": False, "episodes": [{"id": "w0@tuned", "messages": messages, "replies": replies}]}
    (tmp_path / replay.RECORDED).write_text(json.dumps(recorded))
    out = io.StringIO()
    with redirect_stdout(out):
        assert replay.main(str(base.folder), tmp_path) == 0
        replies[1][-1] += 1
        (tmp_path / replay.RECORDED).write_text(json.dumps(recorded))
        assert replay.main(str(base.folder), tmp_path) == 1
    lines = out.getvalue().splitlines()
    assert lines[0] == "1 recorded episodes, 2 replies, 2 of them token for token" and lines[1].startswith("w0@tuned, message 3: ")


def test_a_run_of_all_weights_can_be_released(tmp_path: Path):
    run = make_run(tmp_path / "run", rank=0)
    with redirect_stdout(io.StringIO()):
        promote(ReleaseConfig(do=Action.promote, run=str(run), releases=str(tmp_path / "releases")))
    made = tmp_path / "releases" / "dev" / "0001-run"
    assert (made / "adapter" / "model.safetensors").exists() and list(sums.faults(made)) == []
    assert 'AutoModelForCausalLM.from_pretrained("adapter")' in (made / "README.md").read_text()


def first_edition_run(folder: Path) -> None:
    """run.json, summary.json and episodes.jsonl of a run, as the first edition named their fields."""
    for name, names in (("run.json", {"command": "verb"}), ("summary.json", {"command": "verb", "scenarios": "worlds"})):
        document = {names.get(key, key): value for key, value in json.loads((folder / name).read_text()).items()}
        (folder / name).write_text(json.dumps(document))
    names = {"scenario_id": "bundle_id", "agent": "operator"}
    line = {names.get(key, key): value for key, value in json.loads(episode("w0")).items()} | {"schema_version": 1}
    limits = {"limits": {"eval.max_life_tokens": 1}}
    (folder / "episodes.jsonl").write_text(json.dumps(line) + "\n" + json.dumps(line | {"id": "cut@tuned", "meta": limits}) + "\n")


def test_a_run_of_the_first_edition_can_be_released_and_its_release_is_verified(tmp_path: Path):
    make_run(tmp_path / "run")
    first_edition_run(tmp_path / "run")
    tokenizer = bases.load(MODEL).tokenizer
    folder = create(tmp_path / "run", tmp_path / "releases", "ada", tokenizer)
    assert "| verified | 48/64 [0.60, 0.85] |" in (folder / "README.md").read_text()
    assert [episode["id"] for episode in json.loads((folder / "replay.json").read_text())["episodes"]] == ["w0@tuned"]
    reasons = list(objections(tmp_path / "run", Requirements(0, 64), tokenizer, bases.load(MODEL).identity()))
    assert len(reasons) == 3 and all("changed since the run was closed" in reason for reason in reasons)  # the three files rewritten above
    assert verify(ReleaseConfig(runs=str(folder)))["releases"] == 1
