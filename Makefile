# The only commands to remember: make start | test | check | fix | bench | stop.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: start test check fix bench chaos stop install bench-logging bench-atp bench-weld demo-weld

start: install            ## set everything up and start the workstation; Ctrl-C stops it
	@$(BIN)/arm up

stop:                     ## stop a workstation started elsewhere with the same ARM_HOME
	@$(BIN)/arm down

install: $(STAMP)

# Compiled now, because later nobody may: scripts see the environment read-only, and torch would be compiled at each start.
$(STAMP): requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/pip install --quiet --disable-pip-version-check uv
	@UV_COMPILE_BYTECODE_TIMEOUT=600 $(BIN)/uv pip sync --quiet --compile-bytecode requirements.lock
	@$(BIN)/uv pip install --quiet --no-deps --editable .
	@$(BIN)/python -m compileall -q PlatformAPI app atp backend
	@touch $(STAMP)

test: install check       ## lint, types, import rules, then every test
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

check: install
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/codespell

fix: install
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: install            ## every benchmark, each comparable to its peers
	@$(BIN)/python -m benchmarks

bench-logging: install    ## a point's cost beside TensorBoard, MLflow, Aim, W&B, ClearML and trackio
	@$(BIN)/python -m benchmarks.bench_logging
	@$(BIN)/python -m benchmarks.logging_peers

bench-atp: install        ## what a compiled pipeline costs beside a hand-written loop, Lightning, MONAI
	@$(BIN)/python -m benchmarks.bench_atp

bench-weld: install       ## our weld detector beside yolov8n and torchvision's (ARGS="--minutes 30 --data FOLDER")
	@$(BIN)/python -m benchmarks.bench_weld $(ARGS)

chaos: install            ## kill everything at random, then check the books (ARGS="--seed 2 --faults 50 --ui")
	@$(BIN)/python -m tests.chaos --faults 200 $(ARGS)

demo-weld: install        ## import the real weld data, train, test, print mAP
	@$(BIN)/python -m benchmarks.demo_weld $(ARGS)

lock:                     ## rewrite requirements.lock after a change of pyproject.toml
	@$(BIN)/uv pip compile pyproject.toml --all-extras --no-header --no-annotate --python-version 3.11 --quiet -o requirements.lock
