"""The house: imports go down only, each big dependency has one home, nothing grows over what a reader can hold."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "sekft"
ROWS = {
    "config": 0, "errors": 0,
    "rendering": 1, "scenario": 1, "sandbox": 1, "tracking": 1,
    "rollout": 2, "mask": 2, "model": 2, "serving": 2,
    "corpus": 2,
    "data": 3, "test": 3, "factory": 3, "pretraining": 3,
    "training": 4, "report": 4, "jobs": 4, "promotion": 4, "where": 4,
    "command": 5, "teaching": 6,
}  # fmt: skip
HOMES = {
    "docker": {"sandbox"},
    "torch": {"model", "training", "pretraining"},
    "transformers": {"model", "training", "pretraining"},
    "peft": {"model", "training"},
    "bitsandbytes": {"model", "training"},
    "datasets": {"data", "training"},
    "trl": {"training"},
    "starlette": {"serving", "jobs"},
    "uvicorn": {"serving", "jobs"},
    "wandb": {"tracking"},
    "openai": {"serving"},
    "httpx2": {"serving", "command"},
    "hydra": {"command", "config"},
    "ray": {"where"},
    "submitit": {"where"},
    "huggingface_hub": {"data", "model", "where"},
}
COMMANDS = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "config", "errors"}
MODULES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports_of(source: str) -> set[str]:
    """Every module a source imports when it runs, also inside functions; not what only a type checker sees."""
    names: set[str] = set()
    tree = ast.parse(source)
    hidden = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def faults_of(room: str, imports: set[str]) -> list[str]:
    """What of a room's imports the house forbids."""
    faults = []
    for name in sorted(imports):
        top, *rest = name.split(".")
        if top == "sekft" and rest and room not in COMMANDS:
            other = rest[0]
            if other in COMMANDS or (other != room and ROWS[other] >= ROWS[room]):
                faults.append(f"{room} (row {ROWS[room]}) imports {name} (row {ROWS.get(other, 'verb')})")
        if top in HOMES and room not in HOMES[top]:
            faults.append(f"{room} imports {name}; its home is {', '.join(sorted(HOMES[top]))}")
    return faults


def test_every_room_has_a_row():
    rooms = {room_of(path) for path in MODULES} - COMMANDS - {"__init__"}
    assert rooms <= set(ROWS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down_only_and_dependencies_stay_at_home(path: Path):
    assert faults_of(room_of(path), imports_of(path.read_text())) == []


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("rendering", "from sekft.model import base"),
        ("rendering", "import torch"),
        ("sandbox", "from sekft.scenario.document import Scenario"),
        ("model", "import docker"),
        ("model", "from sekft.episode.trajectory import Trajectory"),
        ("test", "from sekft.eval import evaluate"),
        ("test", "def late():\n    import wandb"),
        ("train", "import torch"),
    ],
)
def test_a_planted_import_is_found(room: str, source: str):
    assert faults_of(room, imports_of(source))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_is_over_300_lines_and_no_function_over_40(path: Path):
    source = path.read_text()
    assert source.count("\n") <= 300
    long = [
        f"{node.name}: {node.end_lineno - node.lineno + 1}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and node.end_lineno and node.end_lineno - node.lineno + 1 > 40
    ]
    assert long == []


@pytest.mark.parametrize("path", [path for path in MODULES if path.read_text().strip()], ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_module_opens_with_what_it_answers_for(path: Path):
    assert (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n")[0]
