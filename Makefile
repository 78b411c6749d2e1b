# One command for each need. Every target sets up what it needs; nothing has to be installed by hand first.
#
#   make demo     the main job on this machine: a phantom CT goes in, a report comes back (DEMO_ARGS=--once ends by itself)
#   make viewer   builds the OHIF plugin and fetches the pinned viewer, which the agent then serves; part of `make demo`
#   make test     everything, with real peers where they can be installed
#   make check    lint, types and the quick tests, in under a minute
#   make bench    figures beside named peers, also in build/bench.json
#   make train-demo  trains the demo model again into build/train-demo and says how close it came (under two hours)
#   make train    the same into models/bundles: a new version of the bundle (TRAIN_ARGS="--preset gpu-single" for others)

PYTHON ?= python3
BIN := .venv/bin
STAMPS := .stamps

.PHONY: demo viewer viewer-or-without plugin-check test check bench train train-demo peers hooks clean
.DELETE_ON_ERROR:

# With --once nobody looks at the viewer.
demo: $(STAMPS)/run $(if $(findstring --once,$(DEMO_ARGS)),,viewer-or-without)
	$(BIN)/pacs-agent demo $(DEMO_ARGS)

viewer:
	deploy/viewer.sh

viewer-or-without:
	@deploy/viewer.sh optional

# Types, lint and tests of the plugin; tests in the browser are pytest's (tests/e2e).
plugin-check: viewer-or-without
	@if [ -d ohif-extension/node_modules ]; then npm --prefix ohif-extension run --silent check; \
	else echo "plugin: not checked without Node.js"; fi

test: $(STAMPS)/develop peers plugin-check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest $(PYTEST_ARGS)

check: $(STAMPS)/develop
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -q -n 2 --dist loadfile --hypothesis-profile quick -m "not slow and not peers and not real_images" tests/unit

bench: $(STAMPS)/develop peers
	$(BIN)/python -m tests.bench $(BENCH_ARGS)

train: $(STAMPS)/develop
	$(BIN)/python -m models.msvlm.train $(TRAIN_ARGS)

train-demo: $(STAMPS)/develop
	$(BIN)/python -m models.msvlm.train --preset cpu-demo --out build/train-demo $(TRAIN_ARGS)
	$(BIN)/python -m models.evaluation.reproduced models/bundles build/train-demo

peers:
	deploy/peers.sh

hooks: $(STAMPS)/develop
	$(BIN)/pre-commit install

clean:
	rm -rf .venv .venv-peers $(STAMPS) build .cache
	rm -rf ohif-extension/node_modules ohif-extension/dist ohif-extension/viewer

$(STAMPS)/run: pyproject.toml deploy/constraints.txt deploy/venv.sh
	deploy/venv.sh $(PYTHON) cpu
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/develop: pyproject.toml deploy/constraints.txt deploy/venv.sh
	deploy/venv.sh $(PYTHON) cpu,train,dev
	@mkdir -p $(STAMPS) && touch $@ $(STAMPS)/run
