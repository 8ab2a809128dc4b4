"""The words worlds are written with: nouns for names and contents, invented names for providers."""

from pathlib import Path


def _sections(text: str) -> dict[str, tuple[str, ...]]:
    """`[name]` opens a section; its words are separated by white space."""
    sections: dict[str, list[str]] = {}
    words: list[str] = []
    for token in text.split():
        if token.startswith("["):
            words = sections.setdefault(token.strip("[]"), [])
        else:
            words.append(token)
    return {name: tuple(found) for name, found in sections.items()}


_SECTIONS = _sections(Path(__file__).with_name("words.txt").read_text(encoding="ascii"))

NOUNS = _SECTIONS["nouns"]
PROVIDERS = _SECTIONS["providers"]
EXAM_PROVIDERS = PROVIDERS[3::4]  # a quarter, never met in training
TRAIN_PROVIDERS = tuple(name for name in PROVIDERS if name not in EXAM_PROVIDERS)
