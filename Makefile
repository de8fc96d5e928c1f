# Needs only Python >= 3.11 and make; everything else goes into .venv, or into another folder for another
# interpreter: make test VENV=.venv-313 PYTHON=python3.13

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SOURCES := $(shell find tinygrad_ugan -name '*.py')

.DEFAULT_GOAL := help
.PHONY: help demo test test-lowest deep mutants peers valgrind bench results docs-table cases lint format clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

demo: runs/demo/table.txt ## Train K = 0 and K = 10 side by side; draw and compare them
	@cat $<
	@echo "picture: runs/demo/samples-seed0.png"

test: $(VENV)/test ## Run the tests, the doctests and the README
	$(BIN)/python -m pytest

test-lowest: ## Run the tests with the lowest versions that setup.cfg promises
	$(PYTHON) .ci/lowest.py > .venv-lowest.txt
	PIP_CONSTRAINT=.venv-lowest.txt $(MAKE) test VENV=.venv-lowest

deep: $(VENV)/test ## Run the tests with many more random examples
	HYPOTHESIS_PROFILE=deep $(BIN)/python -m pytest --timeout 3600

mutants: $(VENV)/test ## Break every derivative rule, and the source; mutants must fail the tests
	$(BIN)/python -m tests.mutate_rules
	$(BIN)/python -m tests.mutate_source $(patsubst tinygrad_ugan/%,%,$(wildcard tinygrad_ugan/autodiff/*.py)) \
		--tests tests/autodiff --sample 260 || true
	$(BIN)/python -m tests.mutate_source unroll || true
	$(BIN)/python -m tests.mutate_source gan/games/objectives.py gan/games/game.py \
		--tests tests/gan/games/test_objectives.py tests/gan/games/test_game.py tests/unroll/test_fused.py || true
	$(BIN)/python -m tests.mutate_source kernels --sample 400 || true

peers: $(VENV)/test ## Run HIPS Autograd's own tests and examples on this engine
	$(BIN)/python benchmarks/peers/run.py

valgrind: $(VENV)/test ## Run random sweeps of the kernels under valgrind
	$(BIN)/python -m tests.kernels.under_valgrind

bench: $(VENV)/bench ## Time the exact gradient against other libraries and the hardware's limit
	$(BIN)/python benchmarks/unrolled.py
	$(BIN)/python benchmarks/unrolled_scaling.py

results: $(VENV)/package ## Run every experiment in full, and write docs/results; what is trained is kept
	for name in $$($(BIN)/python -c 'from tinygrad_ugan import experiments; print(*experiments.names())'); do \
		$(BIN)/ugan run $$name --out docs/results/$$name --training runs/$$name/training || true; done
	$(BIN)/python -m docs.make_results

lint: $(VENV)/lint ## Check style, types and the layering of the imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs-table: $(VENV)/test ## Write docs/primitives.md, docs/verdicts.md and the picture of the architecture
	$(BIN)/python -m docs.make_architecture
	$(BIN)/python -m docs.make_primitives
	$(BIN)/python -m docs.make_verdicts

cases: $(VENV)/test ## Compute the conformance cases again, to 30 digits
	$(BIN)/python -m tests.check.make_cases

format: $(VENV)/lint ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## Remove the virtual environment and all caches; runs/ stays
	rm -rf .venv .venv-* build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

runs/demo/table.txt: $(SOURCES) | $(VENV)/package
	rm -rf runs/demo
	$(BIN)/ugan compare ring --out runs/demo

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python >= 3.11 is needed: make PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Stamps: a file newer than setup.cfg says that the extra is installed.
$(VENV)/package: setup.cfg pyproject.toml | $(VENV)/pyvenv.cfg
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/test $(VENV)/lint $(VENV)/bench: $(VENV)/%: setup.cfg pyproject.toml | $(VENV)/pyvenv.cfg
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@ $(VENV)/package
