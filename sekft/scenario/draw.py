"""Names and contents for one scenario: no noun names two things, no composed name of the evaluation is met in training."""

import random
from collections.abc import Callable, Sequence

from sekft.scenario import words

LOCKED = ("/srv", "/usr/local")
SUFFIXES = ("txt", "txt", "md", "log")


class Draw:
    """evaluation: whose names are drawn, see words.of_evaluation; folders: how deep files may lie; nouns: the list they come from."""

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
        return self._rng.choice(phrasings).format(**parts)

    def name(self, suffix: str = "") -> str:
        ending = suffix or self._rng.choice(SUFFIXES)
        return self._composed(lambda noun: f"{noun}.{ending}")

    def folder(self) -> str:
        """A folder that a directive is about: two words, as a name of one word could be met in training."""
        first = self.noun()
        return self._composed(lambda noun: f"{first}-{noun}")

    def file(self, suffix: str = "") -> str:
        """A path in the agent's home, one in four in a folder; where scenarios are deep, most of them."""
        depth = self.number(0, self._folders) if self._folders else int(self.chance(0.25))
        return "/".join([*self.nouns(depth), self.name(suffix)])

    def locked(self, suffix: str = "") -> str:
        """A path where the agent may read but not write."""
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
        """The first name on our side of the line between training and evaluation, made of a noun that is not used yet."""
        for position in reversed(range(len(self._unused))):
            if words.is_evaluation_name(name := form(self._unused[position])) == self._eval:
                del self._unused[position]
                return name
        raise ValueError(f"no noun is left for {form('*')}: a world has fewer than {len(words.NOUNS)} names")


def joined(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
