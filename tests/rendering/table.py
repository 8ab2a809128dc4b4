"""Compares our weights with independent references and writes the tables of docs/masks.md: python -m tests.rendering.table."""

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from sekft.rendering.tokenizer import ChatTokenizer
from tests.rendering.dialogues import DIALOGUES
from tests.rendering.fixtures import FIXTURES, REAL, ROOT, write_mistral
from tests.rendering.real import load
from tests.rendering.reasons import REASONS, explain, ours
from tests.rendering.references import Reference, mistrals_encoder, trls_markers

PAGE = ROOT / "docs" / "masks.md"
MARK = "\n<!-- from here on written by python -m tests.rendering.table -->\n"
SOURCES = {"trl": "TRL 1.16", "sekft": "sekft/rendering/templates/", "tests": "tests/rendering/templates/"}
MARKED = {  # template of TRL with a marked variant: its family with a real vocabulary
    "llama3": "Llama 3",
    "qwen2_5": "Qwen2.5",
    "qwen3": "Qwen3",
    "qwen3_instruct_2507": "Qwen3-2507",
    "gemma3": "Gemma 3",
}
Cell = dict[str, str]  # dialogue -> letters of REASONS; empty: equal
Found = dict[tuple[str, str, str], Cell]  # by template, reference, tokenizer


def cells() -> Iterator[tuple[tuple[str, str, str], Cell]]:
    """((template, reference, tokenizer), cell), row by row."""
    for version in REAL:
        with tempfile.TemporaryDirectory() as folder:
            tokenizer = write_mistral(version, Path(folder))
            for reference, cell in compared(tokenizer, {"Mistral's encoder": mistrals_encoder(version)}):
                yield (version, reference, version), cell
    for template, name in MARKED.items():
        with tempfile.TemporaryDirectory() as folder:
            tokenizer = load(name, Path(folder))
            for reference, cell in compared(tokenizer, {"TRL's markers": trls_markers(template, Path(folder))}):
                yield (template, reference, name), cell


def compared(tokenizer: ChatTokenizer, references: dict[str, Reference]) -> Iterator[tuple[str, Cell]]:
    mine = {name: ours(talk, tokenizer) for name, talk in DIALOGUES.items()}
    for reference, theirs in references.items():
        yield reference, {name: explain(mine[name], talk, tokenizer, theirs) for name, talk in DIALOGUES.items()}


def written(found: Found) -> str:
    """The generated part of the page."""
    mistral = [f"| {version} | {_shown(cell)} |" for (version, _, _), cell in found.items() if version in REAL]
    marked = [f"| {name} | {_shown(cell)} |" for (template, _, name), cell in found.items() if template in MARKED]
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
            "\n### Other families, against TRL's marked templates\n",
            "Real vocabularies as in the table of families above, where TRL has a marked variant of the template. The third reference,"
            " transformers' own prompts, is in that table.\n",
            "| family | equal |\n|---|---|",
            *marked,
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
