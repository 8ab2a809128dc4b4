"""The README.md of a release: what the adapter is, what it did in the evaluation, how it came about, how it is loaded."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sekft.release.evidence import ADAPTER, is_whole, read
from sekft.tracking.record import RUN, SUMMARY

SHIPPED = ", which comes with sekft, in sekft/model/"
RATES = ("terminated", "right_terminal", "solved", "verified", "operated")
LOAD = """\
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

base = AutoModelForCausalLM.from_pretrained(BASE)  # {base}
model = PeftModel.from_pretrained(base, "adapter")
tokenizer = AutoTokenizer.from_pretrained("adapter")  # its chat template is the one of the training
"""
WHOLE = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained("adapter")  # all weights; the base was {base}
tokenizer = AutoTokenizer.from_pretrained("adapter")  # its chat template is the one of the training
"""


def card(run: Path) -> str:
    record, summary = read(run / RUN), read(run / SUMMARY)
    settings, base = record["settings"], record["settings"]["model"]["path"]
    scenarios, paired = summary["scenarios"], summary["paired"]
    rates = "\n".join(f"| {name} | {_rate(summary['base'], name)} | {_rate(summary['tuned'], name)} |" for name in RATES)
    git = record.get("git") or {}
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items() if version and name != "sekft")
    return f"""# {run.resolve().name}

An adapter for {settings["model"]["path"]}, trained to live at a shell prompt: {record["command"]} of {record["started"]}.

| episodes in {scenarios["n"]} scenarios | base | with the adapter |
|---|---|---|
{rates}

k/n [95 % Wilson]. {paired["criterion"]}: {paired["difference"]:+.2f} [{paired["low"]:+.2f}, {paired["high"]:+.2f}]
over {paired["archetypes"]} archetypes, won {paired["wins"]}, lost {paired["losses"]}; McNemar p = {paired["mcnemar_p"]:.3g}.
Verdict: {summary["verdict"]}.
Evaluation: sha256 {scenarios["sha256"]}, in {summary["sandbox"]["backend"]}; {summary["power"]}.

## How it came about
- Base: {settings["model"]["path"]} ({settings["model"]["name"]}){_parent(settings)}
- Data: {_data(settings)}; {summary["supervised_tokens"]} tokens learned, mask {settings["mask"]["rule"]}
- {_trained(run)}
- Training: lr {settings["trainer"]["lr"]}, {summary["steps"]} steps, seed {record["seed"]}
- Command: `python -m sekft.{record["command"]} {" ".join(record["overrides"])}`
- Code: commit {git.get("sha", "unknown")}{" with changes of its own" if git.get("dirty") else ""}; {versions}

## Loading it
```python
{(WHOLE if is_whole(run / ADAPTER) else LOAD).format(base=settings["model"]["path"])}```

`python replay.py BASE`, with torch, transformers and peft and without sekft, says whether five of the recorded episodes come out
again, token for token; BASE: the folder or hub id of {base}{SHIPPED if base.startswith("sekft:") else ""}.

`evidence/` is what the run left; `python -m sekft.release do=verify runs=FOLDER`, or `sha256sum -c SHA256SUMS`, says whether it is whole.
"""


def _rate(agent: Mapping[str, Any], name: str) -> str:
    rate = agent["rates"][name]
    return f"{rate['k']}/{rate['n']} [{rate['low']:.2f}, {rate['high']:.2f}]"


def _trained(run: Path) -> str:
    """As the adapter itself says: one that was trained on from another has that one's shape."""
    about = read(run / ADAPTER / "adapter_config.json")
    return f"Adapter: r {about['r']}, alpha {about['lora_alpha']:g}" if about else "All weights"


def _parent(settings: Mapping[str, Any]) -> str:
    return f", trained on from {settings['adapter']}" if settings.get("adapter") else ""


def _data(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} ({source.get('path') or 'made by the run'})" for name, source in settings["data"]["sources"].items())
