"""The planned episode of a seed: the same on every machine."""

from collections.abc import Iterator
from random import Random

from tests.sandbox.grammar.endings import ENDINGS
from tests.sandbox.grammar.episode import HOME, PlannedEpisode, ShellState, Step
from tests.sandbox.grammar.nasty import NASTY
from tests.sandbox.grammar.ordinary import ORDINARY
from tests.sandbox.grammar.overruns import OVERRUN_S, OVERRUNS

PATIENT_S = 10.0  # nothing in such an episode takes long: only a stalled machine can exceed it
ENDS_ITSELF, OVERRUNS_ONCE, TYPED_TOGETHER = 0.8, 0.08, 0.2  # shares


def episode(seed: int) -> PlannedEpisode:
    """A few activities, at times several in one text, then an ending."""
    random = Random(f"episode {seed}")
    state = ShellState(random)
    for _ in range(random.randint(0, 3)):
        state.files[f"{HOME}/{state.name()}"] = f"{state.plain()}\n".encode()
    fixtures = dict(state.files)
    overruns = random.random() < OVERRUNS_ONCE
    steps = []
    for index in range(count := random.randint(1, 6)):
        cases = OVERRUNS if overruns and index == count // 2 else NASTY if random.random() < 0.5 else ORDINARY
        for step in cases.choose(random)(state):
            steps.append(step)
            state.status = step.status
    ending = random.choice(("turn_limit", "silent", "token_limit"))
    if random.random() < ENDS_ITSELF:
        steps += ENDINGS.choose(random)(state)
        ending = steps[-1].kind
    elif random.random() < 0.3:
        steps.append(Step(random.choice(("echo 'never", "cat >never.txt <<E", "for i in 1", "if true; then", "f() {", "(")), "more", None))
    if not steps:
        steps, ending = [Step("exit", "exit", 0)], "exit"
    has_overrun = any(step.overruns for step in steps)
    return PlannedEpisode(
        seed,
        tuple(_together(random, steps)),
        ending,
        OVERRUN_S if has_overrun else PATIENT_S,
        fixtures,
        state.files,
        frozenset(state.folders),
    )


def _together(random: Random, steps: list[Step]) -> Iterator[Step]:
    """Join some neighbouring steps to one text; not an overrun, which drops the lines after it, and no long text."""
    held = steps[0]
    for step in steps[1:]:
        short = len(held.text) + len(step.text) < 2000 and len(held.output or "") + len(step.output or "") < 2000
        if short and not held.overruns and not step.overruns and random.random() < TYPED_TOGETHER:
            held = held.then(step)
        else:
            yield held
            held = step
    yield held
