# Vitrine. `make help` lists what there is; every target does its own set-up.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
TESTS  ?= tests

.DEFAULT_GOAL := help
.PHONY: help demo test slow interop lint bench lock

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-7s %s\n", $$1, $$2}'

demo: $(READY) ## a pretend hospital, three sample feeds and the gateway, on this computer only
	$(BIN)/python -m demo.run

test: $(READY) ## the tests, in under three minutes
	$(BIN)/python -m pytest -n auto -m "not slow" $(TESTS)

slow: $(READY) ## the others: the program as deployed, browsers, killed processes, tools that are not ours
	$(BIN)/python -m pytest -n auto -m slow $(TESTS)

interop: $(READY) ## with servers that are not ours; tests/interop/install fetches them, what is absent is skipped
	$(BIN)/python -m pytest -m interop tests/interop

lint: $(READY) ## style, types, and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY) ## speed, side by side with what one would otherwise run
	$(BIN)/python -m benchmarks.run
	$(BIN)/python -m benchmarks.crowd
	$(BIN)/python -m benchmarks.documents
	$(BIN)/python -m benchmarks.charts
	$(BIN)/python -m benchmarks.ledger
	$(BIN)/python -m benchmarks.audit_search --records 100000

lock: $(READY) ## pin the requirements anew, with hashes and without addresses
	$(BIN)/python -m pip install --quiet uv
	for name in requirements/runtime requirements/dev tests/interop/clients/python/requirements; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-header $$name.in --output-file $$name.txt; \
	done

$(READY): requirements/dev.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(READY)
