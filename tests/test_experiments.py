"""Experiments: a recipe carries its sweep and a page its prediction; the page's commands are those that run and fill it."""

from collections.abc import Iterator
from itertools import product
from math import prod
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from sekft import config
from sekft.cli.settings import conf_folder, settings
from sekft.compare.export import read_page
from sekft.config import commands

FOLDER = conf_folder() / "experiment"
SWEEPS = {"seed_to_weights": 5, "mask_ablation": 16, "data_size": 12, "lr_x_rank": 18, "noisy_references": 9, "panic": 15, "early_base": 6}


@pytest.fixture(autouse=True)
def hydra_here() -> Iterator[None]:
    commands.register()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        yield


def params(name: str) -> dict[str, list[str]]:
    given = compose("train", [f"experiment={name}"], return_hydra_config=True).hydra.sweeper.params
    return {key: str(values).split(",") for key, values in given.items()}


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", SWEEPS)
def test_every_job_of_a_recipe_composes_and_there_are_at_most_18(name: str):
    swept = params(name)
    assert prod(map(len, swept.values())) == SWEEPS[name] <= 18 and next(iter(swept)) == "seed"
    made = set()
    for values in product(*swept.values()):
        words = [f"{key}={value}" for key, value in zip(swept, values, strict=True)]
        job = settings(compose("train", [f"experiment={name}", *words]), config.TrainConfig)
        made.add(str(job))
        assert job.eval.episodes in (64, 128) and job.eval.cache and job.sandbox.backend is config.BackendKind.bwrap
        assert job.scenarios == "test"
    assert len(made) == SWEEPS[name]


@pytest.mark.parametrize("name", SWEEPS)
def test_a_recipe_by_itself_is_the_first_job_of_its_sweep(name: str):
    alone = settings(compose("train", [f"experiment={name}"]), config.TrainConfig)
    first = settings(
        compose("train", [f"experiment={name}", *(f"{key}={values[0]}" for key, values in params(name).items())]), config.TrainConfig
    )
    assert alone == first


@pytest.mark.parametrize("name", SWEEPS)
def test_a_page_names_the_commands_that_run_it_and_fill_it(name: str):
    page = Path(FOLDER / f"{name}.md")
    text = read_page(page)  # with both markers, each once
    assert f"\n    python -m sekft.train -m experiment={name}\n" in text
    assert f"\n    python -m sekft.compare page=experiments/{name}.md" in text
