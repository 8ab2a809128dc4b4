"""One server with the base of model=tiny and two adapters, for all tests that only ask."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sekft.config import Device, ModelConfig
from sekft.model import base as bases
from sekft.model.base import Base
from tests.serving.server import Running, make_adapter, running


@pytest.fixture
def tiny() -> Base:
    return bases.load(ModelConfig(name="tiny", path="sekft:tiny", device=Device.cpu))


@pytest.fixture(scope="session")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = bases.load(ModelConfig(name="tiny", path="sekft:tiny", device=Device.cpu))
    folder = tmp_path_factory.mktemp("adapters")
    return {"early": make_adapter(base, folder / "early", 1), "v1.2": make_adapter(base, folder / "late", 2, proven=False)}


@pytest.fixture(scope="session")
def server(adapters: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    named = ", ".join(f"{name}: {folder}" for name, folder in adapters.items())
    with running(tmp_path_factory.mktemp("server"), f"adapter={{{named}}}", "serve.max_body_bytes=100000", "serve.max_messages=64") as one:
        yield one
