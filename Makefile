# Everything a person types. `make demo` and `make test` do their own set-up; nothing has to be installed by hand.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SERVE ?= 1

.DEFAULT_GOAL := help
.PHONY: help demo test check slow bench readme clean

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ": make PYTHON=/path/to/python3.11 ...")'
	@echo "installing into $(VENV) (a few minutes the first time)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt setuptools torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-build-isolation -e '.[dev]'
	@touch $@

demo: $(VENV)/.ready  ## sample data to served recommendations (SERVE=0 stops before serving)
	$(BIN)/recsys demo $(if $(filter 0,$(SERVE)),--no-serve)

test: check  ## set-up, lint, types, import contracts, tests
	$(BIN)/python -m pytest -m 'not slow'

check: $(VENV)/.ready  ## lint, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

slow: $(VENV)/.ready  ## the slow proofs (minutes)
	$(BIN)/python -m pytest -m slow

bench: $(VENV)/.ready  ## the benchmarks, each printing a ratio
	$(BIN)/recsys bench matrix

readme: $(VENV)/.ready  ## write the generated parts of README.md and docs/files.md
	$(BIN)/python docs/readme.py

clean:  ## remove the environment and everything generated
	rm -rf $(VENV) build dist *.egg-info var
