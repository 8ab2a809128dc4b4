"""From a number to an episode: the same number, the same episode, on every machine."""

from collections.abc import Iterator
from random import Random

from tests.sandbox.grammar.endings import ENDINGS
from tests.sandbox.grammar.episode import HOME, Episode, Scenario, Step
from tests.sandbox.grammar.nasty import NASTY
from tests.sandbox.grammar.ordinary import ORDINARY
from tests.sandbox.grammar.overruns import OVERRUN_S, OVERRUNS

PATIENT_S = 10.0  # nothing in such an episode takes long: only a stalled machine could overrun it
ENDS_ITSELF, OVERRUNS_ONCE, TYPED_TOGETHER = 0.8, 0.08, 0.2  # shares


def episode(seed: int) -> Episode:
    """Things done one after the other, now and then several as one text; then an end."""
    random = Random(f"episode {seed}")
    scenario = Scenario(random)
    for _ in range(random.randint(0, 3)):
        scenario.files[f"{HOME}/{scenario.name()}"] = f"{scenario.plain()}\n".encode()
    fixtures = dict(scenario.files)
    overruns = random.random() < OVERRUNS_ONCE
    steps = []
    for index in range(count := random.randint(1, 6)):
        cases = OVERRUNS if overruns and index == count // 2 else NASTY if random.random() < 0.5 else ORDINARY
        for step in cases.choose(random)(scenario):
            steps.append(step)
            scenario.status = step.status
    ending = random.choice(("turn_limit", "silent", "token_limit"))
    if random.random() < ENDS_ITSELF:
        steps += ENDINGS.choose(random)(scenario)
        ending = steps[-1].kind
    elif random.random() < 0.3:
        steps.append(Step(random.choice(("echo 'never", "cat >never.txt <<E", "for i in 1", "if true; then", "f() {", "(")), "more", None))
    if not steps:
        steps, ending = [Step("exit", "exit", 0)], "exit"
    lasting = any(step.overruns for step in steps)
    return Episode(
        seed,
        tuple(_together(random, steps)),
        ending,
        OVERRUN_S if lasting else PATIENT_S,
        fixtures,
        scenario.files,
        frozenset(scenario.folders),
    )


def _together(random: Random, steps: list[Step]) -> Iterator[Step]:
    """Some neighbours as one text. An overrun drops what follows it, and a long text is better left alone."""
    held = steps[0]
    for step in steps[1:]:
        short = len(held.text) + len(step.text) < 2000 and len(held.output or "") + len(step.output or "") < 2000
        if short and not held.overruns and not step.overruns and random.random() < TYPED_TOGETHER:
            held = held.then(step)
        else:
            yield held
            held = step
    yield held
