"""Generation in episodes with Mistral-7B's shape on a GPU: rows E and M of experiments/throughput.md.

python -m benchmarks.gpu_episodes [only=E1,M] [turns=6] [seconds=300] [json=lines.jsonl] [tiny=true]

An episode: a prompt of 300 tokens, then turns of a reply of 25 tokens and an observation of 150, with a pause of 100 ms for the command.
Random weights and a random adapter of rank 16: time and memory only. Methods without a key-value cache read the whole context for every
reply. E: concurrent episodes, by method. M: eight adapters with eight episodes each, one after another or in one batch.
"""

import contextlib
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig
from transformers.generation import ContinuousBatchingConfig

from benchmarks.evaluation import drawn
from benchmarks.gpu import load, model_folder
from sekft.config import Engine
from sekft.model.base import Base
from sekft.model.generate import GenerateReply, SamplingParameters
from sekft.model.generators import generators
from sekft.model.lora import loaded_all

DEFAULTS = {"only": "", "turns": "6", "seconds": "300", "json": "", "tiny": "false"}
PROMPT, OBSERVATION, REPLY, PAUSE_S = 300, 150, 25, 0.1  # tokens, tokens, tokens, seconds of a command
ADAPTERS, EACH = 8, 8  # in case M: adapters, episodes of each adapter


@dataclass(frozen=True)
class Case:
    what: str
    prediction: str
    measure: Callable[["Scene"], dict[str, Any]]
    against: str | None = None


@dataclass(frozen=True)
class Scene:
    base: Base
    adapters: Mapping[str, Path | None]
    turns: int
    scale: int  # divides all lengths; 10 for a quick trial

    def random_ids(self, tokens: int, seed: str) -> list[int]:
        generator = random.Random(seed)
        return [generator.randrange(3, 1000) for _ in range(max(tokens // self.scale, 2))]

    def reply_tokens(self) -> int:
        return max(REPLY // self.scale, 2)


def sequential(scene: Scene) -> dict[str, Any]:
    """eval.engine=sequential: one episode after another, transformers' generate on the whole conversation."""
    with generators(scene.base, _one(scene), Engine.sequential, 1) as running:
        return _result(scene, 1, _play(scene, {"tuned": running.by_name["tuned"]}, 1))


def batched(episodes: int) -> Callable[[Scene], dict[str, Any]]:
    def measure(scene: Scene) -> dict[str, Any]:
        with generators(scene.base, _one(scene), Engine.batched, episodes) as running:
            seconds = _play(scene, {"tuned": running.by_name["tuned"]}, episodes)
        read = sum(count.read() for count in running.counts) / sum(count.minimum() for count in running.counts)
        return _result(scene, episodes, seconds) | {"read_per_context": round(read, 3)}

    return measure


def lock_step(episodes: int) -> Callable[[Scene], dict[str, Any]]:
    """transformers' generate on all episodes at once, reading the whole context in every turn."""

    def measure(scene: Scene) -> dict[str, Any]:
        with loaded_all(scene.base, {"one": next(iter(_one(scene).values()))}) as model:
            model.eval()
            ids = torch.tensor([scene.random_ids(PROMPT, f"{episode}") for episode in range(episodes)], device=scene.base.device)
            started = time.perf_counter()
            for turn in range(scene.turns):
                size = scene.reply_tokens()
                generation = GenerationConfig(max_new_tokens=size, min_new_tokens=size, do_sample=False, pad_token_id=0)
                out = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=generation)
                time.sleep(PAUSE_S)
                observations = [scene.random_ids(OBSERVATION, f"{episode}/{turn}") for episode in range(episodes)]
                ids = torch.cat([out, torch.tensor(observations, device=out.device)], 1)
            return _result(scene, episodes, time.perf_counter() - started)

    return measure


def continuous(episodes: int, graphs: bool) -> Callable[[Scene], dict[str, Any]]:
    """transformers' continuous batching with shared prefixes and pages of 16 tokens."""

    def measure(scene: Scene) -> dict[str, Any]:
        cuda = scene.base.device.type == "cuda"
        limits: dict[str, Any] = {"max_memory_percent": 0.5, "use_cuda_graph": graphs} if cuda else {"num_blocks": 2048}
        config = ContinuousBatchingConfig(page_size=16, allow_block_sharing=True, max_batch_tokens=2048, **limits)
        generation = GenerationConfig(max_new_tokens=scene.reply_tokens(), do_sample=False, pad_token_id=0, eos_token_id=None)
        with loaded_all(scene.base, {"one": next(iter(_one(scene).values()))}) as tuned:
            model: Any = tuned.get_base_model()
            model.eval().set_attn_implementation("paged|sdpa")
            try:
                with model.continuous_batching_context_manager(generation_config=generation, continuous_batching_config=config) as manager:
                    return _result(scene, episodes, _play_continuously(manager, scene, episodes))
            finally:
                model.set_attn_implementation("sdpa")

    return measure


def _play_continuously(manager: Any, scene: Scene, episodes: int) -> float:
    contexts = {episode: scene.random_ids(PROMPT, f"{episode}") for episode in range(episodes)}
    turns, requests, pauses = dict.fromkeys(contexts, 0), {}, []
    started = time.perf_counter()
    for episode, ids in contexts.items():
        requests[manager.add_request(ids, max_new_tokens=scene.reply_tokens())] = episode
    while any(turn < scene.turns for turn in turns.values()):
        result = manager.get_result(timeout=0.005)
        if result is not None and result.is_finished() and result.request_id in requests:
            episode = requests.pop(result.request_id)
            contexts[episode] += [*result.generated_tokens, *scene.random_ids(OBSERVATION, f"{episode}/{turns[episode]}")]
            turns[episode] += 1
            if turns[episode] < scene.turns:
                pauses.append((time.perf_counter() + PAUSE_S, episode))
        while pauses and pauses[0][0] <= time.perf_counter():
            episode = pauses.pop(0)[1]
            requests[manager.add_request(contexts[episode], max_new_tokens=scene.reply_tokens())] = episode
    return time.perf_counter() - started


def one_by_one(scene: Scene) -> dict[str, Any]:
    """Every adapter's episodes in a batch of their own, one adapter after another."""
    seconds = 0.0
    for name, folder in scene.adapters.items():
        with generators(scene.base, {name: folder}, Engine.batched, EACH) as running:
            seconds += _play(scene, running.by_name, EACH)
    return _result(scene, EACH * len(scene.adapters), seconds)


def mixed(scene: Scene) -> dict[str, Any]:
    with generators(scene.base, scene.adapters, Engine.batched, EACH * len(scene.adapters)) as running:
        return _result(scene, EACH * len(scene.adapters), _play(scene, running.by_name, EACH))


CASES = {
    "E1": Case("one episode, every reply from the whole conversation (eval.engine=sequential)", "itself", sequential),
    "E1k": Case("one episode, with a key-value cache", "1.1 x E1", batched(1), "E1"),
    "E16l": Case("16 in lock step, whole conversations", "7 x E1", lock_step(16), "E1"),
    "E16": Case("16 episodes, sekft's engine", "15 x E1", batched(16), "E1"),
    "E16c": Case("16 episodes, transformers' continuous batching", "2 x E16l", continuous(16, graphs=False), "E1"),
    "E64l": Case("64 in lock step, whole conversations", "20 x E1", lock_step(64), "E1"),
    "E64": Case("64 episodes, sekft's engine", "45 x E1", batched(64), "E1"),
    "E64c": Case("64 episodes, continuous batching", "as E64", continuous(64, graphs=False), "E1"),
    "E64g": Case("64 episodes, continuous batching, CUDA graphs", "1.5 x E64c", continuous(64, graphs=True), "E1"),
    "M8": Case(f"{ADAPTERS} adapters, {EACH} episodes each, one after another", "itself", one_by_one),
    "M": Case("the same in one batch", "2 to 4 x M8", mixed, "M8"),
}


def _one(scene: Scene) -> dict[str, Any]:
    return {"tuned": next(iter(scene.adapters.values()))}


def _play(scene: Scene, generate: Mapping[str, GenerateReply], episodes: int) -> float:
    """Wall seconds of this many episodes with every adapter, all at once."""

    def play(name: str, number: int) -> None:
        ids = scene.random_ids(PROMPT, f"{number}")
        for turn in range(scene.turns):
            reply = generate[name](f"{number:03}", ids, SamplingParameters(scene.reply_tokens()))
            ids = ids + reply + scene.random_ids(OBSERVATION, f"{number}/{turn}")
            time.sleep(PAUSE_S)

    with ThreadPoolExecutor(episodes * len(generate)) as pool:
        started = time.perf_counter()
        for done in [pool.submit(play, name, number) for number in range(episodes) for name in generate]:
            done.result()
        return time.perf_counter() - started


def _result(scene: Scene, episodes: int, seconds: float) -> dict[str, Any]:
    result = {"episodes": episodes, "wall_s": round(seconds, 2), "turns_s": round(episodes * scene.turns / seconds, 2)}
    if scene.base.device.type == "cuda":
        result["peak_gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 2)
    return result


def run(options: dict[str, str], scene: Scene) -> Iterator[dict[str, Any]]:
    """One result per case, in order; a case that cannot run yields the reason."""
    started, speeds = time.monotonic(), {}
    for name, case in CASES.items():
        if options["only"] and name not in options["only"].split(","):
            continue
        result: dict[str, Any] = {"case": name, "what": case.what, "prediction": case.prediction}
        if time.monotonic() - started > float(options["seconds"]):
            yield result | {"skipped": f"more than seconds={options['seconds']} have passed"}
            continue
        if scene.base.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        try:
            result |= case.measure(scene)
            speeds[name] = result["turns_s"]
            if case.against in speeds:
                result[f"x {case.against}"] = round(speeds[name] / speeds[case.against], 2)
        except Exception as error:  # one failing case must not end the others
            result["failed"] = f"{type(error).__name__}: {error}".splitlines()[0]
        yield result


def main(arguments: list[str]) -> None:
    options = {**DEFAULTS, **dict(argument.split("=", 1) for argument in arguments)}
    if unknown := set(options) - set(DEFAULTS):
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; allowed: {', '.join(DEFAULTS)}")
    tiny = options["tiny"] == "true"
    if not torch.cuda.is_available() and not tiny:
        sys.exit("no CUDA device here; allowed: tiny=true")
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    with model_folder(tiny) as folder, contextlib.ExitStack() as stack:
        file = stack.enter_context(Path(options["json"]).open("a")) if options["json"] else None
        base = load(folder, nf4=False)
        adapters: dict[str, Path | None] = {f"a{at}": drawn(base, folder / f"a{at}", at) for at in range(3 if tiny else ADAPTERS)}
        for result in run(options, Scene(base, adapters, int(options["turns"]), 10 if tiny else 1)):
            line = json.dumps({"device": device, "torch": torch.__version__, "tiny": tiny, **result})
            print(line, flush=True)
            if file:
                file.write(line + "\n")
                file.flush()


if __name__ == "__main__":
    os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")
    main(sys.argv[1:])
