# `make demo` and `make test` each set up what they need and run; a second call finds it set up.
#
#   PYTHON=…     the Python to use; otherwise the first of python3, python3.13, python3.12, python3.11 that will do
#   DATA=…       folder of the public data sets that `make train` and `make bench` read
#   RUNS=…       folder that `make train` writes to
#   MODEL=…      model that `make bench` measures
#   FUZZ=…       options of `make fuzz`: --count 1000 --seconds 60 --jobs 2 --seed 7

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

DEMO_ENV := .venv
TEST_ENV := .venv-test
DATA ?= ../shared/data
RUNS ?= runs
MODEL ?= mini
FUZZ ?= --jobs 2
PIP := -m pip --disable-pip-version-check --quiet
TEST_BIN := $(TEST_ENV)/bin

.PHONY: help demo test lint types layers docstrings dependencies tests explore fuzz docs picture train bench clean

help: ## What there is to make
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(DEMO_ENV)/.core ## Extract from the example texts: a table here, and demo/index.html
	@$(DEMO_ENV)/bin/python examples/demo.py

test: lint types layers docstrings dependencies tests ## Everything that CI checks

lint: $(TEST_ENV)/.all ## Style, and common mistakes
	$(TEST_BIN)/ruff check
	$(TEST_BIN)/ruff format --check

types: $(TEST_ENV)/.all
	$(TEST_BIN)/mypy

layers: $(TEST_ENV)/.all
	$(TEST_BIN)/lint-imports --no-logo

docstrings: $(TEST_ENV)/.all
	$(TEST_BIN)/pydoclint --quiet src benchmarks examples docs

dependencies: $(TEST_ENV)/.all
	$(TEST_BIN)/deptry src

tests: $(TEST_ENV)/.all ## The tests alone; with Apertium, which this installs where it may
	@bash scripts/apertium
	$(TEST_BIN)/pytest -n auto

explore: $(TEST_ENV)/.all ## The tests with new random examples, and more of them
	$(TEST_BIN)/pytest -n auto --hypothesis-profile exploring

fuzz: $(TEST_ENV)/.all ## A million damaged answers of decoders: none may raise, be slow or run anything (FUZZ)
	$(TEST_BIN)/python tests/fuzz_answers.py $(FUZZ)

docs: $(TEST_ENV)/.all ## Write docs/cli.md anew from the commands' own help
	$(TEST_BIN)/python docs/write_cli.py

picture: demo ## Take docs/demo.png, the picture in the README, anew (needs chromium)
	chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --force-device-scale-factor=1.25 \
	  --window-size=1100,735 --screenshot=docs/demo.png demo/index.html 2>/dev/null

train: $(TEST_ENV)/.all ## Train mini and mini-decoder anew (hours; reads DATA, writes RUNS)
	@bash scripts/apertium
	for config in training/*.toml; do \
	  case $$config in \
	    *mixture*) command=mixture ;; *rough*) command='train rough' ;; *silver*) command='train silver' ;; \
	    *) command='train encoder' ;; \
	  esac; \
	  DATA=$(abspath $(DATA)) RUNS=$(abspath $(RUNS)) $(TEST_BIN)/transfusion $$command $$config; \
	done
	for config in training/decoder/*.toml; do \
	  DATA=$(abspath $(DATA)) RUNS=$(abspath $(RUNS)) $(TEST_BIN)/transfusion train decoder $$config; \
	done

bench: $(TEST_ENV)/.all ## Start-up time, memory, and F1 on natural text, of MODEL
	$(TEST_BIN)/python benchmarks/startup.py --model $(MODEL)
	$(TEST_BIN)/python benchmarks/memory.py --model $(MODEL)
	$(TEST_BIN)/python benchmarks/natural.py --model $(MODEL) --data $(DATA)

clean: ## Remove what the other targets made
	rm -rf $(DEMO_ENV) $(TEST_ENV) demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests benchmarks examples docs -name __pycache__ -type d -prune -exec rm -rf {} +

$(DEMO_ENV)/.core: pyproject.toml
	@echo "Setting up $(DEMO_ENV)"
	@bash scripts/new-venv $(DEMO_ENV) "$(PYTHON)"
	@$(DEMO_ENV)/bin/python $(PIP) install --editable .
	@touch $@

# The two dependency sets are resolved together, or the second could undo the first's choice of versions.
$(TEST_ENV)/.all: pyproject.toml
	@echo "Setting up $(TEST_ENV): this takes a few minutes the first time"
	@bash scripts/new-venv $(TEST_ENV) "$(PYTHON)"
	@$(TEST_ENV)/bin/python $(PIP) install --upgrade 'pip>=25.1'
	@$(TEST_ENV)/bin/python $(PIP) install --editable '.[train,hf,chat,mini-decoder]' --group dev
	@touch $@
