# `make demo` and `make test` set up all they need on a machine that has Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test test-all versions bench lint clean

help:
	@echo "make demo      analyse a real fleet, reproduce the paper, say where the pictures are"
	@echo "make test      the tests (make test-all: with the long proofs)"
	@echo "make versions  README at the oldest and the newest versions of the dependencies"
	@echo "make bench     time everything against its peers; writes benchmarks/results/"
	@echo "make lint      format, lint and type checks"

$(STAMP): pyproject.toml constraints.txt scripts/setup.sh
	@PYTHON="$(PYTHON)" VENV="$(VENV)" sh scripts/setup.sh
	@touch $@

demo: $(STAMP)
	$(BIN)/benign analyze cruise-control --out out/cruise-control
	$(BIN)/benign check out/cruise-control/*/certificate.json
	$(BIN)/benign reproduce --out out/reproduction
	@echo
	@echo "Pictures of the fleet:  out/cruise-control/*/landscape.png"
	@echo "Pictures of the paper:  out/reproduction/*.png"

# XLA compiles faster than it optimises: `make test` spends its time on answers, `make test-all` runs
# what a user runs.
test: $(STAMP)
	XLA_FLAGS=--xla_backend_optimization_level=0 $(BIN)/python -m pytest -n auto --dist loadfile -m "not slow"

test-all: $(STAMP)
	$(BIN)/python -m pytest -n auto --dist loadfile

versions: $(STAMP)
	$(BIN)/python scripts/versions.py

bench: $(STAMP)
	BIN="$(BIN)" sh scripts/bench.sh

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/pyright

clean:
	rm -rf $(VENV) out .pytest_cache .ruff_cache .hypothesis .import_linter_cache
