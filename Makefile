# `make demo` and `make test` set up everything they need; the rest is for those who work on the code.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test lint format pictures benchmarks clean

demo: .venv/product ## reconstruct pymatgen's 288 AFLOW prototypes: table, CIFs and a page to look at
	$(BIN)/xtalcodec reconstruct aflow-prototypes --out demo/cifs --json demo/summary.json --html demo/index.html --workers 2

test: .venv/development ## everything, warnings as errors
	$(BIN)/pytest

lint: .venv/development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/development
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

pictures: .venv/development ## the pictures of docs/
	$(BIN)/python docs/pictures.py

benchmarks: .venv/development ## throughput and memory of training, encoding and decoding
	$(BIN)/python benchmarks/throughput.py

.venv/product: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	@touch $@

.venv/development: .venv/product
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .[dev]
	@touch $@

clean:
	rm -rf .venv demo build dist
