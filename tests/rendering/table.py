"""Compares our weights with independent references and writes the tables of docs/masks.md: python -m tests.rendering.table."""

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from sekft.rendering.tokenizer import ChatTokenizer
from tests.rendering.dialogues import DIALOGUES
from tests.rendering.fixtures import FIXTURES, REAL, ROOT, STAND_INS, write, write_mistral
from tests.rendering.reasons import REASONS, explain, ours
from tests.rendering.references import Reference, mistrals_encoder, served_prompts, trls_markers

PAGE = ROOT / "docs" / "masks.md"
MARK = "\n<!-- from here on written by python -m tests.rendering.table -->\n"
SOURCES = {"trl": "TRL 1.16", "sekft": "sekft/rendering/templates/", "tests": "tests/rendering/templates/"}
Cell = dict[str, str]  # dialogue -> letters of REASONS; empty: equal
Found = dict[tuple[str, str, str], Cell]  # by template, reference, tokenizer


def cells() -> Iterator[tuple[tuple[str, str, str], Cell]]:
    """((template, reference, tokenizer), cell), row by row."""
    for version in REAL:
        with tempfile.TemporaryDirectory() as folder:
            tokenizer = write_mistral(version, Path(folder))
            for reference, cell in compared(tokenizer, {"Mistral's encoder": mistrals_encoder(version)}):
                yield (version, reference, version), cell
    for template, fixture in FIXTURES.items():
        for vocabulary in STAND_INS:
            with tempfile.TemporaryDirectory() as folder:
                tokenizer = write(template, vocabulary, Path(folder))
                references = {"served prompts": served_prompts(Path(folder), tokenizer.stop_ids)}
                if fixture.markers:
                    references["TRL's markers"] = trls_markers(template, Path(folder))
                for reference, cell in compared(tokenizer, references):
                    yield (template, reference, vocabulary), cell


def compared(tokenizer: ChatTokenizer, references: dict[str, Reference]) -> Iterator[tuple[str, Cell]]:
    mine = {name: ours(talk, tokenizer) for name, talk in DIALOGUES.items()}
    for reference, theirs in references.items():
        yield reference, {name: explain(mine[name], talk, tokenizer, theirs) for name, talk in DIALOGUES.items()}


def written(found: Found) -> str:
    """The generated part of the page."""
    mistral = [f"| {version} | {_shown(cell)} |" for (version, _, _), cell in found.items() if version in REAL]
    rows = [
        f"| {template} | {reference} | " + " | ".join(_shown(found[template, reference, vocabulary]) for vocabulary in STAND_INS) + " |"
        for template in FIXTURES
        for reference in ("served prompts", "TRL's markers")
        if (template, reference, "bytes") in found
    ]
    used = sorted(set("".join("".join(cell.values()) for cell in found.values())))
    return "\n".join(
        [
            MARK,
            f"{len(DIALOGUES)} dialogues, {sum(map(len, found.values()))} comparisons, "
            f"{sum(not letters for cell in found.values() for letters in cell.values())} equal. A cell gives equal / all, then the number"
            " of differences for each reason (letters below).\n",
            "### Mistral, against `mistral-common` in fine-tuning mode\n",
            "Real vocabularies, each with the template that `mistral-common` writes for it. What its encoder writes for an assistant turn"
            " is what should be learned.\n",
            "| template and tokenizer | equal |\n|---|---|",
            *mistral,
            "\n### Other families, against transformers' own prompts and against TRL's marked templates\n",
            "Their vocabularies are not available offline. The tokenizers are **stand-ins**: the family's control tokens added to"
            f" {'; '.join(f'`{name}` {text}' for name, text in STAND_INS.items())}. Zephyr itself uses the vocabulary of Mistral v1.\n",
            "| template | reference | "
            + " | ".join(f"{name} (stand-in)" for name in STAND_INS)
            + " |\n|---|---|"
            + "---|" * len(STAND_INS),
            *rows,
            "\n### Every difference\n",
            *[f"- **{letter}** {REASONS[letter]} ({_where(found, letter)})" for letter in used],
            "\n### Fixtures\n",
            "The texts come from the installed TRL or from this repository, and are refused if their hash (the first 16 digits) differs."
            " Mistral's vocabularies and their hashes are listed in `scripts/small_mistral.py`.\n",
            "| template | from | sha256 | of TRL's marked variant |\n|---|---|---|---|",
            *[f"| {name} | {SOURCES[f.source]} | `{f.sha256}` | {f'`{f.markers}`' * bool(f.markers)} |" for name, f in FIXTURES.items()],
            "\n### Dialogues\n",
            ", ".join(DIALOGUES) + ".\n",
        ]
    )


def _shown(cell: Cell) -> str:
    why = Counter(letters for letters in cell.values() if letters)
    equal = len(cell) - why.total()
    return f"{equal}/{len(cell)}" + "".join(f" {letters} {count}" for letters, count in sorted(why.items()))


def _where(found: Found, letter: str) -> str:
    names = Counter(name for cell in found.values() for name, letters in cell.items() if letter in letters)
    return f"{len(names)} of the dialogues" if len(names) > 8 else ", ".join(names)


def main() -> int:
    """Exit status 1 if a difference is not explained."""
    prose = PAGE.read_text(encoding="utf-8").partition(MARK)[0]
    text = written(dict(cells()))
    PAGE.write_text(prose + text, encoding="utf-8")
    print(text)
    return "- **?**" in text


if __name__ == "__main__":
    sys.exit(main())
