# make run     set up what is missing, then an Exercise to 1,000 simulated citizens (alertd demo)
# make test    set up what is missing, then every test
# make check   formatting, lint, types, the floors' arrows, what is generated is current
# make bench   alertd against its peers on the same work, about an hour; writes BENCHMARKS.md. bench-quick: small numbers,
#              a minute, compares ratios with those kept
# make lock    resolve the locked requirements anew
#
# PYTHON=/path/to/python3.12 make run     takes another interpreter (3.11 or newer)

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
UV     ?= uv

# A virtual environment elsewhere must not leak in; and what is compiled is kept, or every daemon would compile itself anew.
unexport PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := run
.PHONY: run test check bench bench-quick bench-peers setup setup-dev lock clean

run: setup
	$(BIN)/alertd demo

# Two at a time: one begins with the acceptance tests, which mostly wait, the other with those that compute; who is
# done takes half of what the other has left. What counts real seconds runs by itself, last.
test: setup-dev
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not alone" tests/acceptance tests/integration tests/contract tests/unit
	$(BIN)/python -m pytest -m alone tests/acceptance

check: setup-dev
	$(BIN)/ruff format --check alertd adapters tests .ci
	$(BIN)/ruff check alertd adapters tests .ci
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .ci/state_diagram.py --check

bench: setup-dev bench-peers
	$(BIN)/python -m tests.bench

bench-quick: setup-dev bench-peers
	$(BIN)/python -m tests.bench --quick --check

# What alertd is measured against. A peer that cannot be installed is skipped, and the benchmarks say so.
PEERS := tests/bench/peers
bench-peers: $(VENV)/.installed-bench
	@if ! command -v npm >/dev/null; then echo "npm is missing: web-push and nodemailer will be skipped" >&2; \
	elif ! cmp -s $(PEERS)/package-lock.json $(PEERS)/node_modules/.installed; then \
	  npm --prefix $(PEERS) ci --ignore-scripts --no-audit --no-fund && \
	  cp $(PEERS)/package-lock.json $(PEERS)/node_modules/.installed || \
	  echo "npm could not install the peers: web-push and nodemailer may be skipped" >&2; fi

# The stamps are newer than the locks once what they lock is installed.
setup: $(VENV)/.installed
setup-dev: $(VENV)/.installed-dev

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "alertd needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1 || echo missing)." >&2; \
	  echo "Install it (Debian, Ubuntu: apt install python3 python3-venv), or say which:" >&2; \
	  echo "    PYTHON=/path/to/python3.12 make run" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "Python cannot make a virtual environment here; on Debian and Ubuntu: apt install python3-venv" >&2; \
	  rm -rf $(VENV); exit 1; }

# What builds comes first and from its own lock, so that nothing that is not locked takes part in a build.
$(VENV)/.builder: requirements-build.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements-build.txt
	@touch $@

$(VENV)/.installed: requirements.txt pyproject.toml $(VENV)/.builder
	@echo "Installing what is locked into $(VENV); this takes a minute or two, once."
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps --no-build-isolation -r requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps --no-build-isolation -r requirements-dev.txt
	@touch $@

$(VENV)/.installed-bench: requirements-bench.txt $(VENV)/.installed-dev
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps --no-build-isolation -r requirements-bench.txt
	@touch $@

# Hashed requirements, because uv.lock and pylock.toml record registry addresses. requirements-dev.txt is
# resolved under requirements.txt, so that the two never disagree.
COMPILE := $(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 \
           --no-header --no-annotate
lock:
	$(COMPILE) pyproject.toml $(UPGRADE) --extra sandbox --extra sources --extra cap-sign -o requirements.txt
	$(COMPILE) pyproject.toml $(UPGRADE) --extra test --extra check --extra build -c requirements.txt -o requirements-dev.txt
	printf 'apprise\n' | $(COMPILE) - -c requirements-dev.txt -o requirements-bench.txt
	printf 'hatchling\nsetuptools\n' | $(COMPILE) - -c requirements-dev.txt -o requirements-build.txt
	@! grep -nE '://|index-url|find-links' requirements*.txt || { echo "an address got into a lock" >&2; exit 1; }

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
