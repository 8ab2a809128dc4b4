"""The page of an evaluation: complete, bounded, explicit about what it leaves out, usable without mouse, colour vision or network."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from sekft.config import EvalConfig
from sekft.episode.trajectory import Trajectory
from sekft.eval import score
from sekft.eval.about import About
from sekft.eval.asciicast import write_casts
from sekft.eval.measures import LETTERS
from sekft.eval.page import write_eval_page
from sekft.eval.summary import TextLoss
from sekft.report import page as report_page
from tests.eval.planted import agent, episode
from tests.eval.test_score import GAIN, SCENARIOS, N, agents

KIT = (report_page.KIT / "kit.html.jinja").read_text()
NEEDS_NO_END = {"meta", "path", "circle", "rect", "br", "line", "input"}


class Page(HTMLParser):
    """Elements in order, with their attributes and their text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[int, str] = {}
        self.open: list[tuple[str, int]] = []
        self.faults: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in NEEDS_NO_END:
            self.open.append((tag, len(self.elements) - 1))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop()[0] != tag:
            self.faults.append(f"</{tag}> closes nothing at line {self.getpos()[0]}")

    def handle_data(self, data: str) -> None:
        for _, at in self.open:
            self.texts[at] = self.texts.get(at, "") + data

    def all(self, *tags: str) -> list[tuple[dict[str, str | None], str]]:
        return [(attrs, self.texts.get(at, "").strip()) for at, (tag, attrs) in enumerate(self.elements) if tag in tags]


def drawn(folder: Path, episodes: dict[str, list[Trajectory]], limits: EvalConfig | None = None) -> str:
    scored = score.score(episodes, SCENARIOS, limits or EvalConfig())
    path = write_eval_page(episodes, SCENARIOS, scored, write_casts(episodes, scored, folder / "episodes"), folder / "report.html")
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    return drawn(tmp_path_factory.mktemp("page"), agents(tuned=GAIN))


def test_every_element_is_closed_and_every_id_is_there_once(page: str):
    parsed = Page(page)
    ids = [attrs["id"] for _, attrs in parsed.elements if "id" in attrs]
    assert parsed.faults == [] and parsed.open == [] and len(ids) == len(set(ids))


def test_losses_on_a_text_are_a_table_only_where_they_were_measured(page: str, tmp_path: Path):
    prose = {"sha256": "ab" * 32, "tokens": 800, "unigram": 5.5, "nats_per_token": {"base": 2.0, "tuned": 2.125}}
    scored = score.score(episodes := agents(tuned=GAIN), SCENARIOS, EvalConfig(), losses={"prose": TextLoss(**prose)})
    shown = write_eval_page(episodes, SCENARIOS, scored, [], tmp_path / "report.html").read_text(encoding="utf-8")
    assert {"2.000", "2.125", "800", "abababababababab"} <= {text for _, text in Page(shown).all("td")}
    assert "Loss on a text" in shown and "Loss on a text" not in page and not Page(shown).faults


def test_nothing_is_fetched_and_the_only_script_is_the_filter_of_the_page(page: str):
    parsed = Page(page)
    links = [value for _, attrs in parsed.elements for key, value in attrs.items() if key in ("href", "src", "action", "data")]
    assert all(link and (link.startswith("#") or re.fullmatch(r"episodes/[\w.-]+\.cast", link)) for link in links)
    assert not parsed.all("link", "img", "iframe") and "url(" not in page and "@import" not in page
    assert [attrs for attrs, _ in parsed.all("script")] == [{}] and not any(
        key.startswith("on") for _, attrs in parsed.elements for key in attrs
    )
    assert [attrs["id"] for attrs, _ in parsed.all("form") if "hidden" in attrs] == ["filter"]  # without the script there is none


def test_headings_go_down_one_step_at_a_time_from_one_h1(page: str):
    levels = [int(tag[1]) for tag, _ in Page(page).elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))


def test_every_picture_table_and_scrolling_region_has_a_name(page: str):
    parsed = Page(page)
    assert all(attrs.get("role") == "img" and attrs.get("aria-label") for attrs, _ in parsed.all("svg")) and parsed.all("svg")
    assert all(attrs.get("scope") in ("col", "row", "rowgroup") for attrs, _ in parsed.all("th"))
    regions = [attrs for attrs, _ in parsed.all("div") if attrs.get("class") == "wide"]
    assert len(regions) == len(parsed.all("table")) and all(attrs["tabindex"] == "0" and attrs["aria-label"] for attrs in regions)
    assert all(text for _, text in parsed.all("th", "a", "summary", "h1", "h2", "h3", "h4"))


def test_the_first_thing_the_keyboard_reaches_skips_to_the_scenarios_and_every_letter_leads_to_one(page: str):
    parsed = Page(page)
    first, text = parsed.all("a")[0]
    ids = {attrs["id"] for _, attrs in parsed.elements if "id" in attrs}
    assert first["href"] == "#scenarios" and "Skip" in text and ":focus-visible" in page
    assert {attrs["href"] for attrs, _ in parsed.all("a") if (attrs["href"] or "").startswith("#")} <= {f"#{name}" for name in ids}
    assert {text for attrs, text in parsed.all("a") if attrs.get("class") in LETTERS} == {"W", "L", "B", "N"} - {"L"}


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Of WCAG 2."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_can_be_read_on_every_ground_in_both_themes(theme: int):
    palette = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", re.findall(r":root \{.*?\}", KIT, re.S)[theme]))
    grounds = ("good", "bad", "even", "none", "doubt", "paper", "panel")
    pairs = [("ink", ground) for ground in grounds]
    pairs += [(text, ground) for text in ("faint", "link", "typed") for ground in ("paper", "panel")]
    found = {pair: contrast(palette[pair[0]], palette[pair[1]]) for pair in pairs}
    assert min(found.values()) >= 4.5, found
    assert all(contrast(palette[mark], palette["paper"]) >= 3 for mark in ("mark", "other", "faint"))


def test_the_page_shows_verdict_reasons_baselines_matrix_and_both_episodes_from_where_they_part(page: str):
    text = " ".join(Page(page).texts[0].split())
    for said in (
        "promote",
        "better by 62",
        "Trivial baselines",
        "never found directive",
        "loop",
        "false exit",
        "Both episodes begin like this:",
    ):
        assert said in text, said
    assert page.count('<details class="scenario"') == page.count("<details>") == N and "&lt;NOTICE&gt;" in page and "<NOTICE>" not in page


def test_the_page_begins_with_the_run_and_base_against_tuned_and_then_gives_the_verdict(tmp_path: Path):
    episodes, about = agents(tuned=GAIN), About({"run": "outputs/7", "data": "mine: 5 rows of m.jsonl", "command": "python -m sekft.train"})
    scored = score.score(episodes, SCENARIOS, EvalConfig())
    text = write_eval_page(episodes, SCENARIOS, scored, [], tmp_path / "report.html", about).read_text(encoding="utf-8")
    page = Page(text)
    said = [
        "outputs/7",
        "mine: 5 rows",
        ">verified</h3>",
        ">terminated</h3>",
        ">false panic</h3>",
        'class="verdict promote"',
        "python -m sekft.train",
    ]
    assert sorted(said, key=text.index) == said and page.faults == []
    bars = [attrs["aria-label"] for attrs, _ in page.all("svg") if attrs.get("width") == "100%"]
    rate = scored.agents["tuned"].rates["verified"]
    assert bars[:2] == [
        f"verified, {agent}: {own.k} of {N}, between {100 * own.low:.0f} and {100 * own.high:.0f} percent"
        for agent, own in (("base", scored.agents["base"].rates["verified"]), ("tuned", rate))
    ]
    assert f'width="{100 * rate.rate:.1f}%"' in text and f'x1="{100 * rate.low:.1f}%" x2="{100 * rate.high:.1f}%"' in text


def test_every_mark_is_on_its_axis(page: str):
    drawn = re.findall(r'<svg class="interval".*?</svg>', page, re.S)
    assert drawn
    for one in drawn:
        axis = float(re.findall(r'class="axis" d="M5 (\d+)H', one)[0])
        marks = [float(y) for y in re.findall(r'cy="([\d.]+)"', one)]
        marks += [float(y) + 4 for y in re.findall(r'<rect[^>]* y="([\d.]+)"', one)]
        marks += [float(y) for y in re.findall(r'class="range \w+" d="M[\d.-]+ (\d+)H', one)]
        assert marks and set(marks) == {axis}, one


def test_a_baseline_that_meets_a_critical_criterion_is_explained_beside_it(tmp_path: Path):
    episodes = agents(tuned=GAIN)
    episodes["exit"] = [episode(one.id, one.archetype, False, one.terminal.value, "exit", agent="exit") for one in SCENARIOS]
    gate = {"terminated": {"tier": "critical", "rule": "up"}}
    row = next(
        row for row in re.findall(r"<tr>.*?</tr>", drawn(tmp_path, episodes, EvalConfig(gate=gate)), re.S) if ">terminated up<" in row
    )
    assert f"The baseline exit, which types exit at once, reaches {N}/{N}: meeting this criterion needs no skill." in row
    assert f"The gate asks for verified as well, where exit reaches 0/{N}." in row


def test_a_strip_names_every_turn_and_outcomes_can_be_filtered(page: str):
    strips = [attrs["aria-label"] or "" for attrs, _ in Page(page).all("span") if attrs.get("class") == "strip" and "aria-label" in attrs]
    assert any(strip.startswith("read the directives") and strip.endswith("exited") for strip in strips)
    assert "looked around 2 times" in " ".join(strips)
    outcomes = [attrs["data-outcomes"] for attrs, _ in Page(page).all("details") if attrs.get("class") == "scenario"]
    offered = {attrs["value"] for attrs, _ in Page(page).all("option")}
    assert len(outcomes) == N and {one for pair in outcomes for one in pair.split()} == offered - {""}


def test_what_an_episode_typed_cannot_become_markup_of_the_page(tmp_path: Path):
    episodes = agents(tuned=GAIN)
    nasty = (("<script>alert(1)</script>", "</pre></details><img src=x onerror=y>\n$ "),)
    first = episodes["tuned"][0]
    episodes["tuned"][0] = episode(first.scenario_id, first.archetype, False, first.meta["terminal"], turns=nasty, agent="tuned")
    episodes["tuned"][0] = episodes["tuned"][0].model_copy(update={"reason": "<b>" * 9999})
    text = drawn(tmp_path, episodes)
    assert "&lt;b&gt;" * 50 in text and "&lt;b&gt;" * 60 not in text
    assert text.count("<script>") == 1 and "<img" not in text and Page(text).faults == []


def test_a_large_evaluation_stays_below_five_megabytes_and_names_what_it_left_out(tmp_path: Path):
    flood = (("cat big", "&" * 4096 + "\n$ "),) * 16
    episodes = {
        name: [
            episode(one.scenario_id, one.archetype, one.kept, one.meta["terminal"], turns=flood, agent=name)
            for one in agents(tuned=GAIN)[name]
        ]
        for name in ("base", "tuned", "reference")
    }
    twice = (*SCENARIOS, *(scenario.model_copy(update={"id": f"{scenario.id}x"}) for scenario in SCENARIOS))
    episodes = {
        name: [*own, *(one.model_copy(update={"scenario_id": f"{one.scenario_id}x"}) for one in own)] for name, own in episodes.items()
    }
    scored = score.score(episodes, twice, EvalConfig())
    path = write_eval_page(episodes, twice, scored, [], tmp_path / "report.html")
    assert len(twice) == 128 and path.stat().st_size < 5_000_000
    assert re.search(r"\d+ characters of long transcripts were left out", path.read_text())


def test_a_base_alone_and_several_attempts_are_drawn_too(tmp_path: Path):
    alone = drawn(tmp_path / "a", {name: played for name, played in agents().items() if name != "exit"})
    assert "the base alone" in alone and "unmeasured" in alone and "Trivial baselines" not in alone and Page(alone).faults == []
    again = {
        name: [*played, *(one.model_copy(update={"id": f"{one.id}2"}) for one in played)] for name, played in agents(tuned=GAIN).items()
    }
    twice = drawn(tmp_path / "b", again)
    assert "pass@2" in twice and "Of several attempts at one scenario the first is shown." in twice and Page(twice).faults == []


def test_several_adapters_each_have_their_verdict(tmp_path: Path):
    episodes = agents(tuned=GAIN)
    episodes["other"] = agent("other", SCENARIOS, [False] * N)
    text = " ".join(Page(drawn(tmp_path, episodes)).texts[0].split())
    assert "Every adapter" in text and "tuned: promote" in text and "other: hold (worse than the base)" in text
