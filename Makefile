# gpiomux: the commands of a checkout. `make help` lists them.
#
# Everything is installed into .venv, in editable form: a changed source file needs no new installation, a changed
# pyproject.toml gets one by itself. Nothing outside this directory is touched, and no target needs root.

.DEFAULT_GOAL := help
VENV := .venv
RUNTIME := $(VENV)/.installed
DEV := $(VENV)/.installed-dev
FUZZ := $(VENV)/.installed-fuzz
BENCH := $(VENV)/.installed-bench

# A .venv does not survive being moved or copied: its scripts and the editable install hold absolute paths.
ifneq ($(shell cat $(RUNTIME) 2>/dev/null),$(CURDIR))
$(RUNTIME): FORCE
endif

.PHONY: help
help: ## List the targets.
	@echo "usage: make TARGET"
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS='	' read -r target text; do \
		printf '  %-12s %s\n' "$$target" "$$text"; done

.PHONY: demo
demo: $(RUNTIME) ## Carry packets over simulated lines in namespaces of its own, and show it; needs no root.
	$(VENV)/bin/python -m tests.demo.demo

.PHONY: shell
shell: $(RUNTIME) ## Open a shell to try gpiomux in, in namespaces of its own; needs no root.
	@$(VENV)/bin/python -m tests.demo.shell

.PHONY: test
test: $(DEV) ## Run all tests that need no test kernel. ARGS="-k wire" passes options to pytest.
	$(VENV)/bin/python -m pytest $(ARGS)

.PHONY: test-packages
test-packages: $(DEV) ## Build wheel, source archive and Debian package; install and remove them, the last as root only.
	$(VENV)/bin/python -m pytest --noconftest $(ARGS) tests/packaging

include tests/kernel/kernel.mk

FUZZ_SECONDS ?= 60

.PHONY: fuzz
fuzz: $(FUZZ) ## Look for words, frames (FUZZ_SECONDS, 60) and configurations we cannot stand. ARGS="FILE" replays frames.
	$(if $(ARGS),,$(VENV)/bin/python -m tests.fuzz.fuzz_configuration)
	$(VENV)/bin/python -m tests.fuzz.fuzz_decoder -max_total_time=$(FUZZ_SECONDS) -max_len=2000 \
		-artifact_prefix=fuzz- $(ARGS)

.PHONY: bench
bench: $(BENCH) ## Measure idle load, goodput and start-up time; table and pictures are also written to bench-out/.
	$(VENV)/bin/python -m tests.bench.bench

.PHONY: pictures
pictures: $(BENCH) ## Draw the terminal pictures of the manual anew, into man/; needs tmux, and somebody who looks at them.
	$(VENV)/bin/python -m tests.demo.pictures

.PHONY: bench-kernel
bench-kernel: $(BENCH) ## Measure words, packets and TCP on real lines in the test kernel, against a C program.
	$(VENV)/bin/python -m tests.bench.kernel

.PHONY: deb
deb: ## Build a Debian package in dist/, for this architecture and the python3 of this Debian.
	python3 packaging/debian/build.py dist

.PHONY: clean
clean: ## Remove .venv, caches and everything else that is made here.
	rm -rf $(VENV) bench-out build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The newest of the usual names that is at least 3.11 and can make virtual environments. PYTHON=... names another.
PYTHON ?= $(firstword $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python; done))

$(RUNTIME): pyproject.toml gpiomux/version.py
	@test -n "$(PYTHON)" || { echo "gpiomux needs Python 3.11 or newer, and there is none in PATH." \
		"Install one (apt-get install python3), or name it: make PYTHON=/path/to/python3 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments here." \
		"On Debian and Ubuntu: sudo apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/python -m pip install --disable-pip-version-check --editable .
	@echo "$(CURDIR)" >$@

$(DEV): $(RUNTIME)
	$(VENV)/bin/python -m pip install --disable-pip-version-check --editable '.[dev]'
	@touch $@

$(FUZZ): $(RUNTIME)
	$(VENV)/bin/python -m pip install --disable-pip-version-check --editable '.[fuzz]'
	@touch $@

$(BENCH): $(RUNTIME)
	$(VENV)/bin/python -m pip install --disable-pip-version-check --editable '.[bench]'
	@touch $@

.PHONY: FORCE
FORCE:
