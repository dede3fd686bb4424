# make run: the Iris sweep, from nothing. make test: lint, types, tests. make proofs: the tests that take long.
# make bench: this project against its peers on this machine, alone on it, images from TRIALS_DATA_DIR.
PYTHON ?= python3
REPETITIONS ?= 2
VENV := .venv
BIN := $(VENV)/bin
ON_JAX := tests/contract/test_engines.py tests/engines/test_vmap.py tests/engines/test_stacked.py

.PHONY: run test proofs bench install install-test install-bench clean

run: install
	$(BIN)/python run_trials.py --experiment iris_hidden_units

test: install-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow"

proofs: install-test
	$(BIN)/python -m pytest -n auto --dist worksteal -m slow
	KERAS_BACKEND=jax $(BIN)/python -m pytest -n auto --dist worksteal $(ON_JAX)

bench: install-bench
	$(BIN)/python -m benchmarks --repetitions $(REPETITIONS) --results results/reference/benchmarks --readme

install: $(VENV)/installed
install-test: $(VENV)/installed-test
install-bench: $(VENV)/installed-bench

$(VENV)/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo "TensorFlow has no wheel for $$($(PYTHON) --version 2>&1): use Python 3.11 to 3.13 (make run PYTHON=python3.12)."; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@echo "Installing requirements.txt into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt > $(VENV)/install.log 2>&1 \
	  || { echo "The requirements could not be installed: no wheel for this platform, or no network ($(VENV)/install.log)."; exit 1; }
	@touch $@

$(VENV)/installed-test: requirements-test.txt requirements-jax.txt requirements-ray.txt $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-test.txt
	@touch $@

$(VENV)/installed-bench: requirements-bench.txt $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-bench.txt
	@touch $@

clean:
	rm -rf $(VENV)
