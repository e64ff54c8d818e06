# Everything happens in a virtual environment of its own, .venv, made on first use and again when pyproject.toml changes.
#   make demo      compile, train, search and export the digits network
#   make smoke     one telling test of every part, in some 20 seconds
#   make test      what decides whether a change is good, after `make lint`; `make test-all` adds the slow tests
#   make format    formats what is to be committed; `make lint` checks it, and the types
#   make hooks     lints and formats before every commit
# Needs python3 (3.11 or newer), make and a package index. PIP_ARGS reaches pip, as in PIP_ARGS="--index-url ..."
# where torch should come from an index of smaller, CPU-only builds.

PYTHON   ?= python3
EXTRAS   ?= train,export,tb,dev
PIP_ARGS ?=
WORKERS  ?= 2

BIN   := .venv/bin
STAMP := .venv/installed-$(shell cat pyproject.toml Makefile | cksum | cut -d' ' -f1)
DEMO  := runs/demo/digits
COPIED = specc/runtime/*.py specc/runtime/*/*.py specc/space/*.py specc/portable/*/*.py specc/ops/*/torch.py specc/methods/*/*step*.py specc/outputs/*/task.py

# One thread is as fast as two on such small networks, and does not suffer where cores are shared.
demo smoke test test-all bench: export OMP_NUM_THREADS := 1

.PHONY: setup demo smoke test test-all bench lint format hooks generated clean
.DEFAULT_GOAL := test

setup: $(STAMP)

$(STAMP):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "specc needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1). Name another: make PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || echo "making a virtual environment in .venv"
	@test -x $(BIN)/python || $(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || $(PYTHON) -m pip --version >/dev/null 2>&1 || { \
	  echo "this Python can make no virtual environment: its modules venv and ensurepip are missing." >&2; \
	  echo "On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@test -x $(BIN)/python || { $(PYTHON) -c 'import venv, ensurepip' 2>/dev/null && $(PYTHON) -m venv .venv; } || { \
	  rm -rf .venv && $(PYTHON) -m venv --without-pip .venv && $(PYTHON) -m pip --quiet --python $(BIN)/python install $(PIP_ARGS) pip; } || { \
	  rm -rf .venv; echo "could not make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "installing specc[$(EXTRAS)] and what it needs into .venv (PyTorch is large: some minutes the first time)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check $(PIP_ARGS) -e '.[$(EXTRAS)]'
	@$(BIN)/python -m compileall -q specc
	@rm -f .venv/installed-*
	@touch $@
	@echo "installed"

demo: setup
	@$(BIN)/python -m specc compile specs/digits.specc -o $(DEMO) --force
	@cd $(DEMO) && $(CURDIR)/$(BIN)/python train.py
	@cd $(DEMO) && $(CURDIR)/$(BIN)/python search.py
	@cd $(DEMO) && $(CURDIR)/$(BIN)/python export.py
	@echo "the project, its checkpoint, pareto.json, the picture and the exported network are in $(DEMO)"

smoke: setup
	@$(BIN)/python -m pytest -n 0 tests/test_smoke.py

test: setup
	@$(BIN)/python -m pytest -n $(WORKERS)

test-all: setup
	@HYPOTHESIS_PROFILE=random $(BIN)/python -m pytest -n $(WORKERS) -m 'slow or not slow'

bench: setup
	@$(BIN)/python -m tests.benchmarks

lint: setup
	@$(BIN)/ruff check specc tests
	@$(BIN)/ruff format --check specc tests
	@$(BIN)/ruff format --check --line-length 100 $(COPIED)
	@$(BIN)/mypy

format: setup
	@$(BIN)/ruff check --fix specc tests
	@$(BIN)/ruff format specc tests
	@$(BIN)/ruff format --line-length 100 $(COPIED)

hooks: setup
	@$(BIN)/pre-commit install

# The showcase: the only way in which generated/ is written.
generated: setup
	@$(BIN)/python -m tests.generated --write

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis runs dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
