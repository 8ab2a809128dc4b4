"""The leak check: no path, provider name or directive of the evaluation may occur in training text; single words may.

Covers: everything that an agent reads or types, composed names of files (lemon.txt, harbor-quartz), differences in white space.
Does not cover: paraphrases, equal structure; the split holds out whole archetypes for that.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sekft.scenario import checker, words
from sekft.scenario.document import HOME, Scenario
from sekft.scenario.taxonomy import NOTICES

_COMPOSED = re.compile(r"[A-Za-z0-9_]+(?:[./-]+[A-Za-z0-9_]+)+")
_LISTED = {*words.NOUNS, *words.PROVIDERS, "txt", "log", "csv", "conf", "tar", "sum", "srv", "usr", "local", "home", "agent"}
_SHARED = {path.rpartition("/")[2] for path in NOTICES}  # announcements are files of these names in every set


@dataclass(frozen=True)
class Leaks:
    """Parts of the evaluation that occur in training text, each once, sorted.

    outside: words of the evaluation's names that are in no word list; outside_met: those of them that occur.
    """

    paths: tuple[str, ...]
    providers: tuple[str, ...]
    sentences: tuple[str, ...]
    outside: tuple[str, ...] = ()
    outside_met: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.paths or self.providers or self.sentences)

    def line(self) -> str:
        """Counts, with the first of each kind."""
        kinds = {"paths": self.paths, "provider names": self.providers, "directive sentences": self.sentences}
        counts = [f"{len(values)} {kind}{f' ({values[0]!r} ...)' if values else ''}" for kind, values in kinds.items()]
        outside = f"{len(self.outside_met)} of {len(self.outside)} names from outside the word list occur"
        return f"of the evaluation, training text shows {', '.join(counts)}; {outside}"


def leaks(evaluation: Sequence[Scenario], texts: Iterable[str]) -> Leaks:
    """Search texts for parts of the evaluation.

    texts: everything a training row may show; read one by one, so that they need not fit in memory.
    """
    names = {scenario.provider.name for scenario in evaluation}
    sentences = {_flat(directive) for scenario in evaluation for directive in scenario.directives}
    paths = {path: _composed(path) for scenario in evaluation for path in _paths(scenario)}
    stems = {word for path in paths for word in re.findall(r"[a-z]{3,}", path)}
    outside = {word for word in stems if word not in _LISTED}
    met_names: set[str] = set()
    met_sentences: set[str] = set()
    met_outside: set[str] = set()
    composed: set[str] = set()
    for text in texts:
        flat = _flat(text)
        composed |= _composed(text)
        met_names |= {name for name in names - met_names if name in flat}
        met_sentences |= {sentence for sentence in sentences - met_sentences if sentence in flat}
        met_outside |= {word for word in outside - met_outside if word in flat}
    met_paths = {path for path, parts in paths.items() if parts & composed}
    groups = (met_paths, met_names, met_sentences, outside, met_outside)
    return Leaks(*(tuple(sorted(group)) for group in groups))


def _paths(scenario: Scenario) -> set[str]:
    """Paths of fixtures and of what the checker names, relative to the home."""
    named = [*(fixture.path for fixture in scenario.fixtures), *checker.named_paths(scenario.checker)]
    relative = {path.removeprefix(f"{HOME}/").lstrip("/") for path in named}
    return {path for path in relative if _composed(path) and path not in _SHARED}


def _composed(text: str) -> set[str]:
    """The composed names of a text: whole, and their parts that are composed, too; without a leading slash."""
    names = _COMPOSED.findall(text)
    return {part for name in names for part in (name, *name.split("/")) if "." in part or "-" in part}


def _flat(text: str) -> str:
    return " ".join(text.split())
