# `make demo` and `make test` set up everything they need; the rest is for those who work on the code.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: app demo paper test lint format docs pictures benchmarks clean

demo: .venv/product ## reconstruct 288 AFLOW prototypes: table, CIFs and a page to look at
	$(BIN)/xtalcodec reconstruct aflow-prototypes disordered-examples --out demo/cifs --json demo/summary.json --html demo/index.html --workers 2

app: .venv/app ## the page in the browser, at http://localhost:8050
	$(BIN)/xtalcodec app

# The paper's system, small: fields to disk (locally and on MPI ranks), its networks trained for a while, its figures.
PAPER_MINUTES ?= 2
# Status 3: done, and some crystals, listed with the reason, do not fit.
OR_SOME_DO_NOT_FIT := || test $$? -eq 3
paper: .venv/development ## from crystals to the figures of Hoffmann et al. 2019, on the prototypes
	mkdir -p paper
	$(BIN)/xtalcodec data split aflow-prototypes --train paper/train.parquet --val paper/val.parquet
	$(BIN)/xtalcodec generate paper/train.parquet --representation unit_cell --points 16 --label-radius 0.9 --views 3 --out paper/unit_cell.zarr --workers 2 $(OR_SOME_DO_NOT_FIT)
	$(BIN)/mpiexec -n 3 $(BIN)/xtalcodec generate paper/val.parquet --representation repeating --views 3 --out paper/repeating.zarr --executor mpi $(OR_SOME_DO_NOT_FIT)
	$(BIN)/xtalcodec train hoffmann-unit-cell optimiser.warmup=20 checkpoint_minutes=0.4 sample=30 --data paper/train.parquet --store paper/unit_cell.zarr --val paper/val.parquet --out paper/run --minutes $(PAPER_MINUTES) --resume $(OR_SOME_DO_NOT_FIT)
	$(BIN)/xtalcodec evaluate paper/val.parquet --codec paper/run --discriminator --json paper/scores.json $(OR_SOME_DO_NOT_FIT)
	$(BIN)/xtalcodec evaluate paper/val.parquet --codec hoffmann-unit-cell --discriminator --json paper/hoffmann-unit-cell.json $(OR_SOME_DO_NOT_FIT)
	$(BIN)/xtalcodec evaluate paper/val.parquet --codec hoffmann-repeating --json paper/hoffmann-repeating.json $(OR_SOME_DO_NOT_FIT)
	$(BIN)/xtalcodec evaluate paper/val.parquet --codec mp-unit-cell --json paper/mp-unit-cell.json $(OR_SOME_DO_NOT_FIT)
	$(BIN)/xtalcodec evaluate paper/val.parquet --codec linear-unit-cell --json paper/linear-unit-cell.json $(OR_SOME_DO_NOT_FIT)
	$(BIN)/xtalcodec figures paper/run --data paper/val.parquet --out paper/figures $(OR_SOME_DO_NOT_FIT)
	$(BIN)/xtalcodec figures hoffmann-unit-cell --data paper/val.parquet --out paper/figures-hoffmann-unit-cell $(OR_SOME_DO_NOT_FIT)
	$(BIN)/xtalcodec interpolate aflow-prototypes:AB3C_cP5_221_a_c_b aflow-prototypes:AB_cF8_225_a_b --codec hoffmann-unit-cell --out paper/between --strip paper/between.png --movie paper/between.gif
	$(BIN)/xtalcodec figures mp-unit-cell --data paper/val.parquet --out paper/figures-mp-unit-cell $(OR_SOME_DO_NOT_FIT)

test: .venv/development ## everything, warnings as errors
	$(BIN)/pytest -n 2 --dist worksteal

lint: .venv/development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: .venv/development
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: .venv/development ## the site, in site/; warnings are errors
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/mkdocs build --strict --clean

pictures: .venv/development ## the pictures of docs/
	$(BIN)/python docs/pictures.py
	$(BIN)/python docs/rooms.py

benchmarks: .venv/development ## throughput and memory of training, encoding and decoding
	$(BIN)/python benchmarks/throughput.py

.venv/product: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	@touch $@

.venv/app: .venv/product
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .[app]
	@touch $@

.venv/development: .venv/product
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .[dev]
	@touch $@

clean:
	rm -rf .venv demo paper site build dist
