# Every command of this repository; `make help` lists them. CI runs the same ones.

# The first that runs and is new enough: a name on the PATH may be a shim of something that is not installed.
PYTHON ?= $(firstword $(foreach p,python3.11 python3.12 python3.13 python3,$(shell \
	$(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $(p))))
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
TORCH := torch==2.13.0
UV_COMPILE := $(BIN)/uv pip compile --quiet --universal --fork-strategy fewest --generate-hashes \
	--python-version 3.11 --no-header --no-annotate --no-emit-index-url
STUBS := client/seq2serve/v1 service/kserve/stubs
PROTOC := PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m grpc_tools.protoc

.PHONY: help serve test e2e check audit bench bench-stack roll proto lock wheel clean
.DEFAULT_GOAL := help

help: ## list the commands
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)/make \1\t\2/' | expand -t 18

serve: $(VENV)/.server ## serve the bundled model on 127.0.0.1:50051
	@exec $(BIN)/python -m service --model-repository model_repository

test: $(VENV)/.test ## run all tests but those of e2e, on two cores at a time; ARGS are given to pytest
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

e2e: $(VENV)/.test ## run docker-compose.yml and test it from outside, where Docker runs; ARGS are given to pytest
	@$(BIN)/python -m pytest tests/e2e $(ARGS)

check: $(VENV)/.dev ## lint, types, import contracts, generated stubs, known vulnerabilities
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@rm -rf $(VENV)/stubs
	@$(MAKE) --no-print-directory proto STUB_ROOT=$(VENV)/stubs/client SERVER_STUB_ROOT=$(VENV)/stubs
	@for stubs in $(STUBS); do diff -r -x __init__.py -x __pycache__ $(VENV)/stubs/$$stubs $$stubs || \
		{ echo "$$stubs is not what the .proto files say: run make proto" >&2; exit 1; }; done
	@$(MAKE) --no-print-directory audit

# An environment of its own: what audits must not change what is audited.
audit: $(VENV)/.python ## look what serves up among known vulnerabilities, where an advisory service answers
	@test -x $(VENV)/audit/bin/pip-audit || { $(BIN)/python -m venv $(VENV)/audit && \
		$(VENV)/audit/bin/pip install --quiet --disable-pip-version-check 'pip-audit==2.10.*'; } || \
		echo "audit skipped: pip-audit cannot be installed from here"
	@test ! -x $(VENV)/audit/bin/pip-audit || $(VENV)/audit/bin/python requirements/audit.py

bench: $(VENV)/.dev ## compare with what could be run instead; FILE has the sentences, ARGS go to benchmarks.compare
	@test -n "$(FILE)" || { echo "make bench FILE=sentences.txt [ARGS='--runs 5']: name a file, a sentence a line" >&2; exit 1; }
	@$(BIN)/python -m benchmarks.compare $(FILE) $(ARGS)

bench-stack: $(VENV)/.dev ## measure docker-compose.yml: replicas, a slow one, a killed one; FILE has the sentences
	@test -n "$(FILE)" || { echo "make bench-stack FILE=sentences.txt: name a file, a sentence a line" >&2; exit 1; }
	@$(BIN)/python -m benchmarks.stack $(FILE) $(ARGS)

roll: ## replace all replicas of docker-compose.yml by those of the current image, without a lost call
	@deploy/roll.sh

STUB_ROOT ?= client
SERVER_STUB_ROOT ?= .
outputs = --python_out=$(1) --pyi_out=$(1) --grpc_python_out=$(1) --mypy_grpc_out=quiet:$(1)
proto: $(VENV)/.dev ## generate the stubs from the .proto files
	@mkdir -p $(STUB_ROOT) $(SERVER_STUB_ROOT)
	@$(PROTOC) -Iproto $(call outputs,$(STUB_ROOT)) proto/seq2serve/v1/*.proto
	@$(PROTOC) -Iservice/kserve/stubs=proto/inference $(call outputs,$(SERVER_STUB_ROOT)) proto/inference/*.proto

lock: $(VENV)/.python ## choose new exact versions within the bounds of pyproject.toml
	@$(PIP) uv
	$(UV_COMPILE) --upgrade --group dev-without-torch -o requirements/dev.txt
	$(UV_COMPILE) --group test-without-torch -c requirements/dev.txt -o requirements/test.txt
	$(UV_COMPILE) --group server -c requirements/dev.txt -o requirements/server.txt
	$(UV_COMPILE) --group cpu -c requirements/dev.txt -o requirements/cpu.txt
	$(UV_COMPILE) --group cuda -c requirements/dev.txt -o requirements/cuda.txt
	$(UV_COMPILE) --group tracing -c requirements/dev.txt -o requirements/tracing.txt

wheel: $(VENV)/.dev ## build the client's wheel into dist/
	@rm -rf dist
	@$(BIN)/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	@$(BIN)/python -c "import sys, zipfile; names = {n.split('/')[0].split('-')[0] for n in zipfile.ZipFile(sys.argv[1]).namelist()}; \
		sys.exit(0 if names == {'seq2serve'} else f'the wheel holds {names}')" dist/*.whl
	@ls dist/*.whl

clean: ## delete the virtual environment and everything built
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis

# Each environment adds to the one before and never takes away: a stamp says that it is installed.
$(VENV)/.python:
	@test -n "$(PYTHON)" || { echo "no Python 3.11 or newer found: install one, or set PYTHON" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is $$($(PYTHON) --version 2>&1): Python 3.11 or newer is needed (set PYTHON)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@$(PIP) --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.server: requirements/server.txt $(VENV)/.python pyproject.toml
	@echo "installing what serving needs"
	@$(PIP) --require-hashes -r requirements/server.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.test: requirements/test.txt $(VENV)/.server
	@echo "installing what tests need"
	@$(PIP) --require-hashes -r requirements/test.txt
	@$(PIP) $(TORCH)
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.test
	@echo "installing what development needs"
	@$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@
