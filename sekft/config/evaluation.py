"""Settings of an evaluation: episodes, sandbox, and which scenarios are held out."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from omegaconf import MISSING

from sekft.config.bounds import at_least, between

BackendKind = StrEnum("BackendKind", "auto docker bwrap")
Engine = StrEnum("Engine", "batched sequential")
Choose = StrEnum("Choose", "best last")
Suite = StrEnum("Suite", "none tinystories")


@dataclass
class EvalConfig:
    """Which episodes are played, their limits, and what a verdict needs. Automatic settings follow base and device: sekft/eval/size.py."""

    episodes: int = at_least(0, default=8, automatic=True)  # per agent: the first N scenarios of the set; 0: no evaluation
    every_steps: int = at_least(0, default=0)  # small evaluation every so many training steps and after the last; 0: only after training
    selection_scenarios: int = at_least(1, default=16)  # of that small evaluation: new scenarios of training archetypes
    choose: Choose = Choose.best  # the adapter that is kept: of the step that does best in the selection scenarios, or of the last step
    temperature: float = at_least(0, default=0.0)  # 0: greedy
    attempts: int = at_least(1, default=1)  # episodes per scenario and agent; more than 1 needs a temperature
    max_turns: int = at_least(1, default=16, automatic=True)  # of one episode; a scenario may allow fewer
    max_reply_tokens: int = at_least(1, default=64, automatic=True)
    max_episode_tokens: int = at_least(1, default=2048, automatic=True)  # context of one episode
    engine: Engine = Engine.batched  # sequential: one reply at a time, each with its whole conversation read again
    rows: int = at_least(1, default=32, automatic=True)  # engine=batched: most replies that are generated together
    baselines: bool = True  # also play trivial agents: a rate that one of them reaches is no evidence of skill
    max_eval_s: float = at_least(0, default=0.0)  # an evaluation that takes longer is unmeasured; 0: no limit
    cache: bool = True  # reuse stored episodes of base, reference and baselines from outputs/episodes if they would be the same again
    suite: Suite = Suite.none  # questions with answers that can be scored, instead of episodes or beside them
    suite_path: str = "sekft:tinystories.txt"  # text of the suite; a tenth of it is held out of training and asked about
    suite_stories: int = at_least(1, default=64)  # most stories of that tenth
    criterion: str = "verified"  # the rate that decides the verdict
    min_gain: float = between(0.001, 1, default=0.05)  # smallest difference that is worth a promotion
    max_broken_share: float = between(0, 1, default=0.1)  # with more broken episodes the evaluation is unmeasured
    gate: dict[str, Any] = field(default_factory=dict)  # more criteria: rate, false_panic or loss -> fields of sekft.eval.criterion.Line
    require: str | None = None  # promote, hold, ...: another verdict ends with exit status 3, for CI


@dataclass
class SandboxConfig:
    """The limits of one session. A scenario cannot change them."""

    backend: BackendKind = BackendKind.auto
    runtime: str | None = None  # docker: runc, runsc, ...
    warm: int = 0  # docker: most containers that are created ahead of their sessions
    memory_mb: int = at_least(16, default=128)
    pids: int = at_least(8, default=64)
    cpus: float = 1.0
    home_mb: int = 32
    tmp_mb: int = 16
    session_s: int = at_least(1, default=7200)  # a session ends after this, also while its agent waits; it never outlives its process
    flood_bytes: int = 16777216  # a command that prints more is interrupted
    references_in_bwrap: bool = False  # where bwrap works it plays missing reference episodes: the same bytes in a fraction of the time


@dataclass
class SplitConfig:
    """Whole archetypes are held out: no archetype is in both training and held-out scenarios."""

    name: str = MISSING
    held_out: list[str] = field(default_factory=list)  # archetypes
    set_aside: list[str] = field(default_factory=list)  # of held_out: archetypes that the embedded base never sees either
    seed: int = at_least(0, default=0)  # of the scenarios that are drawn; the frozen test set does not depend on it
    train_scenarios: int = at_least(1, default=240)  # sekft.collect: episodes=N counts instead
    train_blocked_share: float = between(0, 1, default=0.25)  # of the training scenarios: those that can only be left by panic
    train_weights: dict[str, int] = field(default_factory=dict)  # archetype -> training scenarios of it for each one of the others
    train_unlisted_share: float = between(0, 1, default=0.0)  # of the names in training scenarios: those that are not in the word list
    unlisted_share: float = between(0, 1, default=1.0)  # the same for scenarios=unlisted
    eval_scenarios: int = at_least(1, default=64)  # of sets that are drawn: fresh, unlisted, selection, development; the frozen set has 128
