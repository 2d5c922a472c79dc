# Alcove's commands. Each works as the first one on a bare machine: it sets up .venv/ when needed.
#   make demo         the whole loop on a synthetic catalogue: before/after report, demo-workspace/
#   make run          the desktop (on demo-workspace/ where `make demo` left one)
#   make test         linters, types, import contracts, tests
#   make bench        speed and quality against the peers, as docs/benchmarks.md quotes them
#   make screenshots  the pictures under docs/screenshots/
#   make clean        everything the commands above made
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -e -o pipefail -c

BIN := .venv/bin
STAMP := .venv/.alcove-setup
DEMO := demo-workspace
# Test processes; each computes on one thread, so this is the number of cores used.
WORKERS ?= 2

.PHONY: help demo run test lint bench screenshots clean setup

help:
	@sed -n 's/^#   //p' Makefile

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt installers/setup.sh installers/system-libraries.sh
	@bash installers/setup.sh
	@touch $@

demo: $(STAMP)
	@headless=--headless; \
	if [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ] || [ "$$(uname)" = Darwin ]; then headless=; fi; \
	$(BIN)/alcove demo $(DEMO) --again $$headless

run: $(STAMP)
	@if [ -f $(DEMO)/workspace.db ]; then $(BIN)/alcove gui $(DEMO); else $(BIN)/alcove gui; fi

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	QT_QPA_PLATFORM=offscreen OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

bench: $(STAMP)
	@for script in tests/benchmarks/[a-z]*.py; do \
		name=tests.benchmarks.$$(basename $$script .py); echo "== $$name"; $(BIN)/python -m $$name; \
	done

screenshots: $(STAMP)
	@[ -f $(DEMO)/workspace.db ] || $(MAKE) demo
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m tests.screenshots $(DEMO) docs/screenshots

clean:
	rm -rf .venv build dist *.egg-info $(DEMO) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
