# Every target sets up what it needs, from a bare Python >= 3.11 and git: nothing is installed
# outside this folder. `make PYTHON=/path/to/python3.12 …` chooses the interpreter.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# Not on the make of macOS, where the parts of `check` may mix their lines.
SYNC := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

export PYTHON ?=
UV := .tools/uv/bin/uv
BIN := .venv/bin
# Most tests wait for what they have started; a file's own tests stay on one worker.
WORKERS ?= 2
SOURCES := src tests scripts docs/conf.py $(wildcard bench examples)
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command 'make lock'

.PHONY: help demo test coverage check bench soak docs lock format errors-reference reference changelog clean
.PHONY: setup bytecode packages
.PHONY: check-format check-lint check-types check-imports check-spelling check-tests

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup bytecode packages ## train on a local cloud, lose the instance half-way, resume, compare the weights
	$(BIN)/python -m scripts.demo

check: setup ## format, lint, types, layers, spelling, unit and property tests: under a minute
	@$(MAKE) -j4 -k $(SYNC) check-format check-lint check-types check-imports check-spelling \
		check-tests

test: setup bytecode packages .venv-awscli/.synced ## every test but the soak
	HYPOTHESIS_PROFILE=full $(BIN)/pytest tests -m 'not soak' -n $(WORKERS) --dist loadfile

coverage: setup bytecode packages .venv-awscli/.synced ## the same, and which lines they ran
	@mkdir -p build/coverage
	HYPOTHESIS_PROFILE=full $(BIN)/pytest tests -m 'not soak' --cov --cov-report=term \
		--cov-report=html:build/coverage/html

bench: setup bytecode .venv-bench/.synced ## measure against peers, by ratio, in one run (BENCH=--short)
	$(BIN)/python -m bench $(BENCH)

soak: setup bytecode ## faults for a long time (SEED=… has one disturbed training again)
	HYPOTHESIS_PROFILE=soak $(BIN)/pytest -m soak --timeout=0 \
		$(if $(SEED),tests/chaos/test_random_faults.py,tests/chaos tests/localcloud)

docs: .venv-docs/.synced ## build the documentation into build/docs; a warning is an error
	.venv-docs/bin/sphinx-build -W --keep-going -q -b html docs build/docs
	@echo 'build/docs/index.html'

format: setup ## write what `make check` would ask for
	$(BIN)/ruff check --fix-only --quiet $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

errors-reference: setup ## write docs/reference/errors.md anew
	$(BIN)/python scripts/errors_reference.py

reference: setup ## write the pages of docs/reference that are made from the code anew
	$(BIN)/python -m scripts.reference

changelog: setup ## show what the fragments in changelog.d will become
	$(BIN)/towncrier build --draft

clean: ## remove all that make has made
	rm -rf .tools .venv .venv-awscli .venv-bench .venv-docs build dist .coverage .hypothesis \
		.import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ---------------------------------------------------------------- the parts of check

check-format: setup
	$(BIN)/ruff format --check --quiet --diff $(SOURCES)
check-lint: setup
	$(BIN)/ruff check --quiet $(SOURCES)
check-types: setup
	$(BIN)/mypy --no-error-summary
check-imports: setup
	$(BIN)/lint-imports --no-logo
check-spelling: setup
	$(BIN)/codespell
check-tests: setup
	HYPOTHESIS_PROFILE=quick $(BIN)/pytest tests/unit tests/property -q -m 'not slow'

# ---------------------------------------------------------------- set-up

setup: .venv/.installed

packages:
	@scripts/packages.sh

# Developers may have PYTHONDONTWRITEBYTECODE set; start-up times are those of compiled code.
bytecode: setup
	@$(BIN)/python -m compileall -q src

.tools/.bootstrapped: requirements/uv.txt scripts/bootstrap.sh
	scripts/bootstrap.sh
	@touch $@

# An environment of its own: the AWS command line pins the botocore that it speaks with.
.venv/.synced .venv-docs/.synced .venv-bench/.synced .venv-awscli/.synced: .tools/.bootstrapped
	@test -x $(@D)/bin/python || $(UV) venv --quiet --clear --python "$$(cat .tools/python)" $(@D)
	VIRTUAL_ENV=$(@D) $(UV) pip sync --quiet --require-hashes --compile-bytecode $(LOCK)
	@touch $@
.venv/.synced: LOCK := requirements/dev.txt
.venv/.synced: requirements/dev.txt
.venv-docs/.synced: LOCK := requirements/docs.txt
.venv-docs/.synced: requirements/docs.txt
.venv-bench/.synced: LOCK := requirements/bench.txt
.venv-bench/.synced: requirements/bench.txt
.venv-awscli/.synced: LOCK := requirements/awscli.txt
.venv-awscli/.synced: requirements/awscli.txt

.venv/.installed: .venv/.synced pyproject.toml
	VIRTUAL_ENV=$(@D) $(UV) pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

# ---------------------------------------------------------------- locks

lock: .tools/.bootstrapped ## resolve requirements/*.in anew, with hashes and for every platform
	cd requirements && for one in 'base ../pyproject.toml' 'uv uv.in -c base.txt' \
		'examples examples.in' 'dev ../pyproject.toml dev.in -c base.txt -c examples.txt' \
		'docs ../pyproject.toml docs.in -c base.txt' 'bench bench.in' \
		'awscli awscli.in'; do \
		set -- $$one; name=$$1; shift; \
		echo "requirements/$$name.txt"; \
		../$(COMPILE) $(UPGRADE) "$$@" -o "$$name.txt"; \
	done
	@! grep -nE '[a-z]+://' requirements/*.txt
