"""A real base on the CPU: replies in a batch, one by one and by transformers; training against TRL; float32 and bfloat16.

python -m benchmarks.real_base [model=smollm2] [path=FOLDER] [episodes=8] [turns=2] [tokens=24] [rows=8] [threads=1] [json=lines.jsonl]

`generation`: the base replies wherever the reference typed a command, in the first `turns` turns, greedily. `training`: a LoRA (r=16, all
linear layers) for one epoch of the same episodes, 4 rows a step. Seconds are the CPU time of this process, which other work on the machine
disturbs least. Weights GB/s is the size of the weights times the forward passes; its share is of the speed at which a matrix-vector product
of 256 MiB reads its matrix. Same replies: as transformers gives one by one with the same type, and in float32.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from rich.console import Console
from rich.table import Table
from trl import SFTConfig, SFTTrainer

from sekft.config import (
    BackendKind,
    DataConfig,
    Device,
    Dtype,
    Engine,
    EvalConfig,
    LoraConfig,
    MaskConfig,
    MaskRule,
    ModelConfig,
    SandboxConfig,
    SplitConfig,
    TrainerConfig,
)
from sekft.data.sample import Row, Sample, make_rows
from sekft.episode.agent import reference
from sekft.episode.trajectory import Trajectory
from sekft.eval.evaluation import Evaluation
from sekft.model import base as bases
from sekft.model import lora
from sekft.model.base import Base
from sekft.model.generate import SamplingParameters
from sekft.model.generators import generators_on
from sekft.rendering.render import prompt_ids
from sekft.sandbox import choose
from sekft.scenario.split import scenarios
from sekft.train.trainer import make_trainer

DEFAULTS = {
    "model": "smollm2",
    "path": "sekft:smollm2",
    "episodes": "8",
    "turns": "2",
    "tokens": "24",
    "rows": "8",
    "threads": "1",
    "json": "",
}
ENGINES = {
    "transformers, one by one": (Engine.sequential, 1),
    "transformers, padded batch": None,
    "sekft, one by one, context kept": (Engine.batched, 1),
    "sekft, together": (Engine.batched, 32),
}
TRL: dict[str, dict[str, Any]] = {
    "TRL, padded 4": {"per_device_train_batch_size": 4},
    "TRL, 1 row x 4": {"per_device_train_batch_size": 1, "gradient_accumulation_steps": 4},
    "TRL, padding-free 4": {"per_device_train_batch_size": 4, "padding_free": True},
}
Prompts = list[list[list[int]]]  # by episode, then turn
Result = dict[str, Any]


@contextmanager
def spent() -> Iterator[Callable[[], dict[str, float]]]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield lambda: {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall}


def read_speed(dtype: torch.dtype) -> float:
    """Bytes/s at which a matrix-vector product reads its matrix, the best of five."""
    matrix = torch.randn(2**28 // dtype.itemsize // 1024, 1024).to(dtype)
    vector, seconds = torch.randn(1024).to(dtype), []
    for _ in range(6):
        started = time.perf_counter()
        torch.mv(matrix, vector)
        seconds.append(time.perf_counter() - started)
    return 2**28 / min(seconds[1:])


@contextmanager
def passes(model: Any) -> Iterator[list[int]]:
    """A list that grows by one for every forward pass."""
    counted: list[int] = []
    hook = model.register_forward_pre_hook(lambda *_: counted.append(1))
    try:
        yield counted
    finally:
        hook.remove()


@torch.no_grad()
def padded(base: Base, prompts: Prompts, limit: int) -> list[list[list[int]]]:
    """transformers' generate for a turn of all episodes at a time; every turn is read anew."""
    replies: list[list[list[int]]] = [[] for _ in prompts]
    stops = sorted(base.tokenizer.stop_ids)
    for turn in range(max(map(len, prompts))):
        chosen = [at for at, turns in enumerate(prompts) if turn < len(turns)]
        width = max(len(prompts[at][turn]) for at in chosen)
        rows = [[stops[0]] * (width - len(prompts[at][turn])) + prompts[at][turn] for at in chosen]
        real = [[0] * (width - len(prompts[at][turn])) + [1] * len(prompts[at][turn]) for at in chosen]
        options: dict[str, Any] = {"max_new_tokens": limit, "do_sample": False, "eos_token_id": stops, "pad_token_id": stops[0]}
        out = base.model.generate(input_ids=torch.tensor(rows), attention_mask=torch.tensor(real), **options)  # type: ignore[operator]
        for at, ids in zip(chosen, out[:, width:].tolist(), strict=True):
            end = next((index + 1 for index, token in enumerate(ids) if token in stops), len(ids))
            replies[at].append(ids[:end])
    return replies


def replied(base: Base, prompts: Prompts, limit: int, how: tuple[Engine, int] | None) -> list[list[list[int]]]:
    if how is None:
        return padded(base, prompts, limit)
    with generators_on(base, base.model, {"base": None}, *how) as loaded, ThreadPoolExecutor(how[1]) as pool:
        generate, sampling = loaded.by_name["base"], SamplingParameters(limit)
        return list(pool.map(lambda one: [generate(str(one[0]), prompt, sampling) for prompt in one[1]], enumerate(prompts)))


def prompts_of(episode: Trajectory, base: Base, turns: int) -> list[list[int]]:
    """What a model reads before each of the reference's first commands."""
    ends = range(1, len(episode.messages), 2)[:turns]
    return [prompt_ids(episode.messages[:end], base.tokenizer) for end in ends]


def rows_of(episodes: Sequence[Trajectory], base: Base) -> list[Row]:
    samples = [Sample(episode.id, episode.scenario_id, "reference", episode.messages) for episode in episodes]
    return make_rows(samples, base.tokenizer, MaskConfig(MaskRule.assistant), DataConfig(), 1024)[0]


def generation(base: Base, prompts: Prompts, limit: int, exact: list[Any]) -> Iterator[Result]:
    """exact: the replies in float32, filled by the first call."""
    weights, speed = sum(one.numel() * one.element_size() for one in base.model.parameters()), read_speed(base.dtype)
    first: list[Any] = []
    for name, how in ENGINES.items():
        with passes(base.model) as counted, spent() as used:
            replies = replied(base, prompts, limit, how)
            cost = used()
        flat = [reply for turns in replies for reply in turns]
        first, exact[:] = first or flat, exact or flat
        rate = weights * len(counted) / cost["wall_s"]
        same = {"same": share_of_equal(flat, first), "same_as_float32": share_of_equal(flat, exact)}
        tokens = sum(map(len, flat))
        more = {"tokens": tokens, "tokens_per_cpu_s": tokens / cost["cpu_s"], "passes": len(counted), "weights_gb_s": rate / 1e9}
        yield {"work": "generation", "dtype": base.dtype_name(), "method": name, **cost, **more, "share": rate / speed, **same}


def share_of_equal(replies: Sequence[list[int]], others: Sequence[list[int]]) -> float:
    return sum(one == other for one, other in zip(replies, others, strict=True)) / len(replies)


def training(base: Base, rows: list[Row], folder: Path) -> Iterator[Result]:
    tokens = sum(len(row.ids) for row in rows)
    mixed = base.dtype is torch.bfloat16
    for name in (*TRL, "sekft"):
        with lora.fresh(base, LoraConfig(name="r16", r=16, alpha=32), seed=0) as tuned:
            trainer: Any
            if name in TRL:
                trainer = trl_trainer(tuned, base, rows, folder, {**TRL[name], "bf16": mixed})
            else:
                trainer = make_trainer(tuned, base, rows, TrainerConfig(epochs=1, batch=4), folder, seed=0)
            with spent() as used:
                trainer.train()
                cost = used()
        more = {"tokens": tokens, "tokens_per_cpu_s": tokens / cost["cpu_s"]}
        yield {"work": "training", "dtype": base.dtype_name(), "method": name, **cost, **more}


def trl_trainer(tuned: Any, base: Base, rows: list[Row], folder: Path, options: dict[str, Any]) -> Any:
    labels = [[token if weight else -100 for token, weight in zip(row.ids, row.weight, strict=True)] for row in rows]
    data = Dataset.from_dict({"input_ids": [list(row.ids) for row in rows], "labels": labels})
    tokenizer = bases.hub_tokenizer(base)
    tokenizer.pad_token = tokenizer.eos_token
    common: dict[str, Any] = {
        "max_length": None,
        "num_train_epochs": 1,
        "use_cpu": True,
        "save_strategy": "no",
        "disable_tqdm": True,
        "report_to": "none",
    }
    settings = SFTConfig(output_dir=str(folder), activation_checkpointing=False, **common, **options)
    return SFTTrainer(model=tuned, args=settings, train_dataset=data, processing_class=tokenizer)


def table(results: list[Result]) -> Table:
    drawn = Table(title="CPU seconds of this process; x: against the first method of the same type")
    columns = ("work", "type", "method", "CPU s", "x", "tokens / CPU s", "passes", "weights GB/s", "of reading", "same", "same as float32")
    for column in columns:
        drawn.add_column(column, justify="left" if column in ("work", "type", "method") else "right")
    for one in results:
        first = next(other for other in results if (other["work"], other["dtype"]) == (one["work"], one["dtype"]))
        more = ("", "", "", "", "")
        if one["work"] == "generation":
            same = (f"{one['same']:.0%}", f"{one['same_as_float32']:.0%}")
            more = (str(one["passes"]), f"{one['weights_gb_s']:.1f}", f"{one['share']:.0%}", *same)
        cost = (f"{one['cpu_s']:.1f}", f"{first['cpu_s'] / one['cpu_s']:.2f}", f"{one['tokens_per_cpu_s']:.0f}")
        drawn.add_row(one["work"], one["dtype"], one["method"], *cost, *more)
    return drawn


def main(arguments: list[str]) -> None:
    options = {**DEFAULTS, **dict(argument.split("=", 1) for argument in arguments)}
    if unknown := set(options) - set(DEFAULTS):
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; allowed: {', '.join(DEFAULTS)}")
    torch.set_num_threads(int(options["threads"]))
    console, results, exact = Console(width=170), list[Result](), list[Any]()
    split = SplitConfig(name="archetype", held_out=["move", "sort"])
    chosen = tuple(scenarios(split, "all")[: max(int(options["episodes"]), int(options["rows"]))])
    evaluation = Evaluation(chosen, choose.backend(SandboxConfig(backend=BackendKind.bwrap)), EvalConfig(), 0, 0)
    played = evaluation.play({"reference": reference(chosen)}, "episodes")["reference"]
    config = ModelConfig(name=options["model"], path=options["path"], device=Device.cpu)
    with tempfile.TemporaryDirectory(prefix="sekft-real-base-") as folder:
        for dtype in (Dtype.float32, Dtype.bfloat16):
            base = bases.load(replace(config, dtype=dtype))
            prompts = [prompts_of(episode, base, int(options["turns"])) for episode in played[: int(options["episodes"])]]
            rows = rows_of(played[: int(options["rows"])], base)
            for measure in (generation(base, prompts, int(options["tokens"]), exact), training(base, rows, Path(folder))):
                for result in measure:
                    results.append(result)
                    console.print(f"{result['work']}, {result['dtype']}, {result['method']}: {result['cpu_s']:.1f} CPU s", highlight=False)
    console.print(table(results))
    if options["json"]:
        Path(options["json"]).write_text("".join(json.dumps(result) + "\n" for result in results))


if __name__ == "__main__":
    main(sys.argv[1:])
