# `make demo` and `make test` set up what they need in .venv, once, and whatever has changed since.
# PYTHON names the interpreter that .venv is made with.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EXTENSION := $(VENV)/.extension
RUST := Cargo.toml Cargo.lock $(shell find rust -name '*.rs' -o -name Cargo.toml)

# pyo3 builds against the interpreter that will import it, whatever else is on the path.
export PYO3_PYTHON := $(CURDIR)/$(BIN)/python

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-rust test-python test-slow bench bench-kernels bench-rust \
    bench-latency bench-feedback bench-accuracy bench-scale bench-factors bench-faithfulness \
    bench-wrapped format clean

help: ## Say what can be made.
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

demo: $(VENV)/.demo $(EXTENSION) ## Fit on real events and recommend with reasons.
	$(BIN)/whyrec demo

test: test-rust test-python ## Run every check and every test but the slow ones.

test-rust: $(VENV)/.created ## Check and test the Rust core and its bindings.
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo test --workspace
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

test-python: $(VENV)/.dev $(EXTENSION) ## Check and test the Python package.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -c "import whyrec._native"
	$(BIN)/stubtest whyrec._native
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not slow"

test-slow: $(VENV)/.dev $(EXTENSION) ## Run the tests that take minutes, and look for new examples.
	$(BIN)/python -m pytest -m slow
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 tests/properties --hypothesis-profile=explore

bench: ## Say which benchmarks there are.
	@sed -nE 's/^(bench-[a-z-]+):.*## (.*)/make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

bench-kernels: $(VENV)/.bench $(EXTENSION) ## Time the kernels beside their peers; ARGS="--only topk".
	$(BIN)/python -m bench.kernels $(ARGS)

bench-rust: ## Time the kernels alone, with criterion, beside their last run.
	cargo bench -p whyrec-core

bench-latency: $(VENV)/.dev $(EXTENSION) ## Time an answer with reasons, for one user and for many.
	$(BIN)/python -m bench.latency

bench-feedback: $(VENV)/.dev $(EXTENSION) ## Show what is promised of feedback; ARGS="--only kills --rounds 100".
	$(BIN)/python -m bench.feedback $(ARGS)

bench-accuracy: $(VENV)/.bench $(VENV)/.rectools $(EXTENSION) ## Measure accuracy beside peers; ARGS="--only movielens random ease --users 150".
	$(BIN)/python -m bench.accuracy $(ARGS)

bench-scale: $(VENV)/.bench $(EXTENSION) ## Time fits of a million events; ARGS="--only set --events 100000".
	$(BIN)/python -m bench.scale $(ARGS)

bench-factors: $(VENV)/.bench $(EXTENSION) ## Time the reasons of ALS beside implicit's own.
	$(BIN)/python -m bench.explained_factors $(ARGS)

bench-wrapped: $(VENV)/.rectools $(EXTENSION) ## Time reasons for RecTools' SASRec, and hold them against Shapley values.
	PYTHONPATH=. $(VENV)/rectools/bin/python -m bench.wrapped $(ARGS)

bench-faithfulness: $(VENV)/.bench $(EXTENSION) ## Hold every method's reasons against the truth; ARGS="--quick --users 20".
	$(BIN)/python -m bench.faithfulness $(ARGS)

format: $(VENV)/.dev ## Put all code into its one form.
	cargo fmt --all
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

clean: ## Take away all that was made, .venv too.
	rm -rf $(VENV) target dist python/whyrec/_native*.so
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache bench/.cache
	find . -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/.created:
	@command -v cargo >/dev/null || { \
	    echo "whyrec needs Rust to build: install rustup, then run make again" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "whyrec needs Python 3.11 or newer: name one, as in make PYTHON=python3.12" >&2; \
	    exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# What an extra needs, without the package itself, which is built below: pip would build it again
# whenever something else is installed.
define requirements
import re, sys, tomllib
project = tomllib.load(open("pyproject.toml", "rb"))
needed = project["build-system"]["requires"] + project["project"]["dependencies"]
extras = [sys.argv[1]]
for extra in extras:
    for requirement in project["project"]["optional-dependencies"][extra]:
        own = re.fullmatch(r"whyrec\[(.+)\]", requirement)
        extras.extend(own[1].split(",")) if own else needed.append(requirement)
print(*needed, sep="\n")
endef
export requirements

$(VENV)/.demo: pyproject.toml | $(VENV)/.created
	@$(BIN)/python -c "$$requirements" demo > $(VENV)/demo.txt
	$(BIN)/python -m pip install --quiet -r $(VENV)/demo.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.demo
	@$(BIN)/python -c "$$requirements" dev > $(VENV)/dev.txt
	$(BIN)/python -m pip install --quiet -r $(VENV)/dev.txt
	@touch $@

$(VENV)/.bench: $(VENV)/.demo
	@$(BIN)/python -c "$$requirements" bench > $(VENV)/bench.txt
	$(BIN)/python -m pip install --quiet -r $(VENV)/bench.txt
	@touch $@

# An environment of its own, which has from .venv whatever RecTools does not hold to another version.
$(VENV)/.rectools: $(VENV)/.demo
	@$(BIN)/python -c "$$requirements" bench-rectools > $(VENV)/rectools.txt
	$(BIN)/python -m venv $(VENV)/rectools
	@site=$$($(BIN)/python -c 'import site; print(site.getsitepackages()[0])'); \
	    own=$$($(VENV)/rectools/bin/python -c 'import site; print(site.getsitepackages()[0])'); \
	    echo "import site; site.addsitedir('$$site')" > "$$own/whyrec-venv.pth"
	$(VENV)/rectools/bin/python -m pip install --quiet -r $(VENV)/rectools.txt
	@touch $@

$(EXTENSION): pyproject.toml $(RUST) | $(VENV)/.demo
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/maturin develop --release
	@touch $@
