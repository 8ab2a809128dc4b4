# For a fresh Debian or Ubuntu machine: every target installs what it needs first. `make help` lists the targets.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest
# three workers, as tests wait for sandboxes and processes of their own; tests that share a server or a training stay on one of them
SHARED := -n 3 --dist loadgroup

.PHONY: help setup venv engine demo test test-all test-more fast lint lock clean

help:       ## list the targets
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

demo: setup ## train the embedded base, evaluate it and write the page (experiments/demo.yaml); minutes
	$(BIN)/python -m sekft.train experiment=demo

test: setup lint ## lint, and the tests that a change should pass; ten to fifteen minutes on two cores
	$(PYTEST) $(SHARED) -m "not exhaustive"

test-all: test test-more ## all tests

test-more: setup ## what test leaves out: every backend, attack, signal, kill and template; more examples of each property
	$(PYTEST) $(SHARED) -m "exhaustive or hypothesis" --hypothesis-profile=thorough

fast: venv  ## the tests that need no container engine and take less than ten seconds each
	$(PYTEST) $(SHARED) -m "not docker and not slow and not exhaustive"

lint: venv  ## ruff and mypy
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

setup: venv engine

venv: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	@sh scripts/venv.sh $(PYTHON) $(VENV)
	@touch $@

engine:     ## make sure that a container engine answers, or bubblewrap works
	@sh scripts/engine.sh

lock: venv  ## pin the newest versions that pyproject.toml allows in constraints.txt, for every platform
	$(BIN)/pip install -q uv && $(BIN)/uv pip compile --universal --extra dev --python-version 3.11 --upgrade pyproject.toml -o constraints.txt

clean:      ## remove the virtual environment and all run directories
	rm -rf $(VENV) outputs/[!.]*
