"""The facts in a run record can be checked independently."""

from hashlib import sha256
from pathlib import Path

import pytest

from sekft.config import DataConfig, EvalConfig, ModelConfig, SourceConfig, SourceKind, TrainConfig
from sekft.eval.provenance import base_facts, describe_scoring, read_licence, source_facts
from sekft.tracking.digest import adapter_sha256, sha256_of
from tests.eval.planted_runs import SCENARIOS


@pytest.mark.parametrize(
    ("card", "found"),
    [
        ("---\nlicense: apache-2.0\ntags:\n- x\n---\n# A base\n", "apache-2.0"),
        ("---\nlicense: other\nlicense_name: 'qwen-research'\n---\n", "qwen-research"),
        ("# A base\nlicense: mine\n", None),
        (None, None),
    ],
)
def test_the_licence_is_that_of_the_cards_front_matter(tmp_path: Path, card: str | None, found: str | None):
    if card is not None:
        (tmp_path / "README.md").write_text(card)
    assert read_licence(tmp_path) == found


def test_a_base_of_the_hub_has_a_revision_and_a_licence_in_the_settings_takes_precedence(tmp_path: Path):
    folder = tmp_path / "models--x" / "snapshots" / "0123abcd"
    folder.mkdir(parents=True)
    facts = base_facts(ModelConfig(name="x", path=str(folder), licence="MIT", why="it is small"))
    assert (facts["revision"], facts["licence"], facts["why"]) == ("0123abcd", "MIT", "it is small")
    assert base_facts(ModelConfig(name="tiny", path="sekft:tiny"))["licence"] == "apache-2.0"


def test_the_digest_of_a_source_is_that_of_sha256sum_and_of_several_files_depends_on_each(tmp_path: Path):
    def facts() -> dict[str, object]:
        source = SourceConfig(kind=SourceKind.trajectories, path=str(tmp_path))
        found: dict[str, object] = source_facts(TrainConfig(data=DataConfig(sources={"shell": source})), {"shell": 3})["shell"]
        return found

    (tmp_path / "a.jsonl").write_text("{}\n")
    assert facts() == {"path": str(tmp_path), "files": 1, "bytes": 3, "sha256": sha256(b"{}\n").hexdigest(), "rows": 3}
    (tmp_path / "b.jsonl").write_text("{}\n")
    before = facts()
    (tmp_path / "b.jsonl").write_text("[]\n")
    assert facts()["files"] == 2 and facts()["sha256"] != before["sha256"] and facts()["bytes"] == before["bytes"]


def test_every_byte_of_an_adapter_counts(tmp_path: Path):
    assert adapter_sha256(tmp_path) is None
    content = bytearray(5 << 20)  # more than a sample of head and tail
    (tmp_path / "adapter_model.safetensors").write_bytes(content)
    before = adapter_sha256(tmp_path), sha256_of(tmp_path)
    content[len(content) // 2] = 1
    (tmp_path / "adapter_model.safetensors").write_bytes(content)
    assert adapter_sha256(tmp_path) == sha256(content).hexdigest() != before[0] and sha256_of(tmp_path) != before[1]


def test_the_scoring_is_described_in_words():
    assert describe_scoring(EvalConfig(), SCENARIOS[:2], True) == "a paired, greedy evaluation in 2 frozen scenarios, base against tuned"
    sampled = describe_scoring(EvalConfig(temperature=0.7, attempts=3), SCENARIOS[:2], False)
    assert sampled == "a paired, sampled (temperature 0.7) evaluation in 2 scenarios, 3 episodes in each, base against tuned"
