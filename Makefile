# Two commands for a newcomer: `make demo` (no torch, seconds) and `make test` (everything).
# All of it happens in .venv, at the versions that constraints.txt pins.

SHELL := /bin/bash
VENV  := .venv
BIN   := $(VENV)/bin
PINS  := pyproject.toml constraints.txt

# The first interpreter that is new enough; `make demo PYTHON=/path/to/python3.12` takes another.
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3 python; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)

# The build backend comes in its pinned version too (older pip reads the first variable, newer pip the second).
INSTALL := PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt \
	$(BIN)/python -m pip install -qq --no-input

.PHONY: help demo test slow tutorial lint format bench wheel wheel-check clean
.DEFAULT_GOAL := help

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.core ## install the core and the sample media, then show nearest neighbors (no torch)
	$(BIN)/visfeat demo

test: $(VENV)/.all ## install everything, torch too, and run the tests
	$(BIN)/python -m pytest

slow: $(VENV)/.all ## run the tests that take longer
	$(BIN)/python -m pytest -m slow

tutorial: $(VENV)/.all ## run the commands of the tutorial, the how-to pages, FAQ and notebook, compare what they print
	$(BIN)/python scripts/tutorial.py --check

lint: $(VENV)/.all ## check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.all ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.all ## measure visfeat beside a timm loop on this machine (minutes)
	$(BIN)/python -m benchmarks.images --results benchmarks/results
	$(BIN)/python -m benchmarks.start

wheel: $(VENV)/.all ## build dist/visfeat-*.whl
	rm -rf dist
	$(BIN)/python -m hatchling build -t wheel -d dist

wheel-check: wheel ## install the wheel alone, without torch, and use it from outside the checkout
	$(BIN)/python scripts/check_wheel.py dist/visfeat-*.whl --constraints constraints.txt

clean: ## remove .venv and everything that was built
	rm -rf $(VENV) dist build demo .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

# Stamps: installing happens once, and again when the pins change. The core leaves byte code to the first import:
# that halves its installation.

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "visfeat needs Python 3.11 or newer: make demo PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: $(PINS) | $(BIN)/python
	$(INSTALL) --no-compile -e '.[samples]'
	@touch $@

$(VENV)/.all: $(PINS) | $(BIN)/python
	$(INSTALL) -e '.[all,dev]'
	@touch $(VENV)/.core $@
