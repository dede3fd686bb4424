# make run: the Iris sweep, from nothing. make test: lint, types, tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test install install-test clean

run: install
	$(BIN)/python run_trials.py --experiment iris_hidden_units

test: install-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n auto

install: $(VENV)/installed
install-test: $(VENV)/installed-test

$(VENV)/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo "TensorFlow has no wheel for $$($(PYTHON) --version 2>&1): use Python 3.11 to 3.13 (make run PYTHON=python3.12)."; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@echo "Installing requirements.txt into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt > $(VENV)/install.log 2>&1 \
	  || { echo "The requirements could not be installed: no wheel for this platform, or no network ($(VENV)/install.log)."; exit 1; }
	@touch $@

$(VENV)/installed-test: requirements-test.txt $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-test.txt
	@touch $@

clean:
	rm -rf $(VENV)
