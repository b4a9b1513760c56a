# Two commands are enough: `make demo` and `make test`. Each sets up what it needs, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: setup demo test proofs check bench lock clean help

help:                   ## what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(READY)         ## make the environment (done by the others when needed)

# Debian's Python may come without ensurepip: then its own pip fills the environment from outside.
$(READY): requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) 2>/dev/null \
		|| $(PYTHON) -m venv --clear --without-pip $(VENV)
	@if $(BIN)/python -m pip --version >/dev/null 2>&1; then installer="$(BIN)/python -m pip"; \
		else installer="$(PYTHON) -m pip --python $(BIN)/python"; fi; \
		$$installer install --quiet --disable-pip-version-check --require-hashes --no-deps \
			-r requirements.lock && \
		$$installer install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
			--editable .
	@touch $(READY)

demo: $(READY)          ## simulated mine, tank farm, river and stations: warnings within a minute
	@$(BIN)/tocsin demo $(if $(SECONDS_TO_RUN),--seconds $(SECONDS_TO_RUN))

test: $(READY)          ## every test
	@$(BIN)/python -m pytest -n 2 --dist loadfile

proofs: $(READY)        ## the long proofs: thousands of examples for each law, hours of noise
	@TOCSIN_LONG=1 HYPOTHESIS_PROFILE=night $(BIN)/python -m pytest -n 2 --dist loadfile --timeout 7200

check: $(READY)         ## style, types and architecture, under a minute
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest tests/test_tidy.py

bench: $(READY)         ## the figures, each beside its twin or floor
	@$(BIN)/python -m bench

lock: $(READY)           ## pin the packages anew
	@$(BIN)/python -m pip install --quiet pip-tools
	@$(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --extra dev \
		--no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header \
		-o requirements.lock.draft pyproject.toml
	@{ echo "# Every package the project runs and is tested with, pinned by hash; no addresses."; \
		echo "# Made anew by \`make lock\`."; cat requirements.lock.draft; } > requirements.lock
	@rm requirements.lock.draft

clean:                  ## remove what was made
	rm -rf $(VENV) .numba_cache .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
