# make run and make test are all a fresh machine needs (Python 3.11+, git, make).
PYTHON ?= python3
BIN := .venv/bin
# A machine without NVIDIA GPU saves several GB: make run TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
PIP_FLAGS := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))

.PHONY: run test test-slow check wheel ui mlflow format docs
run: .venv/installed
	$(BIN)/soc demo --if-empty
	$(BIN)/soc run

test: .venv/installed
	$(BIN)/python -m pytest -n auto --dist loadscope -m "not slow"

# The real daemon, Ray and PostgreSQL, and processes killed in the middle of their work.
test-slow: .venv/installed
	$(BIN)/python -m pytest -n auto --dist loadscope -m slow

check: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/pyright
	$(BIN)/dagster definitions validate -w workspace.yaml
	$(BIN)/dagster definitions validate

# dist/soc_assets-*.whl, which installs anywhere: pip install dist/*.whl
wheel: .venv/installed
	rm -rf build dist
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .
	rm -rf build

ui: .venv/installed
	$(BIN)/soc ui

mlflow: .venv/installed
	$(BIN)/soc mlflow

# The site in site/, without network; open site/index.html.
docs: .venv/installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "The documentation is in site/index.html"

format: .venv/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=")'
	@echo "Installing into .venv (torch is large: this can take some minutes) ..."
	@if command -v uv >/dev/null; then set -x; \
	  uv venv --quiet --allow-existing --seed --python "$$(command -v $(PYTHON))" .venv && \
	  uv pip install --python .venv --index-strategy unsafe-best-match $(PIP_FLAGS) -c constraints.txt -e ".[dev]"; \
	else set -x; \
	  $(PYTHON) -m venv .venv && \
	  $(BIN)/python -m pip install --disable-pip-version-check $(PIP_FLAGS) -c constraints.txt -e ".[dev]"; \
	fi
	@touch $@
