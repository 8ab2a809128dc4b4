"""The rules of sekft.train for automatic settings: those of the optimisation and those of the evaluation."""

from typing import Any

from sekft.config.automatic import Choice
from sekft.eval import size
from sekft.model import recipe


def choose(settings: Any, open_keys: frozenset[str]) -> list[Choice]:
    return [*recipe.choose(settings, open_keys), *size.choose(settings, open_keys)]
