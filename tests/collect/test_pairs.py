"""Preference pairs are taken where a kept and a rejected trajectory diverge, and TRL's DPOTrainer learns from them."""

import json
from pathlib import Path

import pytest

from sekft.collect.exports import message_rows
from sekft.collect.pairs import preference_pairs
from sekft.episode.trajectory import Command, Ending, Outcome, Trajectory
from sekft.rendering.messages import Message
from tests.collect.conftest import Collect


def episode(name: str, *turns: str, kept: bool = False, scenario: str = "w", outcome: Outcome = Outcome.false_exit) -> Trajectory:
    messages = tuple(Message(role="user" if at % 2 == 0 else "assistant", content=text) for at, text in enumerate(turns))
    commands = tuple(Command(turn=at, text=turn.content, status=0) for at, turn in enumerate(messages) if turn.role == "assistant")
    shared = {"scenario_id": scenario, "archetype": "copy", "agent": "o", "ending": Ending.exit, "checked": kept, "clean": True}
    return Trajectory(id=name, messages=messages, commands=commands, kept=kept, outcome=Outcome.verified if kept else outcome, **shared)


KEEPER = episode("k", "$ ", "ls", "a\n$ ", "cat a", "x\n$ ", "exit", kept=True)


def test_a_pair_is_the_turn_typed_where_the_two_diverge():
    rows, without_pair = preference_pairs([KEEPER, episode("r", "$ ", "ls", "a\n$ ", "exit")])
    assert not without_pair and [row["prompt"] for row in rows] == [[{"role": role, "content": text} for role, text in
                                                            (("user", "$ "), ("assistant", "ls"), ("user", "a\n$ "))]]  # fmt: skip
    assert rows[0]["chosen"] == [{"role": "assistant", "content": "cat a"}]
    assert rows[0]["rejected"] == [{"role": "assistant", "content": "exit"}]


def test_a_reject_is_paired_with_the_kept_one_of_the_longest_common_beginning():
    other = episode("k2", "$ ", "pwd", "/home/agent\n$ ", "exit", kept=True)
    rows, _ = preference_pairs([other, KEEPER, episode("r", "$ ", "pwd", "/home/agent\n$ ", "panic")])
    assert [(row["chosen"][0]["content"], row["rejected"][0]["content"]) for row in rows] == [("exit", "panic")]


@pytest.mark.parametrize(
    ("reject", "reason"),
    [
        (episode("r", "$ ", "ls", "a\n$ "), "it is the beginning of a kept trajectory"),
        (episode("r", *(turn.content for turn in KEEPER.messages), "", "ls"), "it continues after the end of a kept trajectory"),
        (episode("r", "$ ", "ls", "b\n$ ", "exit"), "the same command gave another output"),
        (episode("r", "$ ", "exit", scenario="elsewhere"), "no kept trajectory of this scenario"),
        (episode("r", "$ ", "exit", outcome=Outcome.broken), "its session or its agent's endpoint failed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_rejects_without_a_pair_are_counted_by_reason(reject: Trajectory, reason: str):
    assert preference_pairs([KEEPER, reject]) == ([], {reason: 1})


def test_the_same_pair_is_written_once():
    rows, without_pair = preference_pairs([KEEPER, episode("r1", "$ ", "exit"), episode("r2", "$ ", "exit")])
    assert len(rows) == 1 and without_pair == {"duplicate pair": 1}


def test_message_rows_are_kept_trajectories_and_end_with_an_assistant_turn():
    rows = message_rows([KEEPER, episode("r", "$ ", "exit")])
    assert [row["id"] for row in rows] == ["k"] and rows[0]["messages"][-1] == {"role": "assistant", "content": "exit"}


@pytest.mark.slow
@pytest.mark.exhaustive
def test_trl_takes_the_pairs_of_a_collection_and_learns_for_five_steps(gather: Collect, tmp_path: Path):
    import torch
    from datasets import load_dataset
    from peft import LoraConfig
    from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast
    from trl import DPOConfig, DPOTrainer

    from sekft.config import ModelConfig
    from sekft.model.locate import base_folder

    gather("episodes=8", "sandbox=bwrap", folder="good")
    gather("episodes=8", "sandbox=bwrap", "agent=scripted", "agent.script=[ls,exit]", folder="bad")
    both = tmp_path / "both"
    both.mkdir()
    for name in ("good", "bad"):
        (both / f"{name}.jsonl").write_bytes((tmp_path / name / "trajectories.jsonl").read_bytes())
    summary, _ = gather("imports=both", "export=[pairs]", folder="pairs")
    rows = [json.loads(line) for line in (tmp_path / "pairs" / "pairs.jsonl").read_text().splitlines()]
    assert len(rows) >= 6 and summary["exports"]["pairs"].startswith(f"{len(rows)} rows")

    folder = base_folder(ModelConfig(name="tiny", path="sekft:tiny"), weights=False)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))
    settings = DPOConfig(str(tmp_path / "dpo"), max_steps=5, per_device_train_batch_size=2, learning_rate=1e-3, logging_steps=1,
                         report_to="none", use_cpu=True, bf16=False, save_strategy="no", disable_tqdm=True)  # fmt: skip
    dataset = load_dataset("json", data_files=str(tmp_path / "pairs" / "pairs.jsonl"), split="train", cache_dir=str(tmp_path / "cache"))
    trainer = DPOTrainer(
        model, args=settings, train_dataset=dataset, processing_class=tokenizer, peft_config=LoraConfig(r=8, target_modules="all-linear")
    )
    trainer.train()
    losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    assert len(losses) == 5 and losses[0] == pytest.approx(0.6931, abs=0.01) and losses[-1] < losses[0]
