"""One server with a random base and two adapters, shared by all tests that only send requests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sekft.config import Device, ModelConfig, Weights
from sekft.model import base as bases
from sekft.model.base import Base
from tests.serve.server import Running, make_adapter, running


def base_in(folder: Path) -> Base:
    return bases.load(ModelConfig(name="tiny", path=str(folder), weights=Weights.random, device=Device.cpu))


@pytest.fixture
def tiny(babbler: Path) -> Base:
    return base_in(babbler)


@pytest.fixture(scope="session")
def babbling(babbler: Path) -> tuple[str, ...]:
    """Settings of a server with the random base."""
    return f"model.path={babbler}", "model.weights=random"


@pytest.fixture(scope="session")
def adapters(babbler: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = base_in(babbler)
    folder = tmp_path_factory.mktemp("adapters")
    return {"early": make_adapter(base, folder / "early", 1), "v1.2": make_adapter(base, folder / "late", 2, proven=False)}


@pytest.fixture(scope="session")
def server(adapters: dict[str, Path], babbling: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    named = ", ".join(f"{name}: {folder}" for name, folder in adapters.items())
    words = (f"adapter={{{named}}}", "serve.max_body_bytes=100000", "serve.max_messages=64", *babbling)
    with running(tmp_path_factory.mktemp("server"), *words) as one:
        yield one
