"""The lint of scenarios: clean ones pass, and every kind of forgeable checker is found by the cheat made for it."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from rich.console import Console

from sekft.check import command as check
from sekft.check.new import example
from sekft.config import BackendKind, CheckConfig, SandboxConfig, SplitConfig
from sekft.config.job import Job
from sekft.episode import trajectory
from sekft.episode.trajectory import Trajectory
from sekft.errors import DataError, ScenarioError, SettingsError
from sekft.scenario import cheat, checker, frozen, library
from sekft.scenario.document import Scenario, write
from tests.conftest import run_command

HONEST = library.make("sort", 0)
TARGET = HONEST.reference[-2].rpartition(" ")[2]
FORGEABLE: Mapping[str, str] = {  # cheat that finds it: the checker
    "nothing": "true",
    "exit": "true",
    "touch": f"[ -e {TARGET} ]",
    "tools": f"PATH=$HOME/.bin:$PATH; cat {TARGET}",
    "link": f"[ -s {TARGET} ]",
    "fill": "! echo room > room.txt",
}


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    return Job(tmp_path_factory.mktemp("check"), "check", "check", (), ())


def settings(**changes: object) -> CheckConfig:
    split = SplitConfig(name="house", held_out=list(frozen.HELD_OUT))
    return CheckConfig(sandbox=SandboxConfig(backend=BackendKind.bwrap), split=split, workers=4, **changes)  # type: ignore[arg-type]


def planted(folder: Path, *checkers: str) -> Path:
    write([HONEST.model_copy(update={"id": f"planted-{n}", "checker": text}) for n, text in enumerate(checkers)], folder)
    return folder


def report(job: Job) -> dict:
    return json.loads((job.folder / "check.json").read_text())


def test_clean_scenarios_pass_every_agent_and_the_speed_is_reported(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    summary = check.run(settings(library="test", episodes=8, repeats=2), job)
    assert summary["faults"] == [] and summary["flaky"] == [] and summary["episodes"] == 8 * 2 * 10
    rows = report(job)["archetypes"]
    assert len(rows) == 8 and all(row["reference"] == row["noisy"] == 2 for row in rows.values())
    assert {row[column] for row in rows.values() for column in cheat.CHEATS} == {0}
    assert all(row["turns"] >= 3 and row["tokens"] > 50 for row in rows.values())
    printed = capsys.readouterr().out
    assert (
        "clean: 8 scenarios: reference 2/2, nothing 0/2 in every one" in printed
        and "0 of 8 scenarios flaky" in printed
        and "/s;" in printed
    )


def test_the_table_and_the_next_commands_are_readable_in_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"family": "text", "scenarios": 6, "blocked": 2, "reference": 18, "noisy": 18, "turns": 5.5, "tokens": 1234}
    rows = {
        "rotated_archives": row | dict.fromkeys(cheat.CHEATS, 0),
        "sort": row | dict.fromkeys(cheat.CHEATS, 0) | {"touch": 3, "link": 1},
    }
    Console(width=80).print(check.table(rows, 3))
    head, first, second = capsys.readouterr().out.splitlines()[-3:]
    assert head.split() == ["archetype", "scenarios", "blocked", "reference", "noisy", "turns", "tokens", "cheats", "accepted"]
    assert first.split() == ["rotated_archives", "6", "2", "18/18", "18/18", "5.5", "1234", "none"]
    assert "touch 3, link 1" in second
    job = Job(Path("run"), "check", None, ("path=my.yaml", "sandbox=bwrap"), ())
    words = check.next_commands(settings(path="my.yaml"), job)
    assert [" ".join(command) for command in words.values()] == [
        "python -m sekft.eval model=tiny scenarios=my.yaml sandbox=bwrap",
        "python -m sekft.collect scenarios=my.yaml sandbox=bwrap",
    ]
    assert check.next_commands(settings(library="test"), job) == {}


def test_every_forgeable_checker_is_found_by_the_cheat_made_for_it(job: Job, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ScenarioError, match=f"{len(FORGEABLE)} of {len(FORGEABLE)} scenarios are at fault; planted-0: nothing 1/1"):
        check.run(settings(path=str(planted(tmp_path, *FORGEABLE.values()))), job)
    faults = {(fault["scenario"], fault["column"]) for fault in report(job)["faults"]}
    assert {(f"planted-{n}", column) for n, column in enumerate(FORGEABLE)} <= faults
    assert "planted-2: touch 1/1" in capsys.readouterr().out


def test_a_new_scenario_is_clean_and_is_not_written_twice(job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check.run(settings(new="mine/my_scenario"), job)
    assert check.run(settings(path="mine"), job)["faults"] == []
    assert json.loads((tmp_path / "mine" / "scenario.schema.json").read_text())["properties"]["checker"]["description"]
    with pytest.raises(SettingsError, match="new=mine/my_scenario.yaml: mine/my_scenario.yaml exists; allowed: the name of a new file"):
        check.run(settings(new="mine/my_scenario.yaml"), job)


def test_a_failure_shows_commands_state_and_what_the_checker_said(job: Job, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (
        example(tmp_path / "one.yaml").replace("sort names.txt > sorted.txt", "cat names.txt > sorted.txt").replace("today)", "today) ((")
    )
    (tmp_path / "one.yaml").write_text(text)
    with pytest.raises(ScenarioError, match="one: provider: its script cannot be read: .*yntax error"):
        check.run(settings(path=str(tmp_path)), job)
    printed = capsys.readouterr().out
    assert "one: reference 0/1: false_exit" in printed and "$ ledger today    [status 2]" in printed
    assert re.search(r"644 agent +22 sorted.txt", printed) and "the checker (status 1):\n  sorted.txt: not the names in order" in printed
    assert (job.folder / "failures.txt").read_text().startswith("one: reference 0/1")


def test_a_failing_reference_and_a_flaky_reference_are_faults(job: Job, tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"planted-0: reference 0/2: false_exit"):
        check.run(settings(path=str(planted(tmp_path, "false")), repeats=2), job)
    chance = HONEST.model_copy(update={"id": "chance", "reference": ("cat /proc/sys/kernel/random/uuid", *HONEST.reference)})
    write([chance], tmp_path / "shaky")
    with pytest.raises(ScenarioError, match="chance: flaky 2/2: the same replies gave different episodes"):
        check.run(settings(path=str(tmp_path / "shaky"), repeats=2), job)


def test_too_many_unworkable_scenarios_are_a_fault() -> None:
    stuck = [library.make(name, index) for name in ("copy", "sort", "grep", "head") for index in range(3, 32, 4)]
    assert check.too_many_unworkable(stuck) == []
    assert check.too_many_unworkable([scenario for scenario in stuck if check.is_unworkable(scenario)])[0].column == "unworkable"


def test_one_archetype_can_be_checked_by_its_name() -> None:
    scenarios = check.choose_scenarios(settings(library="copy"))
    assert {scenario.archetype for scenario in scenarios} == {"copy"} and len({scenario.axes.blocker for scenario in scenarios}) == 7
    with pytest.raises(ScenarioError, match="library=juggle: allowed: train, .* or append, "):
        check.choose_scenarios(settings(library="juggle"))


def episodes(*scenarios: Scenario) -> list[Trajectory]:
    from sekft.config import EvalConfig
    from sekft.episode.agent import reference
    from sekft.episode.play import play
    from sekft.sandbox import choose

    backend = choose.backend(SandboxConfig(backend=BackendKind.bwrap))
    return [play(scenario, reference(scenarios), backend, EvalConfig(max_turns=16)) for scenario in scenarios]


def test_training_data_is_searched_for_text_of_the_evaluation(job: Job, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clean, leaking = tmp_path / "clean.jsonl", tmp_path / "leaking.jsonl"
    learned, evaluated = library.make("copy", 0), frozen.scenarios()[5]
    trajectory.write(episodes(learned), clean)
    trajectory.write(episodes(learned, evaluated), leaking)
    check.run(settings(trajectories=str(clean)), job)
    printed = capsys.readouterr().out
    assert "0 paths, 0 provider names, 0 directive sentences" in printed and frozen.SHA256[:16] in printed
    with pytest.raises(DataError, match=r"leaking.jsonl: .*[1-9]\d* paths .*[1-9]\d* provider names"):
        check.run(settings(trajectories=str(leaking)), job)


def test_a_fault_is_one_line_and_a_nonzero_exit_status(tmp_path: Path) -> None:
    planted(tmp_path / "scenarios", checker.script([checker.gone("nowhere.txt")]))
    done = run_command("check", "path=scenarios", "sandbox=bwrap", cwd=tmp_path)
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert done.returncode == 1 and len(lines) == 1 and "planted-0: nothing 1/1" in lines[0]


def test_the_lingering_process_would_do_the_work_if_it_were_left_alive() -> None:
    from sekft.config import EvalConfig
    from sekft.episode.agent import scripted
    from sekft.episode.play import play
    from sekft.sandbox import choose

    # Typed in the episode itself, as the sandbox leaves nothing alive when it starts its own: a checker that waits for the work.
    look = f"cat > .check <<'LOOK'\nn=0; until [ -s {TARGET} ] || [ $n -ge 40 ]; do n=$((n + 1)); sleep 0.2; done\n{HONEST.checker}LOOK"
    replies = (cheat.linger(HONEST)[0], "sleep 0.5", look, "timeout 9 sh .check; echo passed: $?", "exit")
    episode = play(HONEST, scripted([HONEST], replies), choose.backend(SandboxConfig(backend=BackendKind.bwrap)), EvalConfig(max_turns=16))
    assert "passed: 0" in episode.messages[-2].content
