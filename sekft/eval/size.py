"""The rule of eval=auto: the scenarios and limits of an evaluation that can decide, in a time that suits the base and the device.

The scenarios are the most of 64 (the held-out set), 32, 16 that fit into TIME_S by the speeds below, which are constants: the number is a
function of base, device type and cores, so that the same line gives the same evaluation. What gain they can show is said with it.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from math import log2
from pathlib import Path
from typing import Any

from sekft.config import AgentKind, Device
from sekft.config.automatic import Choice
from sekft.eval.power import detectable
from sekft.model.recipe import UNKNOWN
from sekft.model.shape import Size, size_of
from sekft.scenario.split import sides

PREFIX = "eval."
EPISODES = (64, 32, 16)
GPU_NODES = ("/dev/nvidiactl", "/dev/nvhost-ctrl", "/dev/nvmap", "/dev/kfd", "/dev/dxg")  # CUDA, CUDA on Jetson, ROCm, WSL
SMALL = 20e6  # parameters; of such a base an evaluation takes a minute anywhere
TIME_S = 900.0  # for base and tuned model on a CPU
# of two CPU cores, measured on whole evaluations of SmolLM2-135M in float32: 32 scenarios, 18,000 tokens of replies in 332 s; beside other
# work. Bfloat16 was 1.3 times as fast
SPEED = 54 * 2 * 135e6  # FLOP/s of generation, sandboxes included
GPU_STEP_S = 0.04  # seconds per token of all rows: an assumption for a 7B base, not measured
TUNED_SHARE = 0.1  # of the tokens of an episode at its limits that a tuned model types, as it leaves early; measured likewise
CPU_ROWS, MOST_ROWS, FEWEST_ROWS = 32, 128, 8
CACHE = 131072  # bytes of keys and values per token assumed for an unknown base: those of Mistral-7B
SHORT = {"max_turns": 12, "max_reply_tokens": 48, "max_episode_tokens": 2048}  # references need up to 12 turns
LONG = {"max_turns": 16, "max_reply_tokens": 128, "max_episode_tokens": 8192}


def choose(settings: Any, open_keys: frozenset[str]) -> list[Choice]:
    """The choices for the automatic settings of conf/eval/ that are open. settings: of sekft.train or sekft.eval."""
    if not any(key.startswith(PREFIX) for key in open_keys):
        return []
    if f"{PREFIX}episodes" not in open_keys and not (settings.eval.episodes or settings.eval.every_steps):
        return []
    if getattr(getattr(settings, "agent", None), "kind", None) in (AgentKind.endpoint, AgentKind.python):
        found: Iterable[Choice] = endpoint_choices()
    else:
        size, device = size_of(settings.model, download=not settings.dry_run), device_type(settings.model.device)
        width = 0.5 if settings.model.load_4bit else 2.0
        found = [*choices(size, device, os.cpu_count() or 1), rows_choice(size, device, width, gpu_memory(device))]
    held_out, _ = sides(settings.split)
    return [with_power(choice, len(held_out)) for choice in found if choice.key in open_keys]


def choices(size: Size, device: str, cores: int) -> Iterator[Choice]:
    """Scenarios and limits of an episode. device: torch's name of the type."""
    parameters = size.parameters or UNKNOWN
    limits = LONG if parameters > SMALL and device != "cpu" else SHORT
    fitting = (amount for amount in EPISODES if seconds(amount, limits, parameters, device, cores) <= TIME_S)
    episodes = next(fitting, EPISODES[-1])
    minutes = seconds(episodes, limits, parameters, device, cores) / 60
    where = f"{cores} CPU cores" if device == "cpu" else f"{device}, estimated"
    time = f"at most about {minutes:.0f} minutes" if minutes >= 1.5 else "about a minute"
    yield Choice(f"{PREFIX}episodes", episodes, f"{time} for base and tuned model on {where}")
    reason = "as many turns as references need, short replies" if limits is SHORT else "room for a model that talks"
    for name, value in limits.items():
        yield Choice(f"{PREFIX}{name}", value, reason)


def rows_choice(size: Size, device: str, width: float, memory_bytes: float) -> Choice:
    """How many replies are generated together: on a GPU as many as half of the memory beside the weights has full contexts for.

    width: bytes of a weight.
    """
    if device == "cpu":
        return Choice(f"{PREFIX}rows", CPU_ROWS, "replies generated together on a CPU; more are no faster")
    room = 0.5 * (memory_bytes - width * (size.parameters or UNKNOWN))
    fitting = room / ((size.cache or CACHE) * LONG["max_episode_tokens"])
    rows = max(FEWEST_ROWS, min(MOST_ROWS, 2 ** int(log2(max(1.0, fitting)))))
    return Choice(f"{PREFIX}rows", rows, f"replies generated together: their contexts fit into {memory_bytes / 2**30:.0f} GiB of {device}")


def endpoint_choices() -> Iterator[Choice]:
    yield Choice(f"{PREFIX}episodes", EPISODES[0], "the held-out scenarios; how fast the agent answers is not known")
    for name, value in LONG.items():
        yield Choice(f"{PREFIX}{name}", value, "room for a model that talks")


def seconds(episodes: int, limits: Mapping[str, int], parameters: float, device: str, cores: int) -> float:
    """Seconds that base and tuned model need at most, if the base talks until the limits of every episode."""
    tokens = episodes * limits["max_turns"] * limits["max_reply_tokens"] * (1 + TUNED_SHARE)
    if device == "cpu":
        return tokens * 2 * parameters / (SPEED * cores / 2)
    return tokens * GPU_STEP_S * max(1.0, parameters / UNKNOWN) / CPU_ROWS


def with_power(choice: Choice, archetypes: int) -> Choice:
    """The number of scenarios with the gain that they can show."""
    if choice.key != f"{PREFIX}episodes":
        return choice
    gain = detectable(choice.value, archetypes)
    shows = f"can promote a gain of {gain:.2f} (80 % power)" if gain else "cannot promote"
    return Choice(choice.key, choice.value, f"{choice.why}; {shows}; more: eval=full scenarios=test, less: eval=quick")


def device_type(device: Device) -> str:
    """torch's name of the type of the device that model.device means here; torch is imported only where there may be a GPU."""
    if device is not Device.auto:
        return device.value
    if sys.platform == "linux" and not any(Path(node).exists() for node in GPU_NODES):
        return "cpu"
    from sekft.model.base import pick_device

    return pick_device(device).type


def gpu_memory(device: str) -> float:
    """Bytes of memory of the GPU; 0 for a CPU."""
    if device == "cpu":
        return 0.0
    from sekft.model.base import device_memory

    return device_memory(device)
