# Every target installs what it needs, once. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes
PYTEST := $(BIN)/python -m pytest
PYTEST_ARGS ?= -n auto

.DEFAULT_GOAL := help
.PHONY: help demo test lint types check bench crash-loop fault-matrix simulation workers many-faults webhook-storm verifiers pages durability fuzz-mime fuzz-api pictures lock clean

help:  ## this list
	@grep -hE '^[a-z][a-z-]*:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 22

# ---- the environment

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "notifier needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.txt | $(BIN)/python
	@echo "installing what notifier runs with (once) ..."
	@$(PIP) -r requirements.txt
	@touch $@

$(VENV)/.development: requirements-dev.txt pyproject.toml $(VENV)/.runtime
	@echo "installing what the tests need (once) ..."
	@$(PIP) -r requirements-dev.txt
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# ---- using it

demo: $(VENV)/.runtime  ## the whole service with a built-in inbox; nothing leaves this machine
	@$(BIN)/python -m notifier demo $(ARGS)

# ---- working on it

test: $(VENV)/.development  ## the tests (PYTEST_ARGS="-k word" for some)
	$(PYTEST) $(PYTEST_ARGS)

lint: $(VENV)/.development  ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.development  ## mypy, strict
	$(BIN)/mypy
	for one in $(dir $(wildcard examples/*/pyproject.toml)); do MYPYPATH=$$one $(BIN)/mypy $$one || exit 1; done

check: lint types test  ## everything that CI runs

# ---- longer than a test should be

bench: $(VENV)/.development  ## side by side with what a user would pick instead (ARGS=--quick for ten minutes)
	$(BIN)/python -m benchmarks $(ARGS)

crash-loop: $(VENV)/.development  ## 50 kill -9 and 20 SIGTERM under 5,000 notifications: none lost, every copy explained
	$(BIN)/python -m tests.soak.crash_loop $(ARGS)

fault-matrix: $(VENV)/.development  ## every stage of SMTP times every fault, end to end
	$(PYTEST) -v tests/integration/delivery/test_fault_matrix.py

simulation: $(VENV)/.development  ## 1,000 simulated worlds of outages and crashes (ARGS="--seed N --trace" replays one)
	$(BIN)/python -m tests.simulation $(ARGS)

workers: $(VENV)/.development  ## 1, 2 and 4 workers on one database: throughput, double sends (0), fairness
	$(BIN)/python -m tests.soak.workers $(ARGS)

many-faults: $(VENV)/.development  ## workers killed, stopped, cut off; the database restarted: the long run
	$(BIN)/python -m tests.soak.many $(ARGS)

webhook-storm: $(VENV)/.development  ## 5,000 webhook events at 30 % faults and five kill -9: none missing
	$(BIN)/python -m tests.soak.webhook_storm $(ARGS)

verifiers: $(VENV)/.development  ## our DKIM and webhook signatures before verifiers from npm, tampered ones refused
	$(BIN)/python -m tests.verifiers

pages: $(VENV)/.development  ## every admin page with 1,000,000 notifications (ARGS="--database postgresql")
	$(BIN)/python -m tests.soak.pages $(ARGS)

durability: $(VENV)/.development  ## strace: an fdatasync between the last write and each answer
	$(PYTEST) -v tests/integration/test_durability.py

fuzz-mime: $(VENV)/.development  ## the message builder against the standard library's parser, 20,000 cases a property
	FUZZ_CASES=20000 $(PYTEST) -n 2 tests/property/test_mail.py

fuzz-api: $(VENV)/.development  ## schemathesis against the served description, 10,000 requests
	FUZZ_CASES=400 $(PYTEST) -s tests/acceptance/test_fuzzing.py

pictures: $(VENV)/.development  ## the pictures of the README (needs chromium)
	$(BIN)/python docs/images/make.py

lock: $(VENV)/.development  ## requirements*.txt anew from pyproject.toml, with hashes and without a registry's address
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --extra postgres pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --all-extras --group dev -c requirements.txt pyproject.toml -o requirements-dev.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --group build -c requirements-dev.txt -o requirements-build.txt

clean:  ## what the targets made
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
