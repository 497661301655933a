# `make` lists the targets. Nothing needs root, Docker or more of the internet than pip's registry.

PORT ?= 8080
HOST ?= 127.0.0.1
TESTS ?= tests
VENV := .venv
PYTHON := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
# The local EVM chain, where npm is; `make run` says so where it is not.
ANVIL := $(if $(shell command -v npm 2>/dev/null),node_modules/.installed)
# The interpreter that makes the virtual environment; 3.11 or newer.
PYTHON3 ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,$(shell \
	$(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(name))))

# Migrations are compared with the models, not with a database; that none answers is no news.
NO_DATABASE := PAYGO_NO_ENV_FILES=1 DATABASE_URL=postgresql://127.0.0.1:1/none PYTHONWARNINGS=ignore::RuntimeWarning
FORBIDDEN := 'pypi[.]org|p[y]thonhosted[.]org|npmjs[.](org|com)|index[-]url|/(root|home|Users)/[A-Za-z0-9._-]+/'

.PHONY: contracts demo-hybrid help install run demo test lint api bench soak lock clean reset
.DEFAULT_GOAL := help

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) $(ANVIL) ## Make .venv with the locked dependencies

node_modules/.installed: package-lock.json
	@npm ci --silent && touch $@ || echo "npm ci failed: the local EVM chain is left out; all else works"

$(INSTALLED): requirements.txt requirements-dev.txt
	@test -n "$(PYTHON3)" || { echo "PayGo needs Python 3.11 or newer (set PYTHON3=/path/to/python3)."; exit 1; }
	@test -x $(PYTHON) || $(PYTHON3) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "Cannot make a virtual environment: is the venv module of $(PYTHON3) installed?"; exit 1; }
	@echo "Installing the dependencies into $(VENV) (once, about a minute)"
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check -r requirements.txt -r requirements-dev.txt
	@touch $@

run: install ## Run everything: PostgreSQL, Valkey, simulated node, web, worker, beat (PORT=8080)
	@$(PYTHON) -m paygo.devstack run --host $(HOST) --port $(PORT)

demo: install ## Pay, stream, watch the meter and end: one whole stream, on a running stack or an own one
	@$(PYTHON) manage.py demo

demo-hybrid: install ## A stream that outlives its ZEC and ends paid from both rails (needs npm)
	@$(PYTHON) manage.py demo_hybrid

test: install ## Run every test (TESTS=tests/unit for some of them)
	@$(PYTHON) -m pytest -n 2 $(TESTS)

lint: install ## Check style, types, imports, migrations, and that no registry or machine path is named
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy
	@$(VENV)/bin/lint-imports
	@$(NO_DATABASE) $(PYTHON) manage.py makemigrations --check --dry-run
	@! git grep --untracked -nIE $(FORBIDDEN) || { echo "A package registry or a path of one machine is named above."; exit 1; }

contracts: install ## Compile the contracts to contracts/build (the same bytes everywhere)
	@$(PYTHON) -m contracts.build

api: install ## Renew what follows from the API: examples, docs/openapi.json, the Python client; review the diff
	@PAYGO_RECORD_EXAMPLES=1 $(PYTHON) -m pytest -q -n 0 tests/api/test_matrix.py
	@$(NO_DATABASE) PAYGO_SECRET_KEY=none $(PYTHON) manage.py openapi docs/openapi.json
	@$(PYTHON) clients/generate.py docs/openapi.json clients/python/paygo_client
	@$(PYTHON) -m ruff check --quiet --fix --select F401,I clients
	@$(PYTHON) -m ruff format --quiet clients

bench: install ## Measure the billing engine (half an hour; see bench/RESULTS.md)
	@$(PYTHON) -m bench

soak: install ## Kill, stop, race and live for long (KILLS=2000 STOPS=200 PAYOUTS=200 RACES=10000 LIVES=5 ORDERS=200); a bar and a report
	@$(PYTHON) -m tests.soak $(if $(KILLS),--kills $(KILLS)) $(if $(STOPS),--stops $(STOPS)) $(if $(PAYOUTS),--payouts $(PAYOUTS)) \
		$(if $(RACES),--races $(RACES)) $(if $(LIVES),--lives $(LIVES)) $(if $(ORDERS),--orders $(ORDERS)) $(if $(SEED),--seed $(SEED))

lock: install ## Resolve the dependencies of pyproject.toml anew
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check uv
	@$(PYTHON) -m uv pip compile --quiet --no-header --no-annotate --universal --python-version 3.11 \
		--upgrade pyproject.toml -o requirements.txt
	@$(PYTHON) -m uv pip compile --quiet --no-header --no-annotate --universal --python-version 3.11 \
		--upgrade --extra dev -c requirements.txt pyproject.toml -o requirements-dev.txt

clean: ## Delete caches and what tests and demos have left; data and .venv stay
	@if [ -x $(PYTHON) ]; then for part in test demo; do \
		$(PYTHON) -m paygo.devstack clean --data-dir .paygo/$$part; done; fi
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage staticfiles
	@find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

reset: clean ## Delete the data of `make run` too: a fresh start
	@if [ -x $(PYTHON) ]; then $(PYTHON) -m paygo.devstack clean; fi
