# Two commands set everything up from nothing: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin

# Thousands of processes are started: each reads what the first compiled.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test world bench unit e2e check mutants fmt lock clean
.PHONY: hostile sellers kills simulation overspend callers slow canary streams signer differential batteries

demo: .venv/stamp
	$(BIN)/sidecar demo

# The code that decides about money is covered to its last branch.
SAFE := money chains base58 document refusal policy values rpc/* siwx/* x402/* ledger/* payments/* providers/* wallets/*
comma := ,
empty :=

# What covers it. A tracer makes all of Python two to three times slower: the rest runs without.
COVERING := $(addprefix tests/unit/,cli ledger payments providers proxy rpc service siwx wallets x402) \
  $(wildcard tests/unit/test_*.py) tests/conformance tests/flows tests/properties \
  tests/faults

# Twice the cores of a small machine: half of the tests wait for processes of their own.
TESTS := -m pytest -q -n 4 --dist worksteal

test:
	$(MAKE) --jobs 2 .venv/stamp world
	$(BIN)/python $(TESTS) --cov=sidecar --cov-report= $(COVERING) $(PYTEST_ARGS)
	$(BIN)/python -m coverage report --skip-covered --show-missing --fail-under=100 \
	  --include='$(subst $(empty) ,$(comma),$(foreach part,$(SAFE),sidecar/$(part).py))'
	$(BIN)/python $(TESTS) $(COVERING:%=--ignore=%) $(PYTEST_ARGS)
	$(BIN)/python -m tests.mutants.run

unit: .venv/stamp
	$(BIN)/python -m pytest -q -n 2 tests/unit tests/conformance tests/flows tests/properties $(PYTEST_ARGS)

e2e: .venv/stamp world
	$(BIN)/python -m pytest -q tests/e2e $(PYTEST_ARGS)

check: .venv/stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/vulture

mutants: .venv/stamp
	$(BIN)/python -m tests.mutants.run

# The batteries in their long forms, each by its own target; `make test` runs the short ones.
# LONG=N: how many examples, seeds, kills at each moment, or idle connections.
PYTEST := $(BIN)/python -m pytest -q -s

batteries: hostile sellers kills simulation overspend callers slow canary streams signer differential

hostile: .venv/stamp
	SIDECAR_HOSTILE_EXAMPLES=$(or $(LONG),200000) $(PYTEST) tests/hostile/test_challenges.py \
	  tests/hostile/test_challenge_properties.py tests/hostile/test_after_payment.py \
	  tests/hostile/test_official_sdk.py

sellers: .venv/stamp world
	$(BIN)/python -m tests.e2e.fault_table

kills: .venv/stamp
	SIDECAR_KILL_TIMES=$(or $(LONG),50) $(PYTEST) tests/e2e/test_kill.py tests/e2e/test_kill_topups.py
	SIDECAR_RECOVERY_ROWS=100000 $(PYTEST) tests/flows/test_overspend.py::test_recovery_of_many

simulation: .venv/stamp
	SIDECAR_SIM_SEEDS=$(or $(LONG),100000) $(PYTEST) tests/simulation
	$(BIN)/python -m tests.simulation.controls

overspend: .venv/stamp
	SIDECAR_OVERSPEND=$(or $(LONG),10000) $(PYTEST) tests/flows/test_overspend.py::test_no_unit_over

callers: .venv/stamp
	$(PYTEST) tests/hostile/test_smuggling.py tests/hostile/test_doors.py tests/hostile/test_redirects.py

slow: .venv/stamp
	SIDECAR_SLOW_IDLE=$(or $(LONG),5000) SIDECAR_SLOW_WAVES=5 $(PYTEST) tests/hostile/test_slow_and_many.py

canary: .venv/stamp world
	SIDECAR_CANARY_LONG=1 $(PYTEST) tests/canary
	SIDECAR_CANARY=all $(PYTEST) -p tests.canary.plugin tests/e2e tests/flows
	$(BIN)/python -m tests.mutants.run --slow

streams: .venv/stamp world
	$(PYTEST) tests/e2e/test_paced_streams.py tests/e2e/test_paced_streams_nginx.py \
	  tests/e2e/test_paced_streams_many.py

differential: .venv/stamp
	SIDECAR_DIFFERENTIAL=$(or $(LONG),100000) $(PYTEST) tests/differential

signer: .venv/stamp
	SIDECAR_SIGNER_KILLS=$(or $(LONG),50) $(PYTEST) tests/e2e/test_signer_orders.py \
	  tests/e2e/test_signer_process.py tests/e2e/test_signer_wired.py

fmt: .venv/stamp
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Every dependency at one version, with its hashes; and of these what the image runs and is built with.
COMPILE := $(BIN)/uv pip compile --universal --generate-hashes --python-version 3.11 \
  --no-emit-index-url --no-header --no-annotate
lock:
	$(BIN)/python -m pip install --quiet uv
	$(COMPILE) pyproject.toml --extra dev --output-file requirements.lock
	$(COMPILE) pyproject.toml --extra postgres --constraint requirements.lock \
	  --output-file requirements-run.lock
	echo 'hatchling==1.27.0' | $(COMPILE) - --constraint requirements.lock \
	  --output-file requirements-build.lock

.venv/stamp: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

# anvil, the official SDK in environments of its own, the vendors' own clients, Prometheus, a browser,
# what people point at the sidecar; at once when they are there.
world:
	bash tests/world/install.sh

clean:
	rm -rf .venv .world

# The sidecar beside its peers, in one run; BENCH_ARGS=--quick for the short form.
bench: .venv/stamp world
	bash bench/install.sh
	$(BIN)/python -m bench.run $(BENCH_ARGS)
