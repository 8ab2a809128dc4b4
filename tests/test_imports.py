"""The import rules of the package: no cycles, shared packages never import commands, each big dependency has its home packages."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from sekft.__main__ import COMMANDS

PACKAGE = Path(__file__).resolve().parents[1] / "sekft"
TOP = {
    *COMMANDS,
    "api",
    "inspect",
    "sekft",
    "__main__",
}  # what nothing below imports: commands, the library's functions
MAY_IMPORT = {  # command: the commands it may import
    "train": {"eval", "compare", "preview"},
    "compare": {"eval"},
    "chat": {"eval"},
    "resident": {"train"},
    "release": {"eval"},
    "api": {"eval", "train"},
    "inspect": {"api", "eval"},
    "sekft": {"api"},
    "__main__": {"sekft"},
}
HOMES = {  # dependency: the packages, or single modules, that may import it
    "docker": {"sandbox"},
    "torch": {"model", "train", "pretrain", "release.replay"},
    "transformers": {"model", "train", "pretrain", "release.replay", "rendering.pieces"},
    "peft": {"model", "train", "pretrain", "release.replay"},
    "bitsandbytes": {"model", "train", "pretrain"},
    "datasets": {"data", "train"},
    "trl": {"train"},
    "starlette": {"serve", "resident"},
    "uvicorn": {"serve", "resident"},
    "wandb": {"tracking"},
    "openai": {"serve"},
    "httpx2": {"episode", "where"},
    "hydra": {"cli", "config", "api"},
    "ray": {"where"},
    "submitit": {"where"},
    "huggingface_hub": {"where", "model", "data"},
}
Graph = Mapping[str, set[str]]  # module: what it imports; a module of sekft by its full name, anything else as it is written


def read_sources() -> dict[str, str]:
    """The source of every module of sekft by the module's full name; a package counts as the module of its `__init__.py`."""
    sources = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = ("sekft", *path.relative_to(PACKAGE).with_suffix("").parts)
        sources[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text()
    return sources


def build_graph(sources: Mapping[str, str]) -> dict[str, set[str]]:
    """The imports of every module, also those inside functions and under TYPE_CHECKING."""
    graph = {}
    for module, source in sources.items():
        imported: set[str] = set()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert not node.level, f"{module}: a relative import; write its full name"
                names = {f"{node.module}.{alias.name}" for alias in node.names}
                imported |= {name if name in sources else str(node.module) for name in names}
        graph[module] = imported - {module}
    return graph


def package_of(module: str) -> str:
    """The first name below sekft: `model` for `sekft.model.base`."""
    return module.split(".")[1] if "." in module else module


def join_packages(graph: Graph) -> dict[str, set[str]]:
    """The graph of the packages: what any module of a package imports, the package itself left out."""
    joined: dict[str, set[str]] = {}
    for module, imported in graph.items():
        package = package_of(module)
        joined.setdefault(package, set()).update(package_of(name) for name in imported if name in graph and package_of(name) != package)
    return joined


def find_cycle(graph: Graph) -> list[str]:
    """One cycle, its first node repeated at its end; empty if there is none."""
    finished: set[str] = set()

    def visit(node: str, path: list[str]) -> list[str]:
        if node in path:
            return [*path[path.index(node) :], node]
        if node not in finished:
            for following in sorted(graph.get(node, ())):
                if cycle := visit(following, [*path, node]):
                    return cycle
            finished.add(node)
        return []

    return next((cycle for node in sorted(graph) if (cycle := visit(node, []))), [])


def reach(graph: Graph, module: str) -> set[str]:
    """Everything that is imported when this module and all the functions it can call have run."""
    reached, waiting = {module}, [module]
    while waiting:
        following = graph.get(waiting.pop(), set()) - reached
        reached |= following
        waiting += following
    return reached


def find_violations(graph: Graph) -> Iterator[str]:
    """One line for each import that the rules forbid, and one for a cycle between modules and between packages."""
    for kind, part in (("modules", graph), ("packages", join_packages(graph))):
        if cycle := find_cycle(part):
            yield f"a cycle of {kind}: {' -> '.join(cycle)}"
    for module, imported in graph.items():
        package = package_of(module)
        for name in sorted(imported):
            top, other = name.partition(".")[0], package_of(name)
            allowed = {package, *MAY_IMPORT.get(package, ())} if package in TOP else set()
            if top == "sekft" and other in TOP and other not in allowed:
                yield f"{module} imports {name}: {f'{package} may import {allowed}' if allowed else 'shared packages import no command'}"
            if top in HOMES and not {package, module.removeprefix("sekft.")} & HOMES[top]:
                yield f"{module} imports {name}: only {', '.join(sorted(HOMES[top]))} may"
        if package not in TOP and {"torch", "docker"} <= {name.partition(".")[0] for name in reach(graph, module)}:
            yield f"{module} leads to torch and to docker: they meet only in commands"


SOURCES = read_sources()


def test_imports_follow_the_rules():
    assert list(find_violations(build_graph(SOURCES))) == []


@pytest.mark.parametrize(
    ("module", "source", "violation"),
    [
        ("rendering.template", "from sekft.model import base", "a cycle of packages"),
        ("model.base", "from sekft.model.engine import Engine", "a cycle of modules"),
        ("model.base", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from sekft.model import engine", "a cycle of modules"),
        ("scenario.task", "def late():\n    import sekft.train.run", "shared packages import no command"),
        ("eval.score", "from sekft.compare.groups import group", "eval may import {'eval'}"),
        ("report.page", "import torch", "only model, pretrain, release.replay, train may"),
        ("release.card", "import torch", "only model, pretrain, release.replay, train may"),
        ("model.base", "import docker", "only sandbox may"),
        ("eval.run", "def late():\n    from wandb import init", "only tracking may"),
        ("rendering.new", "from sekft.model import base\nfrom sekft.sandbox.backend import docker", "meet only in commands"),
    ],
)
def test_a_planted_import_is_found(module: str, source: str, violation: str):
    planted = SOURCES | {f"sekft.{module}": SOURCES.get(f"sekft.{module}", "") + "\n" + source}
    assert any(violation in line for line in find_violations(build_graph(planted)))


@pytest.mark.parametrize("module", [module for module, source in SOURCES.items() if source.strip()])
def test_every_module_has_a_docstring(module: str):
    assert (ast.get_docstring(ast.parse(SOURCES[module])) or "").split("\n")[0]
