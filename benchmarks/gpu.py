"""Training Mistral-7B's shape on a GPU, plain TRL and sekft: rows T1-T7, Q1-Q2, B16 and B4 of experiments/throughput.md.

python -m benchclock.gpu [only=T1,T4,T7] [steps=6] [seconds=540] [json=lines.jsonl] [tiny=true]

Random weights: throughput and memory only, nothing about quality. Each result is one line of JSON with its prediction, printed at once; no
case begins after `seconds`. T1 and T7 run twice, for the spread. B16 and B4: forward and backward passes of 1,024 to 16,384 tokens on a
bfloat16 and an nf4 base, without a trainer. tiny=true runs the same code with a toy shape on any device. Throughput counts useful tokens:
those of rows, without padding.
"""

import contextlib
import gc
import json
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import TrainerCallback
from transformers.trainer_callback import PrinterCallback
from trl import SFTConfig, SFTTrainer

from sekft.config import LoraConfig, ModelConfig, TrainConfig, TrainerConfig, Weights
from sekft.data.sample import Row
from sekft.model import base as bases
from sekft.model import lora
from sekft.model.shape import shape_of
from sekft.train import collator
from sekft.train.attention import by_rows
from sekft.train.forecast import flops, forecast, matmul_flops
from sekft.train.trainer import make_trainer, weighted_nll

DEFAULTS = {"only": "", "steps": "6", "seconds": "540", "json": "", "tiny": "false"}
MISTRAL_7B = {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8}
MISTRAL_7B |= {"head_dim": 128, "vocab_size": 32000, "max_position_embeddings": 32768}
WARM_UP, LEARNED = 2, 0.12  # steps that are not measured; share of learned tokens
R16 = LoraConfig(name="r16", r=16, alpha=32)


@dataclass(frozen=True)
class Case:
    what: str  # as in the JSON lines
    prediction: str
    against: str | None = None
    trl: dict[str, Any] | None = None  # fields of SFTConfig for plain TRL; None: sekft's trainer
    ours: dict[str, Any] = field(default_factory=dict)  # fields of TrainerConfig
    bfloat16_adapter: bool = False
    liger: bool = False
    nf4: bool = False
    sizes: tuple[int, ...] = ()  # tokens of passes that are measured without a trainer


SIZES = (1024, 2048, 4096, 8192, 16384)

OPEN = {"checkpointing": False, "tokens_per_batch": 16384}
CASES = {
    "T1": Case("TRL, its defaults: bf16, padded 8, checkpointing, sdpa", "4.7k tok/s", trl={"per_device_train_batch_size": 8}),
    "T2": Case("TRL, padded 4, no checkpointing", "1.4 x T1", "T1", {"per_device_train_batch_size": 4, "activation_checkpointing": False}),
    "T3": Case(
        "TRL, packed 8k on sdpa (dense mask)",
        "1.2 x T1",
        "T1",
        {"per_device_train_batch_size": 1, "packing": True, "max_length": 8192},
    ),
    "T4": Case("sekft, packed 8k, checkpointing", "1.3-1.4 x T3", "T3", ours={"checkpointing": True, "tokens_per_batch": 8192}),
    "T5": Case("sekft, packed 16k, no checkpointing", "12k tok/s", "T4", ours=OPEN),
    "T6": Case("as T5, bfloat16 adapter", "16 GiB less than T5", "T5", ours=OPEN, bfloat16_adapter=True),
    "T7": Case("as T6, Liger layer kernels", "13k tok/s, 2.8 x T1", "T1", ours=OPEN, bfloat16_adapter=True, liger=True),
    "Q1": Case("TRL, nf4, its defaults, padded 8", "itself", trl={"per_device_train_batch_size": 8}, nf4=True),
    "Q2": Case("as T7, nf4", "within 3 % of T7, 2.8 x Q1", "Q1", ours=OPEN, bfloat16_adapter=True, liger=True, nf4=True),
    "B16": Case("one pass, kernels as T7", "as T7 at 16k", sizes=SIZES, liger=True),
    "B4": Case("one pass, nf4", "11-22 % slower than B16 at 1k, at most 1.3 % at 16k", "B16", sizes=SIZES, liger=True, nf4=True),
}
ORDER = ["T1", "T2", "T3", "T4", "T5", "T6", "T7", "T1", "T7", "B16", "Q1", "Q2", "B4"]


class StepClock(TrainerCallback):
    """Records the time and the useful tokens so far after every step."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.tokens: list[float] = []
        self.trainer: Any = None

    def on_step_end(self, *_: Any, **__: Any) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.seconds.append(time.perf_counter())
        self.tokens.append(float(self.trainer._total_train_tokens))


def random_rows(amount: int, tiny: bool) -> list[Row]:
    """Rows of 1,000 to 4,000 tokens, uniformly distributed; 12 % learned, in twenty turns."""
    generator, out = random.Random(0), []
    for number in range(amount):
        size = generator.randint(*((20, 80) if tiny else (1000, 4000)))
        turn = max(size // 20, 8)
        weight = tuple(float(at % turn >= turn - round(turn * LEARNED)) for at in range(size))
        out.append(Row(str(number), tuple(generator.randrange(3, 1000) for _ in range(size)), (0.0, *weight[1:])))
    return out


@contextlib.contextmanager
def model_folder(tiny: bool) -> Iterator[Path]:
    """A temporary folder with a tokenizer and the shape's config.json, without weights."""
    with tempfile.TemporaryDirectory(prefix="sekft-gpu-") as folder:
        shipped = Path(bases.__file__).parent / "tiny"
        shutil.copytree(shipped, folder, dirs_exist_ok=True)
        config = json.loads((shipped / "config.json").read_text())
        (Path(folder) / "config.json").write_text(json.dumps(config if tiny else {**config, **MISTRAL_7B}))
        yield Path(folder)


def load(folder: Path, nf4: bool) -> bases.Base:
    """A base with random weights, drawn on the device: drawing 7B on the CPU takes minutes."""
    gc.collect()
    with torch.device("cuda") if torch.cuda.is_available() else contextlib.nullcontext():
        return bases.load(ModelConfig(name="shape", path=str(folder), weights=Weights.random, load_4bit=nf4))


def trl_trainer(tuned: Any, base: bases.Base, rows: list[Row], case: Case, steps: int, folder: Path, clock: StepClock) -> Any:
    labels = [[token if weight else -100 for token, weight in zip(row.ids, row.weight, strict=True)] for row in rows]
    data = Dataset.from_dict({"input_ids": [list(row.ids) for row in rows], "labels": labels})
    tokenizer = bases.hub_tokenizer(base)
    tokenizer.pad_token = tokenizer.convert_ids_to_tokens(min(base.tokenizer.stop_ids))
    cuda = base.device.type == "cuda"
    options = {"max_length": None, "save_strategy": "no", "logging_strategy": "no", "disable_tqdm": True, "bf16": cuda, **(case.trl or {})}
    args = SFTConfig(output_dir=str(folder / "out"), max_steps=steps, use_cpu=not cuda, **options)
    trainer = SFTTrainer(model=tuned, args=args, train_dataset=data, processing_class=tokenizer, callbacks=[clock])
    trainer.remove_callback(PrinterCallback)
    return trainer


def train(base: bases.Base, case: Case, rows: list[Row], steps: int, folder: Path) -> dict[str, Any]:
    """Measure a case: useful tokens/s over all steps after the warm-up, peak memory."""
    clock, settings = StepClock(), TrainerConfig(max_steps=steps, batch=16, warmup=0.0, log_every_steps=1000, **case.ours)
    if base.device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    with lora.fresh(base, R16, seed=0) as tuned:
        if case.trl is not None:
            trainer = trl_trainer(tuned, base, rows, case, steps, folder, clock)
        else:
            trainer = make_trainer(tuned, base, rows, settings, folder / "out", 0, [clock])
        if case.bfloat16_adapter:
            _as_bfloat16(tuned, base)
        clock.trainer = trainer
        trainer.train()
    seconds = [after - before for before, after in zip(clock.seconds[WARM_UP - 1 :], clock.seconds[WARM_UP:], strict=False)]
    tokens = clock.tokens[-1] - clock.tokens[WARM_UP - 1]
    result: dict[str, Any] = {"useful_tok_s": round(tokens / sum(seconds), 1), "step_ms": round(1000 * statistics.median(seconds))}
    if base.device.type == "cuda":
        result["peak_gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 2)
    return {**result, "halvings": getattr(trainer, "halvings", 0), **relate(base, case, settings, rows, result["useful_tok_s"])}


def measure_passes(base: bases.Base, rows: list[Row], size: int, times: int) -> float:
    """Median useful tokens/s of a forward and backward pass over packed rows of `size` tokens in total."""
    chosen, left = [], size
    for row in rows:
        if left > 0:
            chosen.append(Row(row.id, row.ids[:left], row.weight[:left]))
            left -= len(row.ids)
    batch = {key: value.to(base.device) for key, value in collator.packed(chosen).items()}
    seconds = []
    with lora.fresh(base, R16, seed=0) as tuned:
        _as_bfloat16(tuned, base)
        for _ in range(WARM_UP + times):
            started = time.perf_counter()
            with by_rows(tuned), torch.autocast(base.device.type, torch.bfloat16, enabled=base.device.type == "cuda"):
                weighted_nll(tuned, batch).backward()
            tuned.zero_grad(set_to_none=True)
            if base.device.type == "cuda":
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - started)
    return size / statistics.median(seconds[WARM_UP:])


def _as_bfloat16(tuned: Any, base: bases.Base) -> None:
    if base.device.type == "cuda":
        for parameter in (parameter for parameter in tuned.parameters() if parameter.requires_grad):
            parameter.data = parameter.data.bfloat16()


def relate(base: bases.Base, case: Case, settings: TrainerConfig, rows: list[Row], speed: float) -> dict[str, Any]:
    """The forecast of memory, and useful FLOP/s, without recomputation, as a share of the device's matrix product speed."""
    shape = shape_of(json.loads((base.folder / "config.json").read_text()))
    assert shape is not None
    lengths, learned = [len(row.ids) for row in rows], sum(weight > 0 for row in rows for weight in row.weight)
    per_token = flops(shape, shape.adapter(R16), lengths, learned, recomputed=False) / sum(lengths)
    result: dict[str, Any] = {"share_of_matmul": round(speed * per_token / matmul_flops(base.device, base.dtype), 3)}
    if case.trl is None:
        whole = TrainConfig(model=base.config, lora=R16, trainer=settings)
        result["forecast_gib"] = round(forecast(shape, whole, rows, base.device.type, base.dtype, 1).needed() / 2**30, 2)
    return result


def apply_liger(base: bases.Base) -> None:
    """Replace the base's layers by Liger's kernels, permanently; cases without them must come before. Raises ImportError."""
    from liger_kernel.transformers import apply_liger_kernel_to_mistral

    apply_liger_kernel_to_mistral(
        rope=True, rms_norm=True, swiglu=True, cross_entropy=False, fused_linear_cross_entropy=False, model=base.model
    )


def run(options: dict[str, str], folder: Path) -> Iterator[dict[str, Any]]:
    """The results of every case, in order; a case that cannot run yields the reason."""
    tiny, started, steps = options["tiny"] == "true", time.monotonic(), int(options["steps"]) + WARM_UP
    chosen = [name for name in ORDER if not options["only"] or name in options["only"].split(",")]
    rows, speeds, kernels = random_rows(64, tiny), {}, None
    for name in chosen:
        case = CASES[name]
        if time.monotonic() - started > float(options["seconds"]):
            yield {"case": name, "skipped": f"more than seconds={options['seconds']} have passed"}
            continue
        described: dict[str, Any] = {"case": name, "what": case.what, "prediction": case.prediction}
        try:
            if kernels and not case.liger:
                bases.unload()  # the next base is loaded without Liger's kernels
                kernels = None
            base = load(folder, case.nf4)
            if case.liger and kernels is not base:
                apply_liger(base)
                kernels = base
            for result in measure(base, case, rows, steps, folder):
                size = result.get("size")
                speeds[name, size] = result["useful_tok_s"]
                if (case.against, size) in speeds:
                    result[f"x {case.against}"] = round(speeds[name, size] / speeds[case.against, size], 3)
                yield described | result
        except Exception as error:  # one failing case must not end the others
            yield described | {"failed": f"{type(error).__name__}: {error}".splitlines()[0]}


def measure(base: bases.Base, case: Case, rows: list[Row], steps: int, folder: Path) -> Iterator[dict[str, Any]]:
    if not case.sizes:
        yield train(base, case, rows, steps, folder)
    for size in case.sizes:
        if size <= sum(len(row.ids) for row in rows):
            yield {"size": size, "useful_tok_s": round(measure_passes(base, rows, size, steps), 1)}


def ceilings(tiny: bool) -> dict[str, Any]:
    """The device's limits: FLOP/s of matrix products, and bytes/s read and written by a copy."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    source = torch.randn(2**20 if tiny else 2**31, device=device, dtype=torch.bfloat16)
    target, seconds = torch.empty_like(source), []
    for _ in range(WARM_UP + 5):
        started = time.perf_counter()
        target.copy_(source)[-1].item()
        seconds.append(time.perf_counter() - started)
    moved = 2 * source.numel() * source.element_size() / statistics.median(seconds[WARM_UP:])
    return {"case": "ceilings", "tflop_s": round(matmul_flops(device, source.dtype) / 1e12, 1), "tb_s": round(moved / 1e12, 2)}


def main(arguments: list[str]) -> None:
    options = {**DEFAULTS, **dict(argument.split("=", 1) for argument in arguments)}
    if unknown := set(options) - set(DEFAULTS):
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; allowed: {', '.join(DEFAULTS)}")
    if not torch.cuda.is_available() and options["tiny"] != "true":
        sys.exit("no CUDA device here; allowed: tiny=true")
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    with model_folder(options["tiny"] == "true") as folder, contextlib.ExitStack() as stack:
        file = stack.enter_context(Path(options["json"]).open("a")) if options["json"] else None
        for result in chain([ceilings(options["tiny"] == "true")], run(options, folder)):
            line = json.dumps({"device": device, "torch": torch.__version__, "tiny": options["tiny"] == "true", **result})
            print(line, flush=True)
            if file:
                file.write(line + "\n")
                file.flush()


if __name__ == "__main__":
    os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")
    main(sys.argv[1:])
