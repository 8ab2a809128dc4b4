"""What is released is what was proven; everything else is refused by name, and nothing is written over."""

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
from sekft.errors import ReleaseError
from sekft.model import base as bases
from sekft.model import lora
from sekft.release import replay
from sekft.release.__main__ import promote
from sekft.release.releases import faults, roll_back
from sekft.release.replies import recorded
from sekft.rendering.fingerprint import fingerprint
from sekft.sandbox.text import TEXT_VERSION
from sekft.scenario import frozen
from sekft.scenario.split import digest, load
from sekft.tracking.audit import Audit
from sekft.tracking.record import open_run
from tests.conftest import run_command

MODEL = ModelConfig(name="tiny", path="sekft:tiny", device=Device.cpu)
RATE = {"k": 48, "n": 64, "rate": 0.75, "low": 0.6, "high": 0.85}
AGENT = {"rates": dict.fromkeys(("terminated", "right_terminal", "solved", "verified", "operated"), RATE)}
PAIRED = {
    "criterion": "verified",
    "difference": 0.75,
    "low": 0.6,
    "high": 0.9,
    "archetypes": 29,
    "wins": 48,
    "losses": 0,
    "mcnemar_p": 1e-14,
}


def adapter(folder: Path, zero: bool = False, rank: int = 4, **other: object) -> None:
    base = bases.load(MODEL)
    with lora.fresh(base, LoraConfig(name="drawn", r=rank, alpha=8), 0) as tuned, torch.no_grad():
        for name, parameter in tuned.named_parameters():
            if "lora_B" in name and not zero:
                parameter.normal_(std=0.05, generator=torch.Generator().manual_seed(1))
        about = {**fingerprint(base.tokenizer, base.identity(), TEXT_VERSION), **other}
        lora.publish(lora.save(tuned, base, folder, about))


def make_run(folder: Path, changes: dict[str, object] | None = None, **adapted: object) -> Path:
    """A run that ended well, as far as its files tell. changes: to its summary."""
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
        record.summary(summary | (changes or {}))
        for name in ("episodes.jsonl", "report.html", "iteration.json"):
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


def refused(run: Path, why: str, **asked: int) -> None:
    out = io.StringIO()
    settings = ReleaseConfig(do=Action.promote, run=str(run), releases=str(run.parent / "releases"), **asked)
    with redirect_stdout(out), pytest.raises(ReleaseError, match=f"{run}: not released, "):
        promote(settings)
    assert why in out.getvalue() and not (run.parent / "releases").exists()


def test_a_proven_run_becomes_a_release_that_is_written_once_and_can_be_rolled_back(home: Path):
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
    assert release(home, "do=rollback", "to=prod").stdout.strip() == "prod: outputs/releases/prod/0001-run counts again"
    assert (prod / "current").readlink() == Path("0001-run")
    lost = release(home, "do=rollback", "to=prod")
    assert lost.returncode == 1 and "no release before it" in lost.stderr
    events = [json.loads(line)["event"] for line in (prod / "audit.jsonl").read_text().splitlines()]
    assert events == ["promoted", "promoted", "rolled back"]
    (prod / "0002-run" / "README.md").write_text("better than it is")
    forged = release(home, "do=verify", "runs=outputs")
    assert forged.returncode == 1 and forged.stdout.strip().endswith("0002-run/README.md: changed")


def test_what_was_rolled_back_is_not_gone_back_to_and_a_number_is_given_once(tmp_path: Path):
    for name in ("0001-run", "0002-bad", "0004-new"):
        (tmp_path / name).mkdir()
    Audit(tmp_path).tell("rolled back", release="0001-run", instead_of="0002-bad", by="ada")
    (tmp_path / "current").symlink_to("0004-new")
    assert roll_back(tmp_path, "ada").name == "0001-run"
    with pytest.raises(ReleaseError, match="0001-run; no release before it"):
        roll_back(tmp_path, "ada")


def betray(run: Path) -> None:
    (run / "iteration.json").write_text('{"token": "hf_' + "aB3dE5gH7jK9mN1pQ3sT5vX7zA9cE1gI3k" + '"}')


def edit_report(run: Path) -> None:
    (run / "report.html").write_text("all verified")


def edit_summary(run: Path) -> None:
    text = (run / "summary.json").read_text()
    (run / "summary.json").write_text(text.replace('"k": 48', '"k": 64'))


def lose_episodes(run: Path) -> None:
    (run / "episodes.jsonl").unlink()


def break_chain(run: Path) -> None:
    first, *rest = (run / "audit.jsonl").read_text().splitlines(keepends=True)
    (run / "audit.jsonl").write_text("".join(rest))


def unprove(run: Path) -> None:
    (run / "adapter" / "fingerprint.json").unlink()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (edit_report, "run/report.html: changed since the run was closed"),
        (edit_summary, "run/summary.json: changed since the run was closed"),
        (lose_episodes, "run/episodes.jsonl: missing"),
        (break_chain, "run/audit.jsonl:1: does not follow the line before it"),
        (betray, "run/iteration.json:1: holds a secret"),
        (unprove, "run/adapter/fingerprint.json: missing; render unproven"),
    ],
)
def test_evidence_that_does_not_hold_is_refused(home: Path, change: Callable[[Path], None], why: str):
    change(home / "run")
    refused(home / "run", why)


@pytest.mark.parametrize(
    ("changes", "adapted", "why"),
    [
        ({"verdict": "unmeasured (eval=none)"}, {}, "verdict 'unmeasured (eval=none)', allowed: promote"),
        ({"verdict": "inconclusive (needs n >= 90)"}, {}, "verdict 'inconclusive (needs n >= 90)', allowed: promote"),
        (
            {"scenarios": {"n": 64, "sha256": "0" * 64}},
            {},
            "evaluated in scenarios of sha256 0000000000000000, allowed: those of the frozen set",
        ),
        ({"paired": None}, {}, "base and tuned were not evaluated in the same scenarios"),
        ({}, {"zero": True}, "changes nothing, every lora_B is zero"),
        ({}, {"base": "f" * 64}, "trained with base ffffffffffffffff, here it is "),
        ({"power": f"hf_{'aB3' * 12}"}, {}, "run/summary.json:92: holds a secret, which would be given away"),
    ],
)
def test_a_run_that_proves_nothing_is_refused(tmp_path: Path, changes: dict[str, object], adapted: dict[str, object], why: str):
    make_run(tmp_path / "run", changes, **adapted)
    refused(tmp_path / "run", why)


def test_a_small_eval_and_a_missing_yes_are_refused(home: Path):
    refused(home / "run", "evaluated in 64 scenarios, allowed: 100 or more", scenarios=100)
    refused(home / "run", "approved by 0 (nobody), asked for 2; do=approve by=NAME", approvals=2)
    for name in ("ada", "ada", "grace"):
        assert release(home, "do=approve", "run=run", f"by={name}").returncode == 0
    done = release(home, "do=promote", "run=run", "approvals=2")
    assert done.returncode == 0, done.stdout + done.stderr
    (home / "run" / "metrics.jsonl").write_text("")
    late = release(home, "do=approve", "run=run", "by=eve")
    assert late.returncode == 1 and "its evidence does not hold" in late.stderr


def test_what_is_no_run_is_one_line(tmp_path: Path):
    assert release(tmp_path, "do=promote", "run=nowhere").stderr.startswith("sekft.release: run=nowhere: no run there;")
    assert "do" in release(tmp_path, "do=dance").stderr


EPISODE = [("user", "$ "), ("assistant", "ls"), ("user", "a\n$ "), ("assistant", "exit")]


def episode(name: str, agent: str = "tuned", **meta: object) -> str:
    messages = [{"role": role, "content": content} for role, content in EPISODE]
    return json.dumps({"id": f"{name}@{agent}", "agent": agent, "messages": messages, "meta": meta}) + "\n"


def test_a_release_holds_five_recorded_episodes_with_the_tokens_of_their_replies(tmp_path: Path):
    cut = episode("cut", limits={"eval.max_reply_tokens": 1})
    (tmp_path / "episodes.jsonl").write_text(episode("other", "base") + cut + "".join(episode(f"w{number}") for number in range(7)))
    told = recorded(tmp_path, bases.load(MODEL).tokenizer, {"model": asdict(MODEL), "eval": {"temperature": 0.0}})
    assert [one["id"] for one in told["episodes"]] == [f"w{number}@tuned" for number in range(5)]
    tokenizer = bases.hub_tokenizer(bases.load(MODEL))
    for message, expected in zip(("ls", "exit"), told["episodes"][0]["replies"], strict=True):
        assert tokenizer.decode(expected[:-1]).strip() == message and expected[-1] == tokenizer.eos_token_id
    assert recorded(tmp_path, bases.load(MODEL).tokenizer, {"model": asdict(MODEL), "eval": {"temperature": 0.7}})["episodes"] == []


@pytest.mark.parametrize("rank", [4, 0], ids=["adapter", "all weights"])
def test_what_is_released_gives_the_recorded_replies_again_or_says_which_it_does_not(tmp_path: Path, rank: int):
    base = bases.load(MODEL)
    with lora.fresh(base, LoraConfig(name="drawn", r=rank, alpha=8), 0) as tuned:
        lora.publish(lora.save(tuned, base, tmp_path / "adapter", {}))
    model, tokenizer = replay.load(str(base.folder), tmp_path / "adapter", load_4bit=False)
    messages = [{"role": role, "content": content} for role, content in EPISODE]
    replies = [replay.reply(model, tokenizer, messages[:at], 4) for at in (1, 3)]
    told = {"load_4bit": False, "episodes": [{"id": "w0@tuned", "messages": messages, "replies": replies}]}
    (tmp_path / replay.EPISODES).write_text(json.dumps(told))
    out = io.StringIO()
    with redirect_stdout(out):
        assert replay.main(str(base.folder), tmp_path) == 0
        replies[1][-1] += 1
        (tmp_path / replay.EPISODES).write_text(json.dumps(told))
        assert replay.main(str(base.folder), tmp_path) == 1
    said = out.getvalue().splitlines()
    assert said[0] == "1 recorded episodes, 2 replies, 2 of them token for token" and said[1].startswith("w0@tuned, message 3: ")


def test_all_weights_are_released_as_an_adapter_is(tmp_path: Path):
    run = make_run(tmp_path / "run", rank=0)
    with redirect_stdout(io.StringIO()):
        promote(ReleaseConfig(do=Action.promote, run=str(run), releases=str(tmp_path / "releases")))
    made = tmp_path / "releases" / "dev" / "0001-run"
    assert (made / "adapter" / "model.safetensors").exists() and list(faults(made)) == []
    assert 'AutoModelForCausalLM.from_pretrained("adapter")' in (made / "README.md").read_text()
