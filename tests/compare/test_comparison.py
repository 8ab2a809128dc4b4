"""A comparison as table, Markdown and page: the same numbers everywhere, everything left out is named."""

import json
import re
from pathlib import Path

import pytest

from sekft.compare.command import compare
from sekft.compare.comparison import Comparison, markdown_table, result_section, verdict_section
from sekft.compare.kinds import table_by_blocker, table_by_kind
from sekft.compare.page import leading_sentences, write_comparison_page
from sekft.config import CompareConfig
from sekft.errors import DataError, SettingsError
from sekft.tracking.records import find, read
from tests.eval.planted_runs import SCENARIOS, plant, share, sweep
from tests.eval.test_page import Page


def compared(folder: Path, **settings) -> Comparison:
    found = [read(run) for run in find([str(folder)])]
    return compare(found, CompareConfig(**settings))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = sweep(tmp_path_factory.mktemp("comparison") / "sweep")
    plant(made / "6", share(1, 2), status="failed")
    return made


def test_the_best_group_comes_first_the_base_has_a_row_and_a_failed_run_is_named(folder: Path):
    found = compared(folder)
    assert [one.name for one in found.rows] == ["assistant", "terminal_only", "base"]
    text = result_section(found)
    assert f"- left out: `{folder / '6'}`: failed: ModelError: it broke" in text
    assert "- masks differ: a loss is over the learned tokens only" in text and not compared(folder / "0").notes
    table = markdown_table([found.columns(), *map(found.cells, found.rows)])
    assert text.startswith(table[0]) and table[0].startswith(
        "| mask.rule | seeds | scenarios | terminated | verified | verified_solvable |"
    )
    assert table[2].startswith("| assistant | 3 | 64 | ") and len({row.count("|") for row in table}) == 1


def test_kinds_of_hold_out_and_blockers_have_tables_of_their_own(folder: Path):
    groups = compared(folder).groups
    head, *rows = table_by_kind(groups)
    assert head[:3] == ["kind of scenario", "group", "terminated"]
    names = ["base", "assistant", "terminal_only"]
    assert [row[:2] for row in rows] == [
        [kind, name] for kind in ("held out of the adapter only", "operation the base never saw") for name in names
    ]
    assert {row[4].split("/")[1].split()[0] for row in rows if row[1] == "assistant"} == {"72"}  # 24 solvable scenarios, three seeds
    assert {row[3].split("/")[1].split()[0] for row in rows if row[1] == "base"} == {"32"}  # the base counts once
    head, *rows = table_by_blocker(groups)
    assert head == ["blocked by", "assistant", "terminal_only"]
    assert {"missing", "denied"} <= {row[0] for row in rows} and sum(int(row[1].partition("/")[2].split()[0]) for row in rows) == 3 * 16
    text = result_section(compared(folder))
    assert "| kind of scenario | group |" in text and "| blocked by | assistant |" in text


def test_every_group_is_compared_with_the_base_and_with_the_first(folder: Path):
    found = compared(folder, criteria=["verified", "panic_recall"])
    pairs = [(one.criterion, one.first, one.second) for one in found.contrasts]
    assert pairs[:3] == [
        ("verified", "base", "assistant"),
        ("verified", "base", "terminal_only"),
        ("verified", "assistant", "terminal_only"),
    ]
    assert len(pairs) == 6 and {one.scenarios for one in found.contrasts if one.criterion == "panic_recall"} == {16}
    assert verdict_section(found).count("\n- ") == 5 and "terminal_only left blocked scenarios by a justified panic" in verdict_section(
        found
    )
    turned = compared(folder, against="terminal_only")
    assert turned.contrasts[-1].first == "terminal_only" and turned.contrasts[-1].difference == -found.contrasts[2].difference
    with pytest.raises(SettingsError, match="against: found 'nobody', allowed: 'assistant', 'terminal_only'"):
        compared(folder, against="nobody")


def test_nothing_to_compare_is_an_error_that_names_every_run(tmp_path: Path):
    plant(tmp_path / "sweep" / "0", share(1, 2), status="running")
    with pytest.raises(DataError, match="none to compare; .*0: not finished"):
        compared(tmp_path / "sweep")


def test_other_scenarios_unequal_seeds_and_unmeasured_evaluations_are_noted(tmp_path: Path):
    for seed in range(2):
        plant(tmp_path / "sweep" / str(seed), share(1, 2), {"mask": "one"}, seed)
    odd = plant(tmp_path / "sweep" / "2", share(1, 2), {"mask": "two"}, scenarios=SCENARIOS[:32])
    (odd / "summary.json").write_text((odd / "summary.json").read_text().replace('"verdict": "', '"verdict": "unmeasured '))
    notes = " ".join(compared(tmp_path / "sweep").notes)
    assert "2 different sets of scenarios" in notes and "1 to 2 training seeds" in notes and "no valid measurement are included" in notes
    assert [one.name for one in compared(tmp_path / "sweep").rows if not one.runs] == ["base of one", "base of two"]


def grid(folder: Path, seeds: int = 2) -> Path:
    """Two learning rates and two ranks; the learning rate decides; rates are logged during training."""
    at = 0
    for seed in range(seeds):
        for lr, of in ((0.001, 2), (0.01, 6)):
            for rank in (16, 4):
                made = {"lora": {"name": f"r{rank}", "r": rank, "alpha": 2 * rank}, "trainer": {"lr": lr}}
                run = plant(folder / str(at), share(of, 8, seed), made, seed, [f"lora=r{rank}", f"trainer.lr={lr}"])
                looks = [{"step": step, "train/loss": 1 / (step + 1), "eval/verified": step * of / 80} for step in range(0, 11, 5)]
                (run / "metrics.jsonl").write_text("".join(json.dumps(look) + "\n" for look in looks))
                at += 1
    return folder


def test_the_page_is_whole_fetches_nothing_and_links_the_runs_pages_and_episodes(folder: Path):
    (folder / "0" / "report.html").write_text("x")
    text = write_comparison_page(compared(folder), folder / "compare.html").read_text()
    page = Page(text)
    assert page.faults == [] and page.open == [] and not page.all("script", "link", "img") and "http" not in text
    links = [attrs["href"] or "" for attrs, _ in page.all("a") if attrs.get("class") != "skip"]
    scenarios = {episode.scenario_id for episode in compared(folder).groups[0].episodes()}
    assert {link.partition("#scenario-")[2] for link in links if link.startswith("0/report.html#")} == scenarios
    assert {link for link in links if "#" not in link} == {"0/report.html", *(f"{at}/episodes.jsonl" for at in range(6))}
    assert "it broke" in text and all(said in text for said in compared(folder).sentences())


def test_every_picture_table_and_scrolling_region_of_the_page_has_a_name_and_every_id_is_there_once(tmp_path: Path):
    text = write_comparison_page(compared(grid(tmp_path / "grid")), tmp_path / "compare.html").read_text()
    page = Page(text)
    assert page.faults == [] and page.open == []
    assert all(attrs.get("role") == "img" and attrs.get("aria-label") for attrs, _ in page.all("svg")) and page.all("svg")
    assert all(attrs.get("scope") in ("col", "colgroup", "row", "rowgroup") and text for attrs, text in page.all("th"))
    assert all(attrs["tabindex"] == "0" and attrs["aria-label"] for attrs, _ in page.all("div") if attrs.get("class") == "wide")
    assert all(text for _, text in page.all("a", "summary", "h1", "h2", "h3", "figcaption"))
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1 and all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids)) and {(attrs["href"] or "")[1:] for attrs, _ in page.all("use")} <= set(ids)


def test_the_page_has_a_panel_for_every_swept_setting_and_the_others_that_differ_with_them(tmp_path: Path):
    page = Page(write_comparison_page(compared(grid(tmp_path / "grid")), tmp_path / "compare.html").read_text())
    captions = [text for _, text in page.all("figcaption")]
    assert captions[:2] == ["lora.name: verified", "trainer.lr: verified"]
    heads = [text for _, text in page.all("th")]
    assert {"lora.r", "lora.alpha"} <= set(heads) and "model.path" not in heads and "seed" not in heads[: heads.index("rate, group")]


def test_every_table_and_figure_has_the_order_of_the_groups(folder: Path, tmp_path: Path):
    found = compared(folder, sort="-verified")
    assert found.order() == ["base", "terminal_only", "assistant"] != [group.name for group in found.groups]
    text = write_comparison_page(found, tmp_path / "compare.html").read_text()
    parts = re.split(r"<table|<tbody|class=\"panels", text)
    orders = [re.findall(r"(?:scope=\"row\"|<figcaption|class=\"group\")>(base|terminal_only|assistant)<", part) for part in parts]
    assert sum(bool(names) for names in orders) >= 5
    for names in filter(None, orders):
        once = list(dict.fromkeys(names))
        assert once == [name for name in found.order() if name in once]
    assert [one.second for one in found.contrasts] == ["terminal_only", "assistant", "terminal_only"]
    by_kind = [line.split(" | ")[1] for line in result_section(found).splitlines() if line.startswith("| held out of the adapter only")]
    assert by_kind == found.order()


def test_many_sentences_leave_the_best_groups_at_the_head(tmp_path: Path, folder: Path):
    found = compared(grid(tmp_path / "grid"))
    best = found.best().name
    assert (
        len(found.sentences()) == 7
        and 0 < len(leading_sentences(found)) < 3
        and all(said.startswith(best) for said in leading_sentences(found))
    )
    assert leading_sentences(compared(folder)) == compared(folder).sentences()
    text = write_comparison_page(found, tmp_path / "compare.html").read_text()
    assert "All 7 sentences" in text and all(said in text for said in found.sentences())


@pytest.mark.exhaustive
def test_thirty_runs_in_128_scenarios_stay_below_a_megabyte(tmp_path: Path):
    scenarios = (*SCENARIOS, *(scenario.model_copy(update={"id": f"{scenario.id}x"}) for scenario in SCENARIOS))
    for at in range(30):
        wins = share(at % 7, 8, scenarios=scenarios)
        run = plant(tmp_path / "sweep" / str(at), wins, {"trainer": {"lr": (at % 6 + 1) / 1000}}, at // 6, scenarios=scenarios)
        (run / "report.html").write_text("x")
        lines = ({"step": step, "train/loss": 1 / (step + 1), "eval/verified": step / 2000} for step in range(1000))
        (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    path = write_comparison_page(compared(tmp_path / "sweep"), tmp_path / "compare.html")
    assert len(Page(path.read_text()).all("a")) > 30 * 128 and path.stat().st_size < 1_000_000
