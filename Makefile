# make demo | make test | make test-fast | make bench | make docs | make lint | make audit
# The first of them makes .venv and installs into it; the others find it there.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Packages that are added to the environment later keep to the constraints too.
PIP_CONF := from pathlib import Path; \
  print("[install]\nconstraint = " + Path("constraints.txt").resolve().as_uri())

# Test workers share the cores, so each one computes on a single thread. Neighbouring tests stay with
# one worker, where they share what they need; and what is compiled once is kept for all processes.
WORKERS ?= auto
PYTEST := OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= \
  $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help demo docs test test-fast bench lint audit install clean

help:
	@echo "make demo       install, then the shipped encoder at work and a short pre-training"
	@echo "make test       install, then run every test"
	@echo "make test-fast  the same without the slow tests"
	@echo "make bench      install, then see that nothing became slower than its floors allow"
	@echo "make docs       install, then build the documentation site into site/"
	@echo "make lint       ruff check, ruff format --check, mypy"
	@echo "make audit      look for known vulnerabilities of what is installed; needs the internet"
	@echo "make clean      remove $(VENV) and the tools' caches"

demo: $(READY)
	$(BIN)/crosscale demo

test: $(READY)
	$(PYTEST)

test-fast: $(READY)
	$(PYTEST) -m "not slow"

bench: $(READY)
	$(BIN)/python -m benchmarks --size small --floor benchmarks/floors/small.json

docs: $(READY)
	$(BIN)/mkdocs build --strict

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

audit: $(READY)
	@$(BIN)/python tests/security/audit.py

install: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "crosscale needs Python 3.11 or newer; say which one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c '$(PIP_CONF)' > $(VENV)/pip.conf
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
