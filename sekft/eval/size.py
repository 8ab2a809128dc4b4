"""The rule of eval=auto: the scenarios and limits of an evaluation that can decide, in a time that suits the base and the device.

The scenarios are as many as the held-out set has (64), or the most of 64, 32, 16 that fit into TIME_S on a CPU, by SPEED: the number is
a function of base, device type and cores alone, so that the same line gives the same evaluation. What gain they can show is said.
"""

import os
from collections.abc import Iterator
from typing import Any

from sekft.config import AgentKind, Device
from sekft.config.automatic import Choice
from sekft.eval.power import detectable
from sekft.model.recipe import UNKNOWN
from sekft.model.shape import Size, size_of
from sekft.scenario.split import sides

PREFIX = "eval."
EPISODES = (64, 32, 16)
SMALL = 20e6  # parameters; of such a base an evaluation takes a minute anywhere
TIME_S = 900.0  # for base and tuned model on a CPU
SPEED = 10e9  # FLOP/s of generation on two CPU cores: SmolLM2-135M in float32, 37 tokens/s in a batch of 8 (experiments/smollm2.md)
TUNED_SHARE = 0.5  # of the tokens of an episode at its limits that a tuned model types, as it leaves
SHORT = {"max_turns": 12, "max_reply_tokens": 48, "max_episode_tokens": 2048}  # references need up to 12 turns
LONG = {"max_turns": 16, "max_reply_tokens": 128, "max_episode_tokens": 8192}


def choose(settings: Any, open_keys: frozenset[str]) -> list[Choice]:
    """The choices for the automatic settings of conf/eval/ that are open. settings: of sekft.train or sekft.eval."""
    if not any(key.startswith(PREFIX) for key in open_keys):
        return []
    if f"{PREFIX}episodes" not in open_keys and not (settings.eval.episodes or settings.eval.every_steps):
        return []
    if getattr(getattr(settings, "agent", None), "kind", None) is AgentKind.endpoint:
        found = endpoint_choices()
    else:
        size = size_of(settings.model, download=not settings.dry_run)
        found = choices(size, device_type(settings.model.device), os.cpu_count() or 1)
    held_out, _ = sides(settings.split)
    return [with_power(choice, len(held_out)) for choice in found if choice.key in open_keys]


def choices(size: Size, device: str, cores: int) -> Iterator[Choice]:
    """Every automatic setting of the evaluation. device: torch's name of the type."""
    parameters = size.parameters or UNKNOWN
    if parameters <= SMALL:
        episodes, limits, why = EPISODES[0], SHORT, "a small base: about a minute"
    elif device == "cpu":
        limits = SHORT
        episodes = next((amount for amount in EPISODES if seconds(amount, parameters, cores) <= TIME_S), EPISODES[-1])
        why = f"about {seconds(episodes, parameters, cores) / 60:.0f} minutes at most on {cores} CPU cores"
    else:
        episodes, limits, why = EPISODES[0], LONG, f"the held-out scenarios, minutes on {device}"
    yield Choice(f"{PREFIX}episodes", episodes, why)
    reason = "what references need" if limits is SHORT else "room for a model that talks"
    for name, value in limits.items():
        yield Choice(f"{PREFIX}{name}", value, reason)


def endpoint_choices() -> Iterator[Choice]:
    yield Choice(f"{PREFIX}episodes", EPISODES[0], "the held-out scenarios; the speed of the endpoint is not known")
    for name, value in LONG.items():
        yield Choice(f"{PREFIX}{name}", value, "room for a model that talks")


def seconds(episodes: int, parameters: float, cores: int) -> float:
    """Seconds that base and tuned model need at most on a CPU, if the base talks until the limits of an episode."""
    tokens = episodes * SHORT["max_turns"] * SHORT["max_reply_tokens"] * (1 + TUNED_SHARE)
    return tokens * 2 * parameters / (SPEED * cores / 2)


def with_power(choice: Choice, archetypes: int) -> Choice:
    """The number of scenarios with the gain that they can show."""
    if choice.key != f"{PREFIX}episodes":
        return choice
    gain = detectable(choice.value, archetypes)
    shows = f"can promote a gain of {gain:.2f} (80 % power)" if gain else "cannot promote"
    return Choice(choice.key, choice.value, f"{choice.why}; {shows}; more: eval=full scenarios=test, less: eval=quick")


def device_type(device: Device) -> str:
    """torch's name of the type of the device that model.device means here."""
    if device is not Device.auto:
        return device.value
    from sekft.model.base import pick_device

    return pick_device(device).type
