# make run   installs what the bot needs, then starts it          make test   runs every test
# make check is the fast gate                                     make help   lists all

SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TRAIN_VENV := .venv-train
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run doctor test check test-slow clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: $(VENV)/.for-run ## start the bot; ARGS="--platform console" and so on
	@$(BIN)/quotesmith run $(ARGS)

doctor: $(VENV)/.for-run ## check settings, database, model and disk
	@$(BIN)/quotesmith doctor

test: $(VENV)/.for-test ## every test but the slow ones
	$(BIN)/python -m pytest tests --ignore=tests/slow

check: $(VENV)/.for-test ## lint, types, layers and the fast tests
	$(BIN)/ruff check .
	$(BIN)/mypy bot model_pipeline benchmarks build_scripts tests
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/unit -q

test-slow: $(TRAIN_VENV)/.for-train ## the tests that need the training extra, or minutes
	$(TRAIN_VENV)/bin/python -m pytest tests/slow

clean: ## remove the environments; compiled wheels stay in the cache
	rm -rf $(VENV) $(TRAIN_VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# What is installed is remembered in files, so that a second start asks nobody. All messages go to standard error:
# standard output belongs to the bot.
$(VENV)/.for-run: pyproject.toml constraints.txt
	@echo "Installing what the bot needs into $(VENV)." >&2
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Quotesmith needs Python 3.11 or newer; make run PYTHON=python3.12 names another one.")' >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) >&2
	@$(BIN)/python build_scripts/install_llama_cpp.py >&2
	@$(PIP) install --constraint constraints.txt --editable . >&2
	@touch $@

$(VENV)/.for-test: $(VENV)/.for-run
	@echo "Installing what the tests need." >&2
	@$(PIP) install --constraint constraints.txt --editable '.[test]' >&2
	@touch $@

$(TRAIN_VENV)/.for-train: pyproject.toml constraints.txt
	@echo "Installing what training needs into $(TRAIN_VENV)." >&2
	@test -x $(TRAIN_VENV)/bin/python || $(PYTHON) -m venv $(TRAIN_VENV) >&2
	@$(TRAIN_VENV)/bin/python build_scripts/install_llama_cpp.py >&2
	@$(TRAIN_VENV)/bin/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable '.[train,test]' >&2
	@touch $@
