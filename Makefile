# Every target makes or refreshes .venv by itself; a fresh clone needs no other step.
PYTHON := .venv/bin/python
MESHCYCLE := .venv/bin/meshcycle
export OMP_NUM_THREADS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup demo fix check test test-slow open-model wheel images docker-test lock clean

help:  ## List the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 13

setup: .venv/.ready  ## Make or refresh .venv from requirements.lock

.venv/.ready: requirements.lock pyproject.toml .python-version tools/make_venv.sh
	@tools/make_venv.sh .venv
	@touch $@

demo: .venv/.ready  ## The complete loop on made data: no GPU, no dataset, a few minutes
	@tools/demo.sh demo $(MESHCYCLE)

fix: .venv/.ready  ## Format, repair what the linter can repair, write docs/configuration.md
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m tools.config_reference

check: .venv/.ready  ## Ruff, mypy --strict, import rules
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	.venv/bin/lint-imports

# As many processes as cores, so a thread for each: more would wait for each other.
test test-slow wheel: export OMP_NUM_THREADS := 1

test: .venv/.ready  ## All tests but the slow ones, Blender included: minutes
	$(PYTHON) -m pytest -q -n auto -m "not slow"

test-slow: .venv/.ready  ## The slow tests: the whole demonstration, exports, several processes
	$(PYTHON) -m pytest -q -n auto -m slow

wheel: .venv/.ready  ## Build the wheel, install it elsewhere, test it from there
	@tools/test_wheel.sh

images:  ## Build both container images with the commit baked in (needs Docker)
	@tools/images.sh

docker-test: .venv/.ready  ## Images, and a farm of containers through crashes; skips without Docker
	@PYTHON=$(PYTHON) $(PYTHON) -m tools.docker_test

open-model: .venv/.ready  ## Data, training and weights of the open model: hours; CLONE=, HAND_PHOTOS=, PHOTOGRAPHS=
	@tools/open_model.sh $(MESHCYCLE) $(PYTHON) "$(CLONE)" "$(HAND_PHOTOS)" $(PHOTOGRAPHS)

lock: .venv/.ready  ## Resolve requirements.lock again (needs uv)
	@tools/lock.sh

clean:  ## Remove the environment and everything that was built
	rm -rf .venv dist build demo .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
