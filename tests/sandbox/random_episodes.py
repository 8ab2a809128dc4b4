"""Random episodes, played on a backend and compared with their plan; counts what they leave behind.

python -m tests.sandbox.random_episodes episodes=1000 seed=0 backends=bwrap,docker workers=4
python -m tests.sandbox.random_episodes show=17 backends=bwrap
"""

import contextlib
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import psutil

from sekft.config import EvalConfig
from sekft.episode.play import play
from sekft.episode.show import as_text
from sekft.episode.trajectory import Trajectory
from sekft.rendering.messages import Message, Reply
from sekft.sandbox.backend import engine
from sekft.sandbox.session import Backend
from sekft.scenario.document import Announcement, AnnouncementKind, Axes, Fixture, Limits, Provider, Scenario, Terminal
from tests.sandbox.conftest import made
from tests.sandbox.grammar.episode import PlannedEpisode, Step
from tests.sandbox.grammar.generator import episode as generate

LIMITS = EvalConfig(max_turns=200)


@dataclass(frozen=True)
class Typist:
    """Types the steps of a planned episode, then ends it as planned. Implements sekft.episode.agent.Agent."""

    episode: PlannedEpisode
    name: str = "typist"

    def reply(self, episode_id: str, messages: Sequence[Message]) -> Reply:
        typed = sum(message.role == "assistant" for message in messages)
        if typed < len(self.episode.steps):
            return Reply(self.episode.steps[typed].text)
        return Reply(" \n", full=self.episode.ending == "token_limit")


def scenario(episode: PlannedEpisode) -> Scenario:
    turns = len(episode.steps) + (0 if episode.ending == "turn_limit" else 1)
    return Scenario(
        id=f"random-{episode.seed}",
        archetype="random",
        axes=Axes(provider="none", announcement=AnnouncementKind.env, doc_depth=1, difficulty="none", terminal=Terminal.exit),
        seed=episode.seed,
        provider=Provider(name="obol", script="#!/bin/sh\nexit 1\n"),
        announcement=Announcement(kind=AnnouncementKind.env, text="/srv/directives"),
        directives=(),
        fixtures=tuple(Fixture(path=path, content=content.decode()) for path, content in episode.fixtures.items()),
        checker=episode.checker(),
        reference=("exit",),
        terminal=Terminal.exit,
        limits=Limits(turns=turns, command_timeout_s=episode.timeout_s),
    )


def play_planned(episode: PlannedEpisode, backend: Backend) -> Trajectory:
    return play(scenario(episode), Typist(episode), backend, LIMITS)


def differences(episode: PlannedEpisode, played: Trajectory) -> Iterator[str]:
    """The differences from the plan, one line each."""
    if played.ending.value != episode.ending:
        yield f"ending {played.ending.value} ({played.reason}), expected {episode.ending}"
    if played.checked is not True:
        yield f"final files: checker {played.checked}"
    if len(played.commands) != len(episode.steps):
        yield f"{len(played.commands)} texts typed, expected {len(episode.steps)}"
    dropped = sum(step.dropped_lines for step in episode.steps)
    if played.meta["dropped_lines"] != dropped:
        yield f"{played.meta['dropped_lines']} lines dropped, expected {dropped}"
    last = episode.steps[-1]
    if last.kind == "panic" and played.reason not in (last.reason, last.reason or played.outcome.value):
        yield f"reason {played.reason!r}, expected {last.reason!r}"
    replies = [message.content for message in played.messages[1:]]
    for index, (step, command) in enumerate(zip(episode.steps, played.commands, strict=False)):
        shown = replies[2 * index + 1] if 2 * index + 1 < len(replies) else None
        for difference in _step_differences(step, command.status, replies[2 * index], shown):
            yield f"turn {index} {step.text[:80]!r}: {difference}"


def _step_differences(step: Step, status: int | None, typed: str, shown: str | None) -> Iterator[str]:
    if status != step.status and (step.status is not None or step.kind != "ready"):
        yield f"status {status}, expected {step.status}"
    if typed != step.typed():
        yield f"recorded as {typed[:80]!r}, expected {step.typed()[:80]!r}"
    if step.shown() is not None and shown != step.shown():
        yield f"showed {_short(shown)}, expected {_short(step.shown())}"
    if step.kind == "more" and shown is not None and not shown.endswith("> "):
        yield f"ended with {shown[-20:]!r}, expected a continuation prompt"


def _short(text: str | None) -> str:
    return repr(text if text is None or len(text) < 200 else text[:100] + "..." + text[-100:])


def replay(episode: PlannedEpisode, backend: Backend) -> str:
    """The transcript of a planned episode, the checker's result and the differences from the plan."""
    from sekft.episode.setup import files

    played = play_planned(episode, backend)
    with backend.open({}) as session:
        session.put(files(scenario(episode)))
        for step in episode.steps:
            if session.run(step.text, episode.timeout_s).kind not in ("ready", "more"):
                break
        checked = session.check(episode.checker(), 20)
    return "\n".join([as_text(played), f"checker: {checked}", *differences(episode, played)])


@dataclass(frozen=True)
class Resources:
    """Counts of everything that episodes may leave behind."""

    containers: int
    image_bytes: int  # of the engine
    processes: int
    threads: int
    descriptors: int
    sockets: int
    tmp_files: int

    @classmethod
    def now(cls, backend: Backend) -> "Resources":
        containers, image_bytes = _engine_resources(backend)  # first, because it opens connections that stay open
        process, links = psutil.Process(), []
        for descriptor in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):  # the descriptor of this listing
                links.append(str(descriptor.readlink()))
        sockets = sum(link.startswith("socket:") for link in links)
        files = sum(1 for _ in Path(tempfile.gettempdir()).rglob("*"))
        processes = len(process.children(recursive=True))
        return cls(containers, image_bytes, processes, process.num_threads(), len(links), sockets, files)

    def more_than(self, before: "Resources") -> dict[str, int]:
        """The increase of each count since `before`."""
        return {name: now - then for name, now in asdict(self).items() if now > (then := asdict(before)[name])}


def _engine_resources(backend: Backend) -> tuple[int, int]:
    """(our containers, bytes of image layers)."""
    container_engine = getattr(backend, "engine", None)
    if container_engine is None:
        return 0, 0
    api = container_engine.client().api
    ours = {"label": f"{engine.OWNER}={engine.owner()}"}
    return len(api.containers(all=True, filters=ours)), api.df()["LayersSize"]


def play_all(backend: Backend, seeds: Sequence[int], workers: int) -> tuple[Counter[str], list[str]]:
    """(endings, differences). Broken episodes are not played again: there must be none."""
    endings: Counter[str] = Counter()
    found_differences: list[str] = []
    episodes = [generate(seed) for seed in seeds]
    with ThreadPoolExecutor(workers, thread_name_prefix="episode") as pool:
        for episode, played in zip(episodes, pool.map(lambda episode: play_planned(episode, backend), episodes), strict=True):
            endings[played.ending.value] += 1
            found_differences += [f"seed {episode.seed} on {backend.name}: {difference}" for difference in differences(episode, played)]
    return endings, found_differences


def audited(backend: Backend, seeds: Sequence[int], workers: int) -> tuple[list[str], Resources, Resources]:
    """Play all seeds and print the result: (differences, resources before, resources after)."""
    play_all(backend, seeds[:workers], workers)  # makes what is made only once, as the client of the main thread
    before, started = Resources.now(backend), time.monotonic()
    endings, found_differences = play_all(backend, seeds, workers)
    took_s = time.monotonic() - started
    time.sleep(1)  # an engine removes its containers in its own time
    after = Resources.now(backend)
    counts = ", ".join(f"{ending} {count}" for ending, count in sorted(endings.items()))
    print(*found_differences, f"{backend.name}: {len(seeds)} episodes in {took_s:.0f} s ({len(seeds) / took_s:.1f}/s): {counts}", sep="\n")
    print(f"  {len(found_differences)} differences")
    for field in fields(Resources):
        print(f"  {field.name:12} {getattr(before, field.name):>10} -> {getattr(after, field.name):>10}")
    return found_differences, before, after


def main(arguments: Sequence[str]) -> int:
    given = {"episodes": "1000", "seed": "0", "backends": "bwrap,docker", "workers": "4", "show": ""}
    given |= dict(argument.split("=", 1) for argument in arguments)
    backends = [made(name) for name in given["backends"].split(",")]
    if given["show"]:
        print("\n".join(replay(generate(int(given["show"])), backend) for backend in backends))
        return 0
    share, first, wrong = int(given["episodes"]) // len(backends), int(given["seed"]), False
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TMPDIR"] = tempfile.tempdir = folder  # whatever is left there was made here
        for index, backend in enumerate(backends):
            seeds = range(first + index * share, first + (index + 1) * share)
            found_differences, before, after = audited(backend, seeds, int(given["workers"]))
            wrong = wrong or bool(found_differences or after.more_than(before))
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
