"""What is answered before any work begins imports nothing that is slow to import: what is imported is asserted, not the time."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sekft.__main__ import COMMANDS
from sekft.eval.size import GPU_NODES

ROWS = '{"messages": [{"role": "user", "content": "$ "}, {"role": "assistant", "content": "exit"}]}\n'
SLOW = {"torch", "transformers", "trl", "peft", "datasets", "pandas", "docker", "wandb", "ray"}
LIBRARIES = {"numpy", "scipy", "pydantic", "jinja2", "tokenizers", "pyarrow", "openai"} | SLOW  # what a typo does not need either
GPU = any(Path(node).exists() for node in GPU_NODES)  # there torch has to tell its memory before an evaluation is planned
SCRIPT = f"""
import importlib, io, json, sys
from contextlib import redirect_stderr, redirect_stdout
def imported(stage):
    print(json.dumps([stage, sorted({{name.partition(".")[0] for name in sys.modules}} & {LIBRARIES!r})]))
def run(command, *words):
    sys.argv, told = [command, *words], io.StringIO()
    with redirect_stdout(told), redirect_stderr(told):
        try:
            importlib.import_module(f"sekft.{{command}}.__main__").main()
        except SystemExit:
            pass
    return told.getvalue()
for command in {[*COMMANDS]!r}:
    importlib.import_module("sekft.status" if command == "status" else f"sekft.{{command}}.__main__")
imported("commands")
assert "trainer.lrr" in run("train", "trainer.lrr=1")
imported("typo")
assert "data.path=mine.jsonl" in run("train", "data=mine.jsonl")
imported("file as a source")
assert "epochs" in run("train", "--help")
imported("help")
assert "no run there" in run("release", "do=promote", "run=nowhere")
assert "not released" in run("release", "do=promote", "run=run")
imported("release")
assert "1 rows" in run("preview", "data.path=mine.jsonl")
imported("preview")
for command in {("serve", "chat") if GPU else ("serve", "chat", "train", "eval")!r}:
    assert "adapter=nowhere: " in run(command, "adapter=nowhere")
assert "nope.jsonl: no such file" in run("train", "data.path=nope.jsonl", "eval.episodes=0")
imported("no such file")
"""


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The libraries that a fresh interpreter has imported by the end of each stage."""
    folder = tmp_path_factory.mktemp("door")
    (folder / "mine.jsonl").write_text(ROWS)
    (folder / "run").mkdir()
    record = {"schema_version": 2, "command": "train", "settings": {"model": {"name": "tiny", "path": "sekft:tiny"}}}
    (folder / "run" / "run.json").write_text(json.dumps(record))
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=folder, capture_output=True, text=True, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    return {stage: set(names) for stage, names in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("stage", ["commands", "typo", "file as a source", "help"])
def test_a_command_line_is_answered_before_any_library_is_imported(imported: dict[str, set[str]], stage: str):
    assert imported[stage] == set()


@pytest.mark.parametrize("stage", ["release", "preview", "no such file"])
def test_a_refusal_and_a_preview_import_nothing_slow(imported: dict[str, set[str]], stage: str):
    assert imported[stage] & SLOW == set()
