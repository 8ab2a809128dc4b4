"""Measures what preparing rows costs, ours and TRL's `datasets.map` on the same conversations.

python benchmarks/prepare.py [rows=100000] [processes=2] [ways=ours,trl,trl_masked] [json=lines.jsonl]

ours: render, mask, compare every prompt with what a server feeds, count; then write the cache and read it. trl: chat template and
tokenization, no mask. trl_masked: with TRL's assistant mask, by a template with generation markers. Conversations are shell episodes of 3
to 8 commands drawn from a seed, with the tokenizer of model=tiny. The ways run once, in the given order; `load` is the load average.
"""

import contextlib
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from sekft.config import DataConfig, MaskConfig, MaskRule, ModelConfig
from sekft.data import cache, parallel
from sekft.data.accounting import Counts
from sekft.data.recipe import PreparedData
from sekft.data.sample import Row, Sample
from sekft.model.locate import base_folder, load_tokenizer
from sekft.rendering.messages import Message
from sekft.tracking.files import write_text

TINY = ModelConfig(name="tiny", path="sekft:tiny")
MAX_TOKENS = 1024
REPLY = "{{ message['content'] + eos_token }}"
WORDS = ["lemon", "harbor", "cedar", "pumpkin", "nickel", "garden", "copper", "velvet", "barley", "walnut", "amber", "falcon"]


def main(arguments: Sequence[str]) -> None:
    options = dict(argument.split("=", 1) for argument in arguments)
    count, processes = int(options.get("rows", "100000")), int(options.get("processes", "2"))
    samples = [episode(number) for number in range(count)]
    lines: list[dict[str, float | str]] = []
    for way in options.get("ways", "ours,trl,trl_masked").split(","):
        for name, seconds, cpu_s, rows, tokens in WAYS[way](samples, processes):
            line = {"way": name, "rows": rows, "tokens": tokens, "seconds": round(seconds, 2), "cpu_seconds": round(cpu_s, 2)}
            lines.append(line | {"load": round(os.getloadavg()[0], 1)})
            print(json.dumps(lines[-1]), flush=True)
    if "json" in options:
        write_text(Path(options["json"]), "".join(json.dumps(line) + "\n" for line in lines))
    Console().print(table(lines))


def episode(number: int) -> Sample:
    """An episode drawn from its number: notice, commands with output, exit."""
    rng = random.Random(number)
    turns = ["NOTICE  " + " ".join(f"{word}.txt" for word in rng.sample(WORDS, 3)) + "\n$ "]
    for _ in range(rng.randrange(2, 8)):
        turns += [f"grep -n {rng.choice(WORDS)} {rng.choice(WORDS)}.txt | head -n {rng.randrange(9)}"]
        turns += ["".join(f"{rng.randrange(99)}:{' '.join(rng.sample(WORDS, 5))}\n" for _ in range(rng.randrange(1, 4))) + "$ "]
    messages = [Message(role="assistant" if at % 2 else "user", content=text) for at, text in enumerate([*turns, "exit"])]
    return Sample(f"episode{number}", f"scenario{number}", "shell", tuple(messages))


Measured = tuple[str, float, float, int, int]  # way, wall seconds, CPU seconds with children, rows, tokens


@contextlib.contextmanager
def clock() -> Iterator[list[float]]:
    """[wall, CPU] seconds, filled at the end; CPU includes child processes that have ended."""
    spent: list[float] = []
    wall, before = time.monotonic(), os.times()
    yield spent
    after = os.times()
    spent += [time.monotonic() - wall, sum(after[:4]) - sum(before[:4])]


def ours(samples: Sequence[Sample], processes: int) -> Iterator[Measured]:
    tokenizer = load_tokenizer(TINY)
    with clock() as spent:
        rows, counts = parallel.make_rows(samples, tokenizer, MaskConfig(rule=MaskRule.assistant), DataConfig(), MAX_TOKENS, processes)
    yield "ours", *spent, len(rows), counts.tokens
    yield from cached(rows, counts)


def cached(rows: list[Row], counts: Counts) -> Iterator[Measured]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.npz"
        with clock() as spent:
            cache.write(file, PreparedData(tuple(rows), (), counts, (), ()))
        yield "ours: written to the cache", *spent, len(rows), counts.tokens
        with clock() as spent:
            prepared = cache.read(file)
        assert prepared is not None and prepared.training[-1] == rows[-1]
        yield "ours: from the cache", *spent, len(rows), counts.tokens


def trl(samples: Sequence[Sample], processes: int, masked: bool = False) -> Iterator[Measured]:
    from datasets import Dataset, disable_progress_bars
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    disable_progress_bars()
    folder = base_folder(TINY, weights=True)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if masked:
        tokenizer.chat_template = tokenizer.chat_template.replace(REPLY, f"{{% generation %}}{REPLY}{{% endgeneration %}}")
    model = AutoModelForCausalLM.from_pretrained(folder)
    data = Dataset.from_list([{"messages": [message.model_dump() for message in sample.messages]} for sample in samples])
    with tempfile.TemporaryDirectory() as output:
        settings = SFTConfig(
            output, max_length=MAX_TOKENS, assistant_only_loss=masked, dataset_num_proc=processes, report_to="none", use_cpu=True
        )
        with clock() as spent:
            prepared = SFTTrainer(model, settings, train_dataset=data, processing_class=tokenizer).train_dataset
    yield "TRL, assistant mask" if masked else "TRL, no mask", *spent, len(prepared), sum(map(len, prepared["input_ids"]))


WAYS = {"ours": ours, "trl": trl, "trl_masked": lambda samples, processes: trl(samples, processes, masked=True)}


def table(lines: Sequence[dict[str, float | str]]) -> Table:
    shown = Table("way", "rows", "tokens", "wall s", "CPU s", "rows/s", "tokens/s", "rows/CPU s")
    for line in lines:
        rows, tokens, seconds, cpu_s = (float(line[key]) for key in ("rows", "tokens", "seconds", "cpu_seconds"))
        rates = [f"{rate:,.0f}" for rate in (rows / seconds, tokens / seconds, rows / max(cpu_s, 0.01))]
        shown.add_row(str(line["way"]), f"{rows:,.0f}", f"{tokens:,.0f}", f"{seconds:.1f}", f"{cpu_s:.1f}", *rates)
    return shown


if __name__ == "__main__":
    main(sys.argv[1:])
