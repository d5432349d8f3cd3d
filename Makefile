# One way in: `make run` starts the hub, `make test` proves it. Everything installs into .venv from a hashed lock.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SEEDS ?= 10000
LOT_SEEDS := $(if $(filter command line environment,$(origin SEEDS)),$(SEEDS),200)
HISTORIES ?= 10000
FAULTS ?= 20
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup run test fast check bench bench-kafka simulate crash chaos fuzz differential edge lots lock clean

help:  ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

setup: $(STAMP)  ## make .venv and install the pinned, hashed dependencies

$(STAMP): requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $@

run: setup  ## start the hub with a simulated hospital network and print the tower's address
	$(BIN)/wardstock demo

check: setup  ## lint, types, architecture, sizes
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/unit/test_tidy.py

test: check  ## everything that must be true
	$(BIN)/python -m pytest -q

fast: check  ## the same, folders side by side: for a machine whose cores have nothing else to do
	$(BIN)/python -m tests.side_by_side

bench: setup  ## the table of rates, each beside its peer
	$(BIN)/python -m tests.bench

bench-kafka: setup  ## rates on a real Kafka broker
	$(BIN)/python -m tests.bench kafka

simulate: setup  ## all 20 seeds of the simulated network, forwards, doubled, permuted and killed; a month of eight sites
	WARDSTOCK_SEEDS=20 WARDSTOCK_MONTH_BEDS=20 $(BIN)/python -m pytest -q tests/simulation/test_network.py tests/simulation/test_month.py

crash: setup  ## the long crash simulation: make crash SEEDS=10000
	WARDSTOCK_CRASH_SEEDS=$(SEEDS) $(BIN)/python -m pytest -q tests/simulation/test_crash.py

chaos: setup  ## faults of every kind on three real brokers: make chaos FAULTS=100
	WARDSTOCK_CHAOS_FAULTS=$(FAULTS) $(BIN)/python -m pytest -q -s tests/kafka/test_hub.py

fuzz: setup  ## a million mutated HL7 v2 messages over all cores
	$(BIN)/python -m tests.fuzz

differential: setup  ## random histories against the plain ledger: make differential HISTORIES=10000
	WARDSTOCK_DIFFERENTIAL_HISTORIES=$(HISTORIES) $(BIN)/python -m pytest -q tests/unit/ledger/test_differential.py

edge: setup  ## an outage of three hours: 50,000 transactions through wardstock edge, killed, without room, freed
	WARDSTOCK_EDGE_EVENTS=50000 $(BIN)/python -m pytest -q tests/simulation/test_edge.py

lots: setup  ## probabilities of unknown lots against the truth, kept a seed in lots.jsonl: make lots SEEDS=200
	$(BIN)/python -m tests.simulation.lots --seeds $(LOT_SEEDS)

lock: setup  ## resolve the dependencies anew (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links \
		--extra dev --output-file requirements.lock pyproject.toml

clean:  ## remove what was built
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache wardstock-data wardstock-demo
