"""Cost of a command and of an episode: our backends, docker exec per command, tmux through docker exec, a plain subprocess.

python benchmarks/sandbox.py [workers=4] [rounds=5] [seconds=4] [commands=5,12] [echoes=40] [engine=own|found] [json=lines.jsonl]

Methods take turns within each round, so that noise affects all of them; the table has medians over the rounds, also of the ratios to
baseline A. With engine=own (the default for root) the benchmark starts its own dockerd in a control group together with itself. The CPU
time is that of the group: dockerd, containerd, shims, runc, this process, bwrap and the commands.
"""

import contextlib
import json
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.methods import COMMANDS, ExecPerCommand, Method, PlainSubprocess, SekftBackend, TmuxThroughExec, tmux_image
from sekft.config import SandboxConfig
from sekft.errors import SandboxError
from sekft.sandbox.backend import engine
from sekft.sandbox.backend.bwrap import BwrapBackend
from sekft.sandbox.backend.docker import DockerBackend
from tests import dockerd

DEFAULTS = {"workers": "4", "rounds": "5", "seconds": "4", "commands": "5,12", "echoes": "40", "engine": "", "json": ""}
BASELINE = "A exec per command"
Cpu = Callable[[], float] | None  # returns the milliseconds used so far


@dataclass(frozen=True)
class Measured:
    """One method in one round. commands 0: only `echo x`, in one episode, with one worker."""

    method: str
    round: int
    commands: int
    episodes: int
    command_ms: float  # median
    episodes_per_s: float
    cpu_ms: float | None  # per episode


def main(arguments: list[str]) -> None:
    options = {**DEFAULTS, **dict(argument.split("=", 1) for argument in arguments)}
    if unknown := set(options) - set(DEFAULTS):
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; allowed: {', '.join(DEFAULTS)}")
    console = Console(width=max(170, Console().width))
    with contextlib.ExitStack() as stack:
        host, cpu, counted = stack.enter_context(engine_under_test(options["engine"] or ("found" if dockerd.missing() else "own")))
        methods = list(available_methods(stack, host))
        console.print(f"engine: {host or 'none'}; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; CPU counted: {counted}")
        results: list[Measured] = []
        for number in range(int(options["rounds"])):
            results += play_round(number, methods, options, cpu, console)
    if options["json"]:
        Path(options["json"]).write_text("".join(json.dumps(asdict(result)) + "\n" for result in results))
    sizes = [int(size) for size in options["commands"].split(",")]
    console.print(table(results, methods, sizes), "\n".join(goals(results, sizes)), sep="\n")


def play_round(number: int, methods: list[Method], options: dict[str, str], cpu: Cpu, console: Console) -> Iterator[Measured]:
    for method in methods:
        yield echoes(method, number, int(options["echoes"]))
    for size in map(int, options["commands"].split(",")):
        for method in methods:
            measured = episodes(method, number, size, int(options["workers"]), float(options["seconds"]), cpu)
            console.print(
                f"round {number + 1}: {size:2} commands, {method.name}: {measured.episodes_per_s:.2f} episodes/s",
                style="dim",
                highlight=False,
            )
            yield measured


def echoes(method: Method, number: int, count: int) -> Measured:
    """The cost of typing a command that costs nothing."""
    with method.open() as session:
        session.run("echo x")
        times = [time_ms(lambda: session.run("echo x")) for _ in range(count)]
    return Measured(method.name, number, 0, 1, statistics.median(times), 0.0, None)


def episodes(method: Method, number: int, size: int, workers: int, seconds: float, cpu: Cpu) -> Measured:
    """Each worker plays episodes until the time is over; the rate is the sum of the workers' rates."""
    times: list[float] = []
    rates: list[tuple[int, float]] = []
    errors: list[BaseException] = []
    before = cpu() if cpu else 0.0
    end = time.monotonic() + seconds

    def work() -> None:
        started, done = time.monotonic(), 0
        try:
            while time.monotonic() < end:
                with method.open() as session:
                    times.extend(time_ms(lambda text=text: session.run(text)) for text in COMMANDS[:size])  # type: ignore[misc]
                    if status := session.check():
                        raise SandboxError(f"{method.name}: the checker ended with {status}")
                done += 1
        except BaseException as error:
            errors.append(error)
        rates.append((done, time.monotonic() - started))

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    total = sum(done for done, _ in rates)
    used = (cpu() - before) / total if cpu else None
    return Measured(method.name, number, size, total, statistics.median(times), sum(done / spent for done, spent in rates), used)


def time_ms(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return (time.perf_counter() - started) * 1000


def available_methods(stack: contextlib.ExitStack, host: str) -> Iterator[Method]:
    """Every method that works on this machine; prints the others with the reason."""
    settings = SandboxConfig()
    if host:
        backend = DockerBackend(settings, engine.probe(host, {"base_url": host}))
        yield ExecPerCommand(backend)
        yield TmuxThroughExec(backend, image=stack.enter_context(tmux_image(backend)))
        yield SekftBackend(backend, "ours, docker", "one session an episode, warm pool off")
    try:
        yield SekftBackend(BwrapBackend(settings), "ours, bwrap", "the same session, no engine")
    except SandboxError as error:
        print(f"left out: bwrap ({error})")
    yield PlainSubprocess()


@contextlib.contextmanager
def engine_under_test(choice: str) -> Iterator[tuple[str, Cpu, str]]:
    """(host of the engine, CPU counter, what it counts)."""
    if choice != "own":
        try:
            host = engine.find().host
        except SandboxError as error:
            print(f"left out: everything on an engine ({error})")
            host = ""
        yield host, None, "not at all (engine=found is shared with others)"
        return
    with control_group() as (folder, cpu):
        if folder is None:
            with dockerd.dockerd() as host:
                yield host, None, "not at all (no control group of CPU time here)"
            return
        flags = (f"--cgroup-parent=/{folder.name}/boxes",)
        with dockerd.dockerd(*flags, before=f"echo $$ >{folder}/engine/cgroup.procs") as host:
            yield host, cpu, "dockerd, containerd, shims, runc, containers, this process and its children (one control group)"


@contextlib.contextmanager
def control_group() -> Iterator[tuple[Path | None, Cpu]]:
    """A new control group with this process in it, and a reader of its CPU time."""
    version_1 = Path("/sys/fs/cgroup/cpuacct")
    top = version_1 if version_1.is_dir() else Path("/sys/fs/cgroup")
    folder = top / f"sekft-bench-{os.getpid()}"
    parts = [folder / name for name in ("engine", "us", "boxes")]
    own = next(line for line in Path("/proc/self/cgroup").read_text().splitlines() if "cpuacct" in line or line.startswith("0::"))
    home = top / own.partition("/")[2]
    try:
        for part in parts:
            part.mkdir(parents=True)
        (folder / "us/cgroup.procs").write_text(str(os.getpid()))
    except OSError:
        yield None, None
        return

    def cpu() -> float:
        if version_1.is_dir():
            return int((folder / "cpuacct.usage").read_text()) / 1e6
        return int((folder / "cpu.stat").read_text().split()[1]) / 1e3

    try:
        yield folder, cpu
    finally:
        (home / "cgroup.procs").write_text(str(os.getpid()))
        # the engine makes the group in every other hierarchy of version 1, too
        for found in {folder, *Path("/sys/fs/cgroup").glob(f"*/{folder.name}")}:
            for part in (*found.rglob("*/"), found):
                with contextlib.suppress(OSError):  # a container that is being removed
                    part.rmdir()


def median(results: list[Measured], method: str, size: int, field: str) -> float | None:
    values = [getattr(result, field) for result in results if (result.method, result.commands) == (method, size)]
    return None if not values or None in values else statistics.median(values)


def ratio(results: list[Measured], method: str, size: int, field: str, base: str = BASELINE) -> float | None:
    """How many times better than base: the median of the ratios within each round, because the load of a machine changes."""
    found = {(result.round, result.method): getattr(result, field) for result in results if result.commands == size}
    pairs = [(found.get((number, method)), found.get((number, base))) for number in sorted({number for number, _ in found})]
    times = [ours / theirs if field == "episodes_per_s" else theirs / ours for ours, theirs in pairs if ours and theirs]
    return statistics.median(times) if times else None


def table(results: list[Measured], methods: list[Method], sizes: list[int]) -> Table:
    columns = [("ms a command\necho x", 0, "command_ms")]
    for size in sizes:
        columns += [(f"ms a command\n{size} an episode", size, "command_ms"), (f"episodes/s\n{size} commands", size, "episodes_per_s")]
        columns += [(f"CPU-ms an episode\n{size} commands", size, "cpu_ms")]
    made = Table("method", title=f"medians; in brackets how many times better than {BASELINE}")
    made.caption = "\n".join(f"{method.name}: {method.hint}" for method in methods)
    for title, _, _ in columns:
        made.add_column(title, justify="right", no_wrap=True)
    for method in methods:
        cells = [(median(results, method.name, size, field), ratio(results, method.name, size, field)) for _, size, field in columns]
        made.add_row(method.name, *(f"{short(value)} ({short(times)}x)" if times else short(value) for value, times in cells))
    return made


def short(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}" if value >= 100 else f"{value:.2g}" if value < 1 else f"{value:.3g}"


def goals(results: list[Measured], sizes: list[int]) -> Iterator[str]:
    wanted = [("ours, docker", BASELINE, 0, "command_ms", 100.0)]
    for size in sizes:
        wanted.append(("ours, docker", BASELINE, size, "episodes_per_s", 2.0 if size >= 12 else 1.5))
        wanted.append(("ours, bwrap", "ours, docker", size, "episodes_per_s", 5.0))
    for method, base, size, field, goal in wanted:
        times = ratio(results, method, size, field, base)
        measure = f"{field} at {size} commands an episode" if size else f"{field} of echo"
        if times is not None:
            yield f"{'met   ' if times >= goal else 'MISSED'} {method} against {base}, {measure}: {times:.2f}x, goal {goal:g}x"


if __name__ == "__main__":
    main(sys.argv[1:])
