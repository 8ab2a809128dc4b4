# Two commands for a fresh Debian or Ubuntu machine: `make demo` and `make test`. Both set up what they need.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: help setup venv engine demo test fast lint lock clean

help:       ## what can be made
	@grep -E '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

demo: setup ## train the tiny model and evaluate it in containers (experiments/demo.yaml)
	$(BIN)/python -m sekft.train experiment=demo

test: setup lint ## every test that this machine can run
	$(BIN)/python -m pytest -n 2 --dist loadgroup

fast: venv  ## the tests that need no engine and no patience
	$(BIN)/python -m pytest -m "not docker and not slow"

lint: venv  ## ruff and mypy
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

setup: venv engine

venv: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	@sh scripts/venv.sh $(PYTHON) $(VENV)
	@touch $@

engine:     ## a container engine that answers, or bubblewrap
	@sh scripts/engine.sh

lock: venv  ## pin the dependencies anew, for every platform
	$(BIN)/pip install -q uv && $(BIN)/uv pip compile --universal --extra dev --python-version 3.11 --upgrade pyproject.toml -o constraints.txt

clean:      ## remove the virtual environment and all run directories
	rm -rf $(VENV) outputs/[!.]*
