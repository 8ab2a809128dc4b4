"""Random names and contents for one scenario; no noun is used twice, and evaluation and training share no composed name."""

import random
from collections.abc import Callable, Sequence

from sekft.scenario import words

LOCKED = ("/srv", "/usr/local")  # directories that the agent cannot write to
SUFFIXES = ("txt", "txt", "md", "log")


class Draw:
    """Draws the parts of one scenario.

    evaluation: the side that names belong to, see words.is_evaluation_name; folders: maximum depth of files; nouns: the word list.
    """

    def __init__(self, rng: random.Random, evaluation: bool, folders: int, nouns: Sequence[str]) -> None:
        self._rng, self._eval, self._folders = rng, evaluation, folders
        self._unused = rng.sample(nouns, len(nouns))

    def noun(self) -> str:
        return self._unused.pop()

    def nouns(self, count: int) -> tuple[str, ...]:
        return tuple(self.noun() for _ in range(count))

    def number(self, least: int, most: int) -> int:
        return self._rng.randrange(least, most + 1)

    def chance(self, share: float) -> bool:
        return self._rng.random() < share

    def pick(self, choices: Sequence[str]) -> str:
        return self._rng.choice(choices)

    def shuffled(self, lines: Sequence[str]) -> tuple[str, ...]:
        return tuple(self._rng.sample(lines, len(lines)))

    def phrase(self, phrasings: Sequence[str], **parts: str) -> str:
        """One of the phrasings, filled with the parts."""
        return self._rng.choice(phrasings).format(**parts)

    def name(self, suffix: str = "") -> str:
        ending = suffix or self._rng.choice(SUFFIXES)
        return self._composed(lambda noun: f"{noun}.{ending}")

    def folder(self) -> str:
        """The name of a folder that a directive is about: two words, because training may use a name of one word."""
        first = self.noun()
        return self._composed(lambda noun: f"{first}-{noun}")

    def file(self, suffix: str = "") -> str:
        """A path in the agent's home; one in four is in a folder, most of them where `folders` is above 0."""
        depth = self.number(0, self._folders) if self._folders else int(self.chance(0.25))
        return "/".join([*self.nouns(depth), self.name(suffix)])

    def locked(self, suffix: str = "") -> str:
        """A path that the agent can read but not write."""
        return f"{self._rng.choice(LOCKED)}/{self.noun()}/{self.name(suffix)}"

    def source(self, suffix: str = "") -> str:
        """A path to read from, one in five outside the home."""
        return self.locked(suffix) if self.chance(0.2) else self.file(suffix)

    def line(self) -> str:
        return " ".join(self.nouns(self.number(2, 3)))

    def lines(self, least: int, most: int) -> tuple[str, ...]:
        return tuple(" ".join(self.nouns(self.number(1, 2))) for _ in range(self.number(least, most)))

    def text(self) -> str:
        return joined(self.lines(2, 4))

    def day(self) -> str:
        return f"20{self.number(18, 23)}-{self.number(1, 12):02d}-{self.number(1, 28):02d}"

    def _composed(self, form: Callable[[str], str]) -> str:
        """The first name of an unused noun that belongs to the wanted side, evaluation or training."""
        for position in reversed(range(len(self._unused))):
            if words.is_evaluation_name(name := form(self._unused[position])) == self._eval:
                del self._unused[position]
                return name
        raise ValueError(f"no noun is left for {form('*')}: a scenario has fewer than {len(words.NOUNS)} names")


def joined(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
