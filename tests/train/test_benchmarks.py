"""The benchmarks of training run, and their counts are exact."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from transformers import MistralConfig

from benchmarks.counters import Setting, layers, one_pass, per_layer
from benchmarks.train_step import lengths
from sekft.train.batch_plan import Layout, plan

ROOT = Path(__file__).resolve().parents[2]
SMALL = MistralConfig(
    vocab_size=320, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=16
)


def test_operations_flops_and_kept_bytes_of_a_small_step_are_known():
    tokens, learned, matrices = 128, 16, 2 * (2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 96)
    counted = one_pass(SMALL, Setting(r=4, bfloat16=False), tokens, learned)
    adapter = 4 * 2 * (2 * (64 + 64) + 2 * (64 + 32) + 3 * (64 + 96))
    first = 64 * (64 + 2 * 32) + 4 * 3 * 64  # no gradient is needed before the first layer
    assert counted.flops == (4 * matrices + 6 * adapter - 2 * first) * tokens + 4 * 320 * 64 * learned
    assert per_layer(SMALL, Setting(r=4, bfloat16=False), tokens).operations == 160  # of any width: what a GPU launches for one more layer
    assert per_layer(SMALL, Setting(r=4, bfloat16=False, checkpointing=True), tokens).saved == 4 * 64 * tokens


def test_a_pass_costs_less_the_fewer_of_its_tokens_are_learned_and_the_more_it_keeps():
    few, all_of_it, kept, dropout = (
        one_pass(layers(SMALL, 1), setting, 128, learned)
        for setting, learned in (
            (Setting(), 12),
            (Setting(), 128),
            (Setting(checkpointing=True), 12),
            (Setting(dropout=0.1), 12),
        )
    )
    assert few.flops < all_of_it.flops and few.saved < all_of_it.saved
    assert kept.flops > few.flops and kept.saved < few.saved < dropout.saved


def test_padding_computes_more_than_it_uses_and_packing_does_not():
    sizes = lengths(512)
    computed = {
        layout: sum(layout.computed([sizes[row] for row in rows]) for step in plan(sizes, 16, layout, 0, 0) for rows in step) / sum(sizes)
        for layout in (Layout(0, 4), Layout(0, 16), Layout(1024))
    }
    assert computed[Layout(1024)] == 1.0
    assert 1.5 < computed[Layout(0, 4)] < computed[Layout(0, 16)]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_the_gpu_benchmark_runs_on_a_toy_shape_without_a_gpu(tmp_path: Path):
    command = [sys.executable, "-m", "benchmarks.gpu", "tiny=true", "steps=1", "only=T1,T4,T6", f"json={tmp_path / 'lines.jsonl'}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=300, capture_output=True)
    ceilings, *lines = [json.loads(line) for line in (tmp_path / "lines.jsonl").read_text().splitlines()]
    assert ceilings["case"] == "ceilings"
    assert [line["case"] for line in lines] == ["T1", "T4", "T6", "T1"]
    assert all(line["useful_tok_s"] > 0 and line["prediction"] and not line["halvings"] for line in lines)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_the_benchmark_of_a_real_base_runs_on_the_embedded_one(tmp_path: Path):
    small = ("model=tiny", "path=sekft:tiny", "episodes=3", "tokens=6", "rows=4", f"json={tmp_path / 'lines.jsonl'}")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "benchmarks.real_base", *small]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=300, capture_output=True)
    lines = [json.loads(line) for line in (tmp_path / "lines.jsonl").read_text().splitlines()]
    assert [(line["work"], line["dtype"]) for line in lines] == [
        (w, d) for d in ("float32", "bfloat16") for w in ("generation", "training") for _ in range(4)
    ]
    assert all(line["same"] == 1 for line in lines if line["work"] == "generation" and line["dtype"] == "float32")
