"""The cost of a training step on the CPU, of sekft and of plain TRL on the same rows, and of the 7B shape by counting.

python -m benchmarks.train_step [rounds=3] [rows=16] [hidden=256] [layers=4] [threads=1] [json=lines.jsonl]

Every variant runs in a process of its own, so that peak memory is measured separately; within a round the variants take turns, and each is
compared with the baseline of the same round. One LoRA (r=16, all linear layers) on a Mistral shape with the real 32k vocabulary, rows of
100-900 tokens (log-normal), 12 % learned, 4 rows a step. Useful tokens are those of rows, without padding. CPU seconds are the process's.
"""

import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

DEFAULTS = {"rounds": "3", "rows": "16", "hidden": "256", "layers": "4", "threads": "1", "json": "", "side": "", "folder": ""}
STEP_ROWS, LEARNED = 4, 0.12
ANSWER = "answer: "  # transformers prints other lines
TRL: dict[str, dict[str, Any]] = {
    "TRL, its defaults (bf16, checkpointing), padded 4": {"per_device_train_batch_size": 4},
    "TRL, padded 4": {"per_device_train_batch_size": 4, "bf16": False, "activation_checkpointing": False},
    "TRL, padding-free 4": {"per_device_train_batch_size": 4, "padding_free": True, "bf16": False, "activation_checkpointing": False},
    "TRL, packed bfd 1024": {
        "per_device_train_batch_size": 1,
        "packing": True,
        "max_length": 1024,
        "bf16": False,
        "activation_checkpointing": False,
    },
    "TRL, 1 row x 4": {
        "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": 4,
        "bf16": False,
        "activation_checkpointing": False,
    },
}
OURS: dict[str, int | None] = {"sekft, padded 4": 0, "sekft, 1 row x 4": 1, "sekft, packed 1024 (default)": None}
BASELINE = "TRL, padded 4"


def lengths(amount: int) -> list[int]:
    """Row lengths like those of shell episodes: log-normal, 100 to 900 tokens."""
    generator = random.Random(0)
    return [min(900, max(100, round(generator.lognormvariate(5.7, 0.6)))) for _ in range(amount)]


def worker(variant: str, folder: Path, amount: int) -> None:
    """Train one epoch for every line on stdin, and print its cost."""
    import torch
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    from sekft.config import Device, LoraConfig, ModelConfig, TrainerConfig, Weights
    from sekft.data.sample import Row
    from sekft.model import base as bases
    from sekft.model import lora
    from sekft.train.trainer import make_trainer

    base = bases.load(ModelConfig(name="shape", path=str(folder), weights=Weights.random, device=Device.cpu))
    generator = random.Random(1)
    rows = []
    for at, size in enumerate(lengths(amount)):
        ids = tuple(generator.randrange(3, 32000) for _ in range(size))
        rows.append(Row(str(at), ids, (0.0, *(float(generator.random() < LEARNED) for _ in range(size - 1)))))

    def trl_trainer(tuned: Any) -> Any:
        labels = [[token if weight else -100 for token, weight in zip(row.ids, row.weight, strict=True)] for row in rows]
        data = Dataset.from_dict({"input_ids": [list(row.ids) for row in rows], "labels": labels})
        options = {"max_length": None, "num_train_epochs": 1, "use_cpu": True, "save_strategy": "no", "disable_tqdm": True, **TRL[variant]}
        tokenizer = bases.hub_tokenizer(base)
        tokenizer.pad_token = tokenizer.eos_token
        return SFTTrainer(
            model=tuned, args=SFTConfig(output_dir=str(folder / "out"), **options), train_dataset=data, processing_class=tokenizer
        )

    def sekft_trainer(tuned: Any) -> Any:
        settings = TrainerConfig(epochs=1, batch=STEP_ROWS, tokens_per_batch=OURS[variant])
        return make_trainer(tuned, base, rows, settings, folder / "out", seed=0)

    make: Callable[[Any], Any] = trl_trainer if variant in TRL else sekft_trainer
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print("ready", flush=True)
    for _ in sys.stdin:
        with lora.fresh(base, LoraConfig(name="r16", r=16, alpha=32), seed=0) as tuned:
            trainer = make(tuned)
            wall, cpu = time.perf_counter(), time.process_time()
            trainer.train()
            cost = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        tokens = int(trainer._total_train_tokens)
        print(
            ANSWER + json.dumps({"tokens": tokens, **cost, "peak_mib": (peak - before) / 1024, "threads": torch.get_num_threads()}),
            flush=True,
        )


def measure(folder: Path, options: dict[str, str]) -> list[dict[str, Any]]:
    """The costs of all variants in all rounds; the first round is a warm-up and does not count."""
    processes = {}
    environment = {**os.environ, "OMP_NUM_THREADS": options["threads"]}
    for variant in (*TRL, *OURS):
        command = [sys.executable, "-m", "benchmarks.train_step", f"side={variant}", f"folder={folder}", f"rows={options['rows']}"]
        processes[variant] = subprocess.Popen(
            command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    lines = []
    for number in range(int(options["rounds"]) + 1):
        for variant, process in processes.items():
            assert process.stdin and process.stdout
            process.stdin.write("go\n")
            process.stdin.flush()
            answer = next((line for line in process.stdout if line.startswith(ANSWER)), None)
            if answer is None:
                sys.exit(f"{variant}: ended with status {process.wait()}")
            if number:
                lines.append({"side": variant, "round": number, **json.loads(answer.removeprefix(ANSWER))})
    for process in processes.values():
        process.communicate("")
    return lines


def table(lines: list[dict[str, Any]]) -> Table:
    (useful,) = {line["tokens"] for line in lines}  # every variant has trained on all tokens
    result = Table(title=f"{useful} useful tokens an epoch; ratios are medians over rounds, against '{BASELINE}' of the same round")
    for name in ("variant", "useful tok / CPU s", "x", "useful tok / s", "x", "peak over the loaded model, MiB", "x"):
        result.add_column(name, justify="left" if name == "variant" else "right")
    by = {(line["side"], line["round"]): line for line in lines}
    rounds = sorted({line["round"] for line in lines})
    for variant in dict.fromkeys(line["side"] for line in lines):
        cells = [variant]
        for key, gain in (("cpu_s", True), ("wall_s", True), ("peak_mib", False)):
            values = [by[variant, number][key] for number in rounds]
            base = [by[BASELINE, number][key] for number in rounds]
            own = [by[variant, number]["tokens"] / value for number, value in zip(rounds, values, strict=True)] if gain else values
            ratio = [(b / v if gain else v / b) for v, b in zip(values, base, strict=True)]
            cells += [f"{statistics.median(own):,.0f}", f"{statistics.median(ratio):.2f}"]
        result.add_row(*cells)
    return result


def counts() -> Table:
    """Counts for Mistral-7B's shape: one row of 1024 tokens, 12 % learned, LoRA r=16 on all linear layers, bfloat16 as on CUDA."""
    from transformers import MistralConfig

    from benchmarks.counters import Setting, layers, one_pass, per_layer

    config, tokens = MistralConfig(), 1024
    result = Table(title="Mistral-7B by count: one pass of 1024 tokens; without attention scores")
    for name in ("setting", "GFLOP/token", "kept, KiB/token/layer", "device operations"):
        result.add_column(name, justify="left" if name == "setting" else "right")
    for name, setting in {
        "float32 adapter": Setting(),
        "bfloat16 adapter": Setting(float32_adapter=False),
        "float32 adapter, dropout 0.05": Setting(dropout=0.05),
        "float32 adapter, checkpointing": Setting(checkpointing=True),
    }.items():
        one, more = one_pass(layers(config, 1), setting, tokens, int(LEARNED * tokens)), per_layer(config, setting, tokens)
        kept = (per_layer(config, setting, 2 * tokens).saved - more.saved) / tokens / 1024
        result.add_row(
            name, f"{(one.flops + 31 * more.flops) / tokens / 1e9:.2f}", f"{kept:.2f}", f"{one.operations + 31 * more.operations:,}"
        )
    return result


def padding() -> Table:
    """Computed tokens per useful token, over an epoch of 4096 rows."""
    from sekft.train.batch_plan import Layout, plan

    result = Table(title="computed tokens per useful token, passes per step of 16 rows")
    for name in ("layout", "computed / useful", "passes"):
        result.add_column(name, justify="left" if name == "layout" else "right")
    sizes = lengths(4096)
    for layout in (Layout(0, 4), Layout(0, 8), Layout(0, 16), Layout(1), Layout(1024), Layout(4096), Layout(8192)):
        steps = plan(sizes, 16, layout, seed=0, epoch=0)
        computed = sum(layout.computed([sizes[row] for row in rows]) for step in steps for rows in step)
        result.add_row(str(layout), f"{computed / sum(sizes):.3f}", f"{sum(map(len, steps)) / len(steps):.2f}")
    return result


def write_model(folder: Path, options: dict[str, str]) -> None:
    """Write a model folder with the real tokenizer, the shape of the options and random weights."""
    subprocess.run(
        [sys.executable, "scripts/small_mistral.py", str(folder)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    config, hidden = json.loads((folder / "config.json").read_text()), int(options["hidden"])
    shape = {"hidden_size": hidden, "intermediate_size": hidden * 11 // 4, "num_hidden_layers": int(options["layers"])}
    (folder / "config.json").write_text(json.dumps({**config, **shape, "head_dim": hidden // config["num_attention_heads"]}))


def main(arguments: list[str]) -> None:
    options = {**DEFAULTS, **dict(argument.split("=", 1) for argument in arguments)}
    if unknown := set(options) - set(DEFAULTS):
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; allowed: {', '.join(DEFAULTS)}")
    if options["side"]:
        return worker(options["side"], Path(options["folder"]), int(options["rows"]))
    console = Console(width=max(150, Console().width))
    console.print(padding(), counts())
    with tempfile.TemporaryDirectory(prefix="sekft-train-step-") as folder:
        write_model(Path(folder), options)
        lines = measure(Path(folder), options)
    console.print(f"{options}; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    console.print(table(lines))
    if options["json"]:
        Path(options["json"]).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return None


if __name__ == "__main__":
    os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")
    main(sys.argv[1:])
