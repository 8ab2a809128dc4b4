"""The data card counts outcomes, axes, turns, tokens and the share that is learned."""

import json
from pathlib import Path

from sekft.config import DataConfig, ModelConfig, SourceConfig, SourceKind
from sekft.data.sources import read
from sekft.model.locate import load_tokenizer
from sekft.tracking.events import faults
from tests.collect.conftest import Collect


def test_the_numbers_of_the_card_are_those_of_the_episodes(gather: Collect, tmp_path: Path):
    summary, episodes = gather("episodes=8", "attempts=2", "sandbox=bwrap")
    card = json.loads((tmp_path / "run" / "card.json").read_text())
    assert (card["episodes"], card["kept"], card["scenarios"]) == (16, 16, 8)
    assert card["outcomes"] == {"justified_panic": 4, "verified": 12} == summary["outcomes"]
    assert sum(counts["episodes"] for counts in card["archetypes"].values()) == 16
    assert sum(counts["blocked"] for counts in card["archetypes"].values()) == 4
    assert all(sum(counts.values()) == 8 for counts in card["axes"].values()) and card["axes"]["terminal"] == {"exit": 6, "panic": 2}
    turns = sorted(len(episode.commands) for episode in episodes)
    assert (card["turns"]["shortest"], card["turns"]["longest"]) == (turns[0], turns[-1])
    assert len({episode.id for episode in episodes}) == 16


def test_the_learned_tokens_are_those_that_training_counts(gather: Collect, tmp_path: Path):
    from sekft.config import MaskConfig, MaskRule
    from sekft.data.sample import make_rows

    gather("episodes=6", "sandbox=bwrap")
    card = json.loads((tmp_path / "run" / "card.json").read_text())
    path = str(tmp_path / "run" / "trajectories.jsonl")
    samples = read(DataConfig(sources={"shell": SourceConfig(kind=SourceKind.trajectories, path=path)}))
    tokenizer = load_tokenizer(ModelConfig(name="tiny", path="sekft:tiny"))
    _, counts = make_rows(samples, tokenizer, MaskConfig(rule=MaskRule.assistant), DataConfig(), 4096)
    assert (card["tokens"]["total"], card["tokens"]["learned"]) == (counts.tokens, counts.learned)


def test_the_page_says_what_the_card_says_and_the_audit_holds_all_that_is_there(gather: Collect, tmp_path: Path):
    gather("episodes=4", "sandbox=bwrap", "agent=scripted")
    page = (tmp_path / "run" / "card.md").read_text()
    assert "- episodes: 4\n- kept: 0" in page and "| false_exit | 4 |" in page and "## axis announcement" in page
    assert list((tmp_path / "run" / "episodes").iterdir()) and list(faults(tmp_path / "run")) == []
