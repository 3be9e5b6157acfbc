# Sets up .venv from the pinned lock and runs everything in it. `make` alone lists the targets.

# How many cores a run may use.
CORES ?= all
# The interpreter that .venv is made with; empty: the first suitable one that is found.
PYTHON ?=

.DEFAULT_GOAL := help
.PHONY: help run worlds test lint bench calibrate schemas lock .venv

IN_VENV := PATH="$(CURDIR)/.venv/bin:$$PATH"
SNAKEMAKE := $(IN_VENV) snakemake --cores $(CORES) --quiet reason host

help: ## List the targets
	@awk -F ':[^#]*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv ## Make the report of config/config.yaml (CORES=4 limits the cores)
	@$(SNAKEMAKE)

worlds: .venv ## Make the reports of all four simulated worlds
	@$(SNAKEMAKE) -- worlds
	@for world in as_claimed no_effect reversed confounded; do \
	  echo "Report: $(CURDIR)/results/$$world/report.html"; \
	done

test: .venv ## Run all tests
	@$(IN_VENV) pytest -n auto

lint: .venv ## Check style, types and rules
	$(IN_VENV) ruff check .
	$(IN_VENV) ruff format --check .
	$(IN_VENV) mypy
	$(IN_VENV) snakefmt --check Snakefile workflow/rules
	$(IN_VENV) snakemake --lint

bench: .venv ## Measure speed: the scripts of benchmarks/
	@for script in $(filter-out benchmarks/calibrate.py benchmarks/calibration_%.py benchmarks/fresh_process.py,$(wildcard benchmarks/*.py)); do \
	  .venv/bin/python "$$script" || exit 1; \
	done

calibrate: .venv ## Measure how often each rule is wrong: docs/calibration.md, calibration_peaks.md
	@.venv/bin/python benchmarks/calibrate.py
	@.venv/bin/python benchmarks/calibrate.py --peaks

schemas: .venv ## Write workflow/schemas/ anew from the models
	@PYTHONPATH=workflow/scripts .venv/bin/python -m reclaim.schemas

# uv reads no configuration of pip, so the index that pip uses is handed on. Pins stay where
# pyproject.toml allows; delete the lock first to move all of them.
lock: ## Write requirements.lock anew from pyproject.toml; envs/reclaim.yaml must follow
	@$(FIND_PYTHON); set -e; uv=$$(mktemp -d); trap 'rm -rf "$$uv"' EXIT; \
	$$python -m venv "$$uv"; "$$uv/bin/pip" install --quiet uv; \
	index=$$("$$uv/bin/pip" config list | sed -n "s/^[^=]*[.]index-url='\(.*\)'$$/\1/p" | tail -n 1); \
	if [ -n "$$index" ]; then export UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$$index}"; fi; \
	"$$uv/bin/uv" pip compile --quiet --universal --python-version 3.11 --group dev --generate-hashes \
	  --no-emit-index-url --no-header --output-file requirements.lock pyproject.toml

# The stamp holds the folder and the lock that .venv was made from: a changed lock, a moved folder or
# a vanished interpreter makes it anew.
STAMP := .venv/made-from
.venv:
	@if [ -x .venv/bin/python ] && { echo "# $(CURDIR)"; cat requirements.lock; } | cmp -s - $(STAMP); then \
	  exit 0; \
	fi; \
	$(FIND_PYTHON); \
	echo "Setting up .venv with $$($$python --version) from requirements.lock (once, a minute or two) ..."; \
	$$python -m venv --clear .venv || { echo "error: .venv cannot be made (see above)" >&2; exit 1; }; \
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock || { \
	  echo "error: the pinned packages could not be installed (see above): check that pip reaches a package" \
	    "index; on Python 3.13 or newer two packages are compiled (Debian: apt install gcc python3-dev)" >&2; \
	  exit 1; \
	}; \
	{ echo "# $(CURDIR)"; cat requirements.lock; } > $(STAMP)

# Sets $python: PYTHON, or the first interpreter that is 3.11 or newer and has the venv module. 3.12 and
# 3.11 come first because every compiled package of the lock has wheels for them. Of an activated
# environment the interpreter below it counts: .venv cannot make itself.
define FIND_PYTHON
python=; problem="Python 3.11 or newer is needed and was not found: install it (Debian: apt install python3 python3-venv), or name one: make PYTHON=/path/to/python3.12"; \
for candidate in $(or $(PYTHON),python3.12 python3.11 python3.13 python3); do \
  candidate=$$("$$candidate" -c 'import sys; print(sys._base_executable); sys.exit(sys.version_info < (3, 11))' 2>/dev/null) || continue; \
  if "$$candidate" -c 'import ensurepip, venv' 2>/dev/null; then python=$$candidate; break; fi; \
  problem="$$candidate has no venv module: install it (Debian: apt install python3-venv)"; \
done; \
if [ -z "$$python" ]; then echo "error: $$problem" >&2; exit 1; fi
endef
