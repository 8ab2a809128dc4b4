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
    every_steps: int = at_least(0, default=0)  # a small evaluation during training, this often; 0: only after it; e.g. 50
    selection_scenarios: int = at_least(1, default=16)  # of that small evaluation: new ones of training archetypes
    choose: Choose = Choose.best  # the adapter that is kept: of the step that does best in the selection scenarios, or of the last step
    temperature: float = at_least(0, default=0.0)  # [factor] by which logits are divided before a token is drawn; 0: greedy; e.g. 0.7
    attempts: int = at_least(1, default=1)  # [episodes] per scenario and agent; more than 1 needs a temperature
    max_turns: int = at_least(1, default=16, automatic=True)  # of one episode; a scenario may allow fewer
    max_reply_tokens: int = at_least(1, default=64, automatic=True)  # of one reply; a longer one is cut and typed as it is
    max_episode_tokens: int = at_least(1, default=2048, automatic=True)  # context of one episode
    engine: Engine = Engine.batched  # sequential: one reply at a time, each with its whole conversation read again
    rows: int = at_least(1, default=32, automatic=True)  # [replies] engine=batched: generated together, at most
    baselines: bool = True  # also play trivial agents: a rate that one of them reaches is no evidence of skill
    max_eval_s: float = at_least(0, default=0.0)  # an evaluation that takes longer is unmeasured; 0: no limit; e.g. 1800
    cache: bool = True  # reuse stored episodes of base, reference and baselines from outputs/episodes if they would be the same again
    suite: Suite = Suite.none  # questions with answers that can be scored, instead of episodes or beside them
    # text of the suite; a tenth of it is held out of training and asked about; e.g. stories.txt
    suite_path: str = "sekft:tinystories.txt"
    suite_stories: int = at_least(1, default=64)  # most stories of that tenth
    criterion: str = "verified"  # the rate that decides the verdict; e.g. solved
    min_gain: float = between(0.001, 1, default=0.05)  # [difference of rates] the smallest that is worth a promotion; e.g. 0.1
    max_broken_share: float = between(0, 1, default=0.1)  # with more broken episodes the evaluation is unmeasured
    # more criteria, by rate, false_panic or loss: tier, rule, margin, enough; docs/evaluation.md; e.g. .false_panic.margin=0.1
    gate: dict[str, Any] = field(default_factory=dict)
    require: str | None = None  # promote, hold, ...: another verdict ends with exit status 3, for CI; e.g. promote


@dataclass
class SandboxConfig:
    """The limits of one session. A scenario cannot change them."""

    backend: BackendKind = BackendKind.auto  # what isolates a session; auto: Docker or podman if one answers, else bubblewrap; e.g. bwrap
    runtime: str | None = None  # docker: the OCI runtime, runc, runsc, ...; null: the engine's own; e.g. runsc
    warm: int = at_least(0, default=0)  # [containers] docker: created ahead of their sessions, at most; e.g. 4
    memory_mb: int = at_least(16, default=128)  # memory of a session; bwrap: of each of its processes
    pids: int = at_least(8, default=64)  # [processes] of a session, at most
    cpus: float = at_least(0, default=1.0, excluded=0)  # [CPU cores] docker: of a session
    home_mb: int = at_least(1, default=32)  # size of the home directory
    tmp_mb: int = at_least(1, default=16)  # size of /tmp
    session_s: int = at_least(1, default=7200)  # a session ends after this, also while its agent waits; it never outlives its process
    flood_bytes: int = at_least(1, default=16777216)  # a command that prints more is interrupted
    references_in_bwrap: bool = False  # where bwrap works it plays missing reference episodes: the same bytes in a fraction of the time


@dataclass
class SplitConfig:
    """Whole archetypes are held out: no archetype is in both training and held-out scenarios."""

    name: str = MISSING  # the name of this split in reports; e.g. mine
    held_out: list[str] = field(default_factory=list)  # archetypes that are never trained on; e.g. [sort,tidy]
    set_aside: list[str] = field(default_factory=list)  # of held_out: archetypes that the embedded base never sees either; e.g. [sort]
    seed: int = at_least(0, default=0)  # [seed] of the scenarios that are drawn; the frozen test set does not depend on it; e.g. 1
    train_scenarios: int = at_least(1, default=240)  # sekft.collect: episodes=N counts instead
    train_blocked_share: float = between(0, 1, default=0.25)  # of the training scenarios: those that can only be left by panic
    # [scenarios] by archetype: training scenarios of it for each one of the others; e.g. .sort=3
    train_weights: dict[str, int] = field(default_factory=dict)
    # of the names in training scenarios: those that are not in the word list; e.g. 0.5
    train_unlisted_share: float = between(0, 1, default=0.0)
    unlisted_share: float = between(0, 1, default=1.0)  # the same for scenarios=unlisted
    eval_scenarios: int = at_least(1, default=64)  # of sets that are drawn: fresh, unlisted, selection, development; the frozen set has 128
