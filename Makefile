# Bare `make` prints this help. CI runs the same commands a person does.
.DEFAULT_GOAL := help
# The newest Python of 3.11 to 3.14 that runs and can make a virtual environment.
PYTHON ?= $(shell for name in python3.14 python3.13 python3.12 python3.11 python3 python; do \
	"$$name" -c 'import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' \
	2>/dev/null && echo "$$name" && break; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
T ?= tests
# Test processes. Each starts its own servers, and waits for them more than it computes: three keep
# two cores busy. In the order of their names, long files come first and many short ones last.
N ?= 3
AUDIT_SERVICE ?= pypi
# Scripts of the documentation's site: one draws its diagrams, one lets its search work from disk.
SITE_SCRIPTS := .site-tools/mermaid.min.js .site-tools/iframe-worker.js
BIOME := tests/lint/node_modules/.bin/biome

help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(BIN)/python:
	@set -- $(PYTHON); [ $$# -gt 0 ] || { echo "Waybill needs Python 3.11 to 3.14 with venv (Debian: python3-venv)"; exit 1; }; \
	"$$@" -m venv $(VENV)

$(STAMP): requirements.lock pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@# Python 3.11 puts a setuptools there that no lock names and no audit sees.
	@grep -q '^setuptools==' requirements*.lock || $(BIN)/python -m pip uninstall --quiet --yes --disable-pip-version-check setuptools 2>/dev/null
	@touch $@

$(DEV_STAMP): $(STAMP) requirements-dev.lock
	@# The lock is whole but for pandas and NumPy, which chDB asks for and does not need: where they are
	@# installed, pyarrow loads them in every process, and each test would take their time and 56 MiB.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
	@touch $@

setup: $(STAMP) ## Make .venv with .venv/bin/waybill

demo: $(STAMP) ## Start everything, export 200,000 orders, print the link (ONCE=1 to stop then)
	@$(BIN)/waybill demo $(if $(ONCE),--once)

test: $(DEV_STAMP) ## Run the whole test suite (T=path for a part of it)
	@tests/install-servers
	@# 1: tests have failed. All other codes say that the run itself went wrong.
	$(BIN)/python -m pytest --numprocesses $(N) --dist loadfile --no-loadscope-reorder $(T) \
	  || { [ $$? -eq 1 ] && $(BIN)/python -m tests.rerun; }

test-host: $(DEV_STAMP) ## Run the page's suite in the host application of tests/host_app, behind nginx with TLS
	@tests/install-servers
	$(BIN)/python -m pytest --host-app -rs --numprocesses 2 --dist loadfile --no-loadscope-reorder $(if $(filter tests,$(T)),tests/browser,$(T))

# The branches that the fast lane covers, in per cent.
FLOOR ?= 70
# No server, no root, no network. Schemathesis is not used here, and takes a second to load.
FAST := -p no:schemathesis --hypothesis-profile fast --disable-socket --allow-unix-socket \
	-m "not server and not slow" tests/unit tests/contract

test-fast: $(DEV_STAMP) ## Unit tests, and contracts in memory and on SQLite, in half a minute
	$(BIN)/python -m pytest -q --numprocesses $(N) $(FAST)

# The oldest versions that pyproject.toml allows, in an environment of its own. Their test client needs httpx.
FLOORS := .floors
EXTRAS := --extra server --extra postgresql --extra mysql --extra duckdb --extra clickhouse --extra flightsql --extra embedded --extra demo
floors: ## Run the fast lane on the oldest versions that dependencies allow (needs uv)
	@mkdir -p $(FLOORS)
	uv pip compile --quiet --resolution lowest-direct --python-version 3.11 --no-header --no-annotate $(EXTRAS) -o $(FLOORS)/lowest.txt pyproject.toml
	uv venv --quiet --clear --python 3.11 $(FLOORS)/venv
	uv pip install --quiet --python $(FLOORS)/venv/bin/python --constraint $(FLOORS)/lowest.txt --extra dev --extra build $(EXTRAS) -r pyproject.toml httpx
	uv pip install --quiet --python $(FLOORS)/venv/bin/python --no-deps --no-build-isolation --editable .
	$(FLOORS)/venv/bin/python -m pytest -q --numprocesses $(N) $(FAST) --deselect tests/unit/test_supply_chain.py

check: $(DEV_STAMP) ## Format, lint (scripts too where there is npm), types, import rules, dependencies, and the fast lane with its coverage
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy -p tests
	$(BIN)/lint-imports
	$(BIN)/deptry api exporter storage infra tests
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory lint-js; else echo "No npm: the page's scripts are not linted here"; fi
	$(BIN)/python -m pytest -q --numprocesses $(N) --cov --cov-report=term:skip-covered --cov-fail-under=$(FLOOR) $(FAST)

coverage: $(DEV_STAMP) ## Run the whole suite, and print the branches it leaves out
	@tests/install-servers
	$(BIN)/python -m pytest --numprocesses $(N) --dist loadfile --no-loadscope-reorder --cov --cov-report=term-missing $(T)

$(BIOME): tests/lint/package-lock.json
	cd tests/lint && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

lint-js: $(BIOME) ## Lint the page's scripts (needs npm)
	$(BIOME) lint --config-path=tests/lint api/pages/static api/embed

fix: $(DEV_STAMP) ## Format, and repair what ruff can repair
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(DEV_STAMP) ## Measure against peers in the same run; writes bench.json (QUICK=1 for less, BASELINE=TREE)
	@tests/install-servers
	$(BIN)/python -m tests.benchmarks

cluster: $(DEV_STAMP) ## Run the tests on a RabbitMQ cluster and a PostgreSQL standby
	@tests/install-servers
	$(BIN)/python -m pytest -m cluster $(if $(filter tests,$(T)),tests/cluster,$(T))

mutations: $(DEV_STAMP) ## Take out one guard after the other, and expect the test that holds it to fail
	@tests/install-servers
	$(BIN)/python -m pytest -m mutation --numprocesses $(N) tests/faults/test_guard_mutations.py

RABBITMQ_VERSIONS ?= 3.10 4.0 4.3
BROKER_TESTS := tests/contract/test_brokers.py $(wildcard tests/integration/test_rabbitmq_*.py) \
	$(wildcard tests/faults/test_broker_*.py) tests/faults/test_unconfirmed_queues.py

test-brokers: $(DEV_STAMP) ## Run what concerns the broker on RabbitMQ 3.10, 4.0 and 4.3 (needs root and a Debian mirror)
	@tests/install-servers
	@tests/install-rabbitmq $(RABBITMQ_VERSIONS)
	@for version in $(RABBITMQ_VERSIONS); do \
	  echo "RabbitMQ $$version"; \
	  TEST_RABBITMQ=$$version $(BIN)/python -m pytest -q --numprocesses $(N) --dist loadfile $(BROKER_TESTS) || exit 1; \
	done

test-brokers-cluster: $(DEV_STAMP) ## Run it on a cluster of three nodes, of which faults meet the leader's (TEST_RABBITMQ=4.3 for a version)
	@tests/install-servers
	@tests/install-rabbitmq $(TEST_RABBITMQ)
	@# Each test process starts three nodes of its own.
	TEST_RABBITMQ_NODES=3 $(BIN)/python -m pytest -q --timeout 1500 --numprocesses 2 --dist loadfile $(BROKER_TESTS)

soak: $(DEV_STAMP) ## Break everything in turn for SOAK_MINUTES=15, and look for what was lost
	@tests/install-servers
	$(BIN)/python -m tests.soak

SEEDS ?= 50
shards-torture: $(DEV_STAMP) ## Kill and freeze workers of exports in shards, SEEDS=50 times for each format
	@tests/install-servers
	$(BIN)/python -m tests.soak.shards --seeds $(SEEDS)

secrets: ## Draw the secrets of infra/deploy/compose.yaml into .env beside it, once
	@infra/deploy/draw-secrets

# Both locks name everything in .venv (tests/unit/test_supply_chain.py).
audit: $(DEV_STAMP) ## Look both locks up for known vulnerabilities (AUDIT_SERVICE=pypi or osv)
	@if ! report=$$($(BIN)/pip-audit --strict --vulnerability-service $(AUDIT_SERVICE) --timeout 15 --require-hashes --disable-pip --progress-spinner off -r requirements.lock -r requirements-dev.lock 2>&1); then \
	  if echo "$$report" | grep -qE '^Found [0-9]+ known'; then echo "$$report"; else \
	    echo "$$report" | tail -n 1; \
	    echo "NOT AUDITED: the advisory service '$(AUDIT_SERVICE)' cannot be reached from here, or does not know a package. Run this where it can be reached."; \
	  fi; \
	  exit 1; \
	fi; echo "$$report"

sbom: $(DEV_STAMP) ## Write sbom.json: what requirements.lock installs, with hashes (CycloneDX)
	$(BIN)/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --output-reproducible --output-format JSON --output-file sbom.json

# Takes one file out of a package: name and version, SHA-256 of the package, path of the file.
define one-script
	@mkdir -p .site-tools
	@cd .site-tools && package=$$(npm pack --silent $(1)) && echo "$(2)  $$package" | sha256sum --check --quiet \
	  && tar --extract --gzip --to-stdout --file "$$package" $(3) > $(@F).new && mv $(@F).new $(@F) && rm "$$package"
endef

.site-tools/mermaid.min.js:
	$(call one-script,mermaid@12.3.0,be0684e8d20bfc874df12c0f04927a5c482f57f2200eec54cca52a4583fd4040,package/dist/mermaid.min.js)

.site-tools/iframe-worker.js:
	$(call one-script,iframe-worker@1.0.4,e8c5d12d87829c503afba01d67772ea9f4aba5b7ae57a0c98e1917711030efbb,package/shim/index.js)

release: $(DEV_STAMP) ## Check, build into dist/, and tag the version of pyproject.toml; pushes nothing
	@infra/deploy/release

docs: $(DEV_STAMP) ## Write the generated pages and pictures, and build the site into .site
	$(BIN)/python -m tests.support.reference
	$(BIN)/python -m tests.support.import_graph
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(SITE_SCRIPTS); else echo "No npm: diagrams are shown as text, and the search needs a web server"; fi
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict
	@echo "The site is .site/index.html"

lock: ## Pin every dependency by version and hash, naming no index
	uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra server --extra postgresql --extra mysql --extra embedded --extra demo --extra tracing --extra build -o requirements.lock pyproject.toml
	uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --all-extras --no-emit-package pandas --no-emit-package numpy -c requirements.lock -o requirements-dev.lock pyproject.toml

.PHONY: help setup demo test test-fast coverage check lint-js fix bench cluster test-brokers test-brokers-cluster soak shards-torture secrets audit sbom release docs lock test-host floors mutations
