# make run   installs what the bot needs, then starts it          make test   runs every test but the slowest
# make check is the fast gate                                     make help   lists all

PYTHON ?= python3
BIN := .venv/bin
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run doctor train test check test-slow clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: .venv/.for-run ## start the bot; ARGS="--platform console" and so on
	@$(BIN)/quotesmith run $(ARGS)

doctor: .venv/.for-run ## try every part once, and say what to do about what fails
	@$(BIN)/quotesmith doctor $(ARGS)

train: .venv-train/.for-train ## install what training needs, some gigabytes, into .venv-train

test: .venv/.for-test .venv-train/.for-train ## every test but the slowest; installs what training needs, some gigabytes
	$(BIN)/python -m pytest tests --ignore=tests/slow
	.venv-train/bin/python -m pytest tests/pipeline "tests/slow/test_recipes.py::test_a_smoke_run_ends_in_a_served_quote[tinyllama-quotes]"

check: .venv/.for-test ## lint, types, layers and the fast tests
	$(BIN)/ruff check .
	$(BIN)/mypy bot model_pipeline benchmarks build_scripts tests
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/unit -q

test-slow: .venv-train/.for-train ## the slowest tests: every recipe from data to a served quote, and the notebook
	.venv-train/bin/python -m pytest tests/slow

clean: ## remove the environments; data and the compiled wheel stay
	rm -rf .venv .venv-train *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# What is installed is remembered in files, so that a second start asks nobody.
.venv/.for-run .venv/.for-test .venv-train/.for-train: pyproject.toml constraints.txt build_scripts/install_llama_cpp.py build_scripts/llama_build.cmake
	@$(PYTHON) build_scripts/environment.py $@
