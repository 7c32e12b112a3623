# Two commands set everything up from nothing: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test world bench unit e2e check mutants fmt lock clean

demo: .venv/stamp
	$(BIN)/sidecar demo

# The code that decides about money is covered to its last branch.
SAFE := money chains base58 document refusal policy rpc/* siwx/* x402/* ledger/* payments/* providers/* wallets/*
comma := ,
empty :=

test: world
	$(BIN)/python -m pytest -q -n 2 --dist worksteal --cov=sidecar --cov-report= $(PYTEST_ARGS)
	$(BIN)/python -m coverage report --skip-covered --show-missing --fail-under=100 \
	  --include='$(subst $(empty) ,$(comma),$(foreach part,$(SAFE),sidecar/$(part).py))'
	$(BIN)/python -m tests.mutants.run

unit: .venv/stamp
	$(BIN)/python -m pytest -q -n 2 tests/unit tests/conformance tests/flows tests/properties $(PYTEST_ARGS)

e2e: world
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

fmt: .venv/stamp
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Every dependency at one version, with its hashes.
lock:
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --generate-hashes \
	  --python-version 3.11 --no-emit-index-url --no-header --no-annotate \
	  --output-file requirements.lock

.venv/stamp: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

# anvil, the official SDK in environments of its own, the vendors' own clients, promtool; at once
# when they are there.
world: .venv/stamp
	bash tests/world/install.sh

clean:
	rm -rf .venv .world

# The sidecar beside its peers, in one run; BENCH_ARGS=--quick for the short form.
bench: world
	bash bench/install.sh
	$(BIN)/python -m bench.run $(BENCH_ARGS)
