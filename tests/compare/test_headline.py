"""The picture of a README: well-formed, with a description, a row per kind of scenario, for light and dark."""

from pathlib import Path
from xml.etree import ElementTree

from sekft.compare.headline import MEASURES, headline_rows, write_headline
from tests.compare.test_groups import groups
from tests.eval.planted_runs import plant, share

SVG = "{http://www.w3.org/2000/svg}"


def test_base_and_tuned_are_drawn_for_all_scenarios_and_every_kind(tmp_path: Path):
    for seed in range(2):
        plant(tmp_path / "sweep" / str(seed), share(6, 8, seed), seed=seed)
    (group,) = groups(tmp_path / "sweep")
    drawn = headline_rows(group)
    assert [(row.kind, row.scenarios) for row in drawn] == [
        ("all scenarios", 64),
        ("held out of the adapter only", 32),
        ("operation the base never saw", 32),
    ]
    assert drawn[0].tuned["verified_solvable"].n == 2 * 48 and drawn[0].base["verified_solvable"].n == 2 * 48
    path = write_headline(group, tmp_path / "docs" / "headline.svg")
    picture = ElementTree.parse(path).getroot()
    assert len(list(picture.iter(f"{SVG}circle"))) - 1 == len(MEASURES) * len(drawn)
    title = next(picture.iter(f"{SVG}title")).text or ""
    assert "all scenarios: base did the work and left 0%" in title and picture.get("aria-label") == title
    text = path.read_text()
    assert "prefers-color-scheme: dark" in text and "tuned, 2 training seeds" in text and "href" not in text
    assert text == write_headline(group, tmp_path / "again.svg").read_text()


def test_intervals_stay_within_their_panel(tmp_path: Path):
    plant(tmp_path / "run", [True] * 64)
    path = write_headline(groups(tmp_path / "run")[0], tmp_path / "headline.svg")
    for at in ElementTree.parse(path).getroot().iter(f"{SVG}rect"):
        assert float(at.get("x", 0)) <= 760 - 9
