# `make quickstart` and `make test` need python3 (3.11 or newer, with venv) and nothing else.
# TORCH_ARGS chooses torch's build, for example: make quickstart TORCH_ARGS="--index-url URL", see README.
PYTHON ?= python3
TORCH_ARGS ?=
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: quickstart test test-faults test-slow check reference reference-shakespeare reference-python docs clean

quickstart: $(VENV)/.installed
	$(BIN)/msarch search quickstart

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "msarch needs Python 3.11 or newer; name one: make PYTHON=python3.12")'
	@echo "Installing into $(VENV): about a minute, longer with torch's CUDA build."
	$(PYTHON) -m venv $(VENV)
	$(PIP) $(TORCH_ARGS) torch
	$(PIP) --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) --editable '.[dev,benchmarks,hf]'
	touch $@

# One worker a core, a file's tests together, the longest files first (tests/conftest.py says which); one thread each,
# since threads that wait for each other cost more.
WORKERS := -n logical --dist loadfile --no-loadscope-reorder
test test-faults test-slow: export OMP_NUM_THREADS = 1
test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest $(WORKERS)

test-faults: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m faults $(WORKERS)

test-slow: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m slow $(WORKERS)

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The open tables of trained models: hours on one core; the same command resumes. NOVELS is a folder with train/*.txt and
# validation/*.txt, SHAKESPEARE char-rnn's input.txt: see docs/reference-table.md.
reference: $(VENV)/.installed-dev
	$(BIN)/msarch search reference --set corpus.train="$(NOVELS)/train/*.txt" --set corpus.validation="$(NOVELS)/validation/*.txt"
	$(BIN)/python -m benchmarks.seed_noise results/reference

reference-shakespeare: $(VENV)/.installed-dev
	$(BIN)/msarch search reference-shakespeare --set corpus.train="$(SHAKESPEARE)"
	$(BIN)/python -m benchmarks.seed_noise results/reference-shakespeare

reference-python: $(VENV)/.installed-dev
	$(BIN)/msarch search reference-python
	$(BIN)/python -m benchmarks.seed_noise results/reference-python

docs: $(VENV)/.installed-dev
	$(BIN)/python -m search.space.schema.docs > docs/space.md
	$(BIN)/python -m search.results.column_docs docs/python.md
	$(BIN)/python -m search.show.drawing.files docs/architectures

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
