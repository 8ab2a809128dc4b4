"""compare.html: groups, effects of settings, curves, scenarios by runs, lineage and runs on one page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os.path import commonpath, relpath
from pathlib import Path

from sekft.compare.comparison import Comparison
from sekft.compare.curves import charts
from sekft.compare.effects import effects
from sekft.compare.groups import EvaluatedRun, Group, short_value, unlike_keys
from sekft.compare.kinds import table_by_blocker, table_by_kind
from sekft.compare.lineage import lineages
from sekft.compare.matrix import ABSENT, matrix_parts
from sekft.eval.measures import LETTERS, measure_rate
from sekft.eval.summary import TUNED
from sekft.report.page import write_page

MAX_SENTENCES = 4  # at the head of a page
EPISODES = {  # text of a link: files that may be there; `lives` is the folder of the first edition
    "one won": ("episodes/won.txt", "lives/won.txt"),
    "one lost": ("episodes/lost.txt", "lives/lost.txt"),
    "all": ("episodes.jsonl",),
}


@dataclass(frozen=True)
class LinkedRun:
    """A run with its name on the page and links from the page. page: its report.html, empty if there is none. episodes: by text."""

    run: EvaluatedRun
    group: str
    name: str
    page: str
    episodes: Mapping[str, str]


def link_runs(groups: Sequence[Group], start: Path) -> list[LinkedRun]:
    """The runs in the order of the groups and seeds; a name is the folder without what all folders share.

    start: the folder of the page.
    """
    folders = {run.folder for group in groups for run in group.runs}
    shared = commonpath([folder.absolute().parent for folder in folders])
    linked = []
    for group in groups:
        for run in group.runs:
            name = relpath(run.folder, shared)
            links = {text: next(filter(None, (link(run.folder / file, start) for file in files)), "") for text, files in EPISODES.items()}
            episodes = {text: target for text, target in links.items() if target}
            page = link(run.folder / "report.html", start)
            linked.append(LinkedRun(run, group.name, name if run.agent == TUNED else f"{name} {run.agent}", page, episodes))
    return linked


def link(file: Path, start: Path) -> str:
    """The path of a file relative to the folder start; empty if the file does not exist."""
    return Path(relpath(file, start)).as_posix() if file.exists() else ""


def write_comparison_page(comparison: Comparison, path: Path) -> Path:
    groups, criterion = comparison.sorted_groups(), comparison.criteria[0]
    runs = link_runs(groups, path.parent)
    values = {
        "title": "Comparison",
        "comparison": comparison,
        "sentences": leading_sentences(comparison),
        "measures": comparison.measures(),
        "bases": [row for row in comparison.rows if not row.runs],
        "groups": groups,
        "unlike": unlike_keys([group.runs[0] for group in groups]),
        "effects": effects(comparison.groups, comparison.criteria, comparison.margin),
        "charts": charts(groups, list(dict.fromkeys((*comparison.criteria, "terminated", "false_panic")))),
        "parts": matrix_parts([linked.run for linked in runs], criterion),
        "letters": LETTERS,
        "absent": ABSENT,
        "runs": runs,
        "lineages": lineages({linked.name: linked.run for linked in runs}),
        "link": lambda file: link(file, path.parent),
        "measure_rate": measure_rate,
        "short_value": short_value,
        "kinds": {
            "By kind of hold-out": table_by_kind(groups, comparison.order()),
            "Blocked scenarios, verified": table_by_blocker(groups),
        },
    }
    write_page(Path(__file__).with_name("page.html.jinja"), values, path)
    return path


def leading_sentences(comparison: Comparison) -> list[str]:
    """The sentences at the head of the page: all if they are few, else those about the best group."""
    sentences, best = comparison.sentences(), comparison.best().name
    if len(sentences) <= MAX_SENTENCES:
        return sentences
    return [sentence for sentence, contrast in zip(sentences, comparison.contrasts, strict=True) if contrast.second == best]
