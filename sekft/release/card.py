"""The model card of a release (README.md): what the adapter is, its evaluation, its training, and how to load it."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sekft.errors import DataError
from sekft.eval.summary import BASE, TUNED, read_evaluation
from sekft.model.adapter import is_full_model
from sekft.release.evidence import ADAPTER, read
from sekft.tracking.record import RUN, SUMMARY

SHIPPED_WITH_SEKFT = ", which comes with sekft, in sekft/model/"
RATES = ("terminated", "right_terminal", "solved", "verified", "operated")
LOAD_ADAPTER = """\
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

base = AutoModelForCausalLM.from_pretrained(BASE)  # {base}
model = PeftModel.from_pretrained(base, "adapter")
tokenizer = AutoTokenizer.from_pretrained("adapter")  # with the chat template of the training
"""
LOAD_FULL_MODEL = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained("adapter")  # all weights, trained from {base}
tokenizer = AutoTokenizer.from_pretrained("adapter")  # with the chat template of the training
"""


def card(run: Path) -> str:
    """The card as Markdown. Raises DataError for a run without an evaluation of its adapter, which is not released."""
    record, summary = read(run / RUN), read(run / SUMMARY)
    settings, base = record["settings"], record["settings"]["model"]["path"]
    evaluation = read_evaluation(summary)
    scenarios, sandbox, paired = evaluation.scenarios, evaluation.sandbox, evaluation.paired
    if scenarios is None or sandbox is None or paired is None:
        raise DataError(f"{run / SUMMARY}: no evaluation of an adapter in it; allowed: a run that was evaluated")
    before, after = evaluation.agents[BASE].rates, evaluation.agents[TUNED].rates
    rates = "\n".join(f"| {name} | {before[name]} | {after[name]} |" for name in RATES)
    interval = "no interval" if paired.low is None else f"[{paired.low:+.2f}, {paired.high:+.2f}]"
    git = record.get("git") or {}
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items() if version and name != "sekft")
    return f"""# {run.resolve().name}

An adapter for {settings["model"]["path"]}, trained to work at a shell prompt: {record["command"]} of {record["started"]}.

| {scenarios.n} scenarios | base | with the adapter |
|---|---|---|
{rates}

k/n episodes [95 % Wilson interval].
Difference in {paired.criterion}: {paired.difference:+.2f} {interval}
over {paired.archetypes} archetypes; won {paired.wins}, lost {paired.losses} scenarios; McNemar p = {paired.mcnemar_p:.3g}.
Verdict: {evaluation.verdict}.
Scenarios: sha256 {scenarios.sha256}, played in {sandbox.backend}; {evaluation.power}.

## Training
- Base: {settings["model"]["path"]} ({settings["model"]["name"]}){_parent(settings)}
- Data: {_data(settings)}; {summary["supervised_tokens"]} tokens learned, mask {settings["mask"]["rule"]}
- {_shape(run)}
- Optimisation: lr {settings["trainer"]["lr"]}, {summary["steps"]} steps, seed {record["seed"]}
- Command: `python -m sekft.{record["command"]} {shlex.join(record["overrides"])}`
- Code: commit {git.get("sha", "unknown")}{" with uncommitted changes" if git.get("dirty") else ""}; {versions}

## Loading
```python
{(LOAD_FULL_MODEL if is_full_model(run / ADAPTER) else LOAD_ADAPTER).format(base=settings["model"]["path"])}```

`python replay.py BASE` generates the replies of five recorded episodes again and compares them token for token. It needs torch,
transformers and peft, but not sekft. BASE: the folder or hub id of {base}{SHIPPED_WITH_SEKFT if base.startswith("sekft:") else ""}.

`evidence/` holds the records of the run. `python -m sekft.release do=verify runs=FOLDER`, or `sha256sum -c SHA256SUMS`, checks every file.
"""


def _shape(run: Path) -> str:
    """Read from the adapter, not from the settings: an adapter that was trained further keeps the shape of the first training."""
    config = read(run / ADAPTER / "adapter_config.json")
    return f"Adapter: r {config['r']}, alpha {config['lora_alpha']:g}" if config else "All weights"


def _parent(settings: Mapping[str, Any]) -> str:
    return f", trained further from {settings['adapter']}" if settings.get("adapter") else ""


def _data(settings: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} ({source.get('path') or 'played by the reference agent'})" for name, source in settings["data"]["sources"].items()
    )
