# One command for each need. Every target sets up what it needs; nothing has to be installed by hand first.
#
#   make demo     the main job on this machine: a phantom CT goes in, a report comes back (DEMO_ARGS=--once ends by itself)
#   make viewer   builds the OHIF plugin and fetches the pinned viewer, which the agent then serves; part of `make demo`
#   make test     everything, with real peers where they can be installed (PYTEST_ARGS="-k word" for a part)
#   make check    lint, types and the quick tests; of these only files of which anything changed since they passed (ALL=1 for all)
#   make fuzz     looks for bytes of a peer that break a promise (FUZZ_SECONDS=600 for each of three readers)
#   make bench    figures beside named peers, also in build/bench.json
#   make train-demo  trains the demo model again into build/train-demo and says how close it came (under two hours)
#   make evaluate-gtgm  what pretraining is worth with few labels, against its controls (hours; EVALUATE_ARGS="--minutes 30")
#   make train    the same into models/bundles: a new version of the bundle (TRAIN_ARGS="--preset gpu-single" for others)

PYTHON ?= python3
FUZZ_SECONDS ?= 600
BIN := .venv/bin
STAMPS := .stamps

# Tests of the model need torch, which takes seconds to load: one process has them, another all that need it not.
OF_MODELS := $(addprefix tests/unit/,models/ gtgm/ evaluation/ datasets/ inference/ imaging/ test_bench_flops.py)
OF_ROOMS := $(filter-out $(OF_MODELS) %/__pycache__/,$(wildcard tests/unit/*/) $(wildcard tests/unit/test_*.py))
# Those in which networks learn take half an hour of one core and race with no clock.
OF_LEARNING := $(addprefix tests/unit/,models/ gtgm/)
NONE_LEFT = $(if $(PYTEST_ARGS),|| [ $$? = 5 ])
TESTS = TESTS_IN_MEMORY=14 $(BIN)/pytest
ONE_CORE = OMP_NUM_THREADS=1 TESTS_IN_MEMORY=7
PARTS = $(BIN)/pytest -p no:cacheprovider -m "not alone"
QUICK = OMP_NUM_THREADS=1 TESTS_IN_MEMORY=2 $(BIN)/pytest -q -n 0 -p no:cacheprovider --hypothesis-profile quick \
	-m "not slow and not peers and not real_images" $(if $(ALL),,--passed-before $(STAMPS)/passed-$@.json)

.PHONY: demo viewer viewer-or-without plugin-check test test-running test-whole test-parts test-learning test-alone check check-code check-rooms check-models fuzz bench train train-demo evaluate-gtgm peers hooks clean
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
	@$(MAKE) --no-print-directory -j 2 --keep-going test-running test-learning || failed=1; \
	$(MAKE) --no-print-directory test-alone && [ -z "$$failed" ]

# What runs whole processes, a browser or peers comes first, and what measures time or memory has the machine for itself. Pytest
# ends with 5 where PYTEST_ARGS leaves none of a kind.
test-running:
	@$(MAKE) --no-print-directory -j 1 --keep-going test-whole test-parts

test-whole:
	$(TESTS) tests/e2e tests/integration $(PYTEST_ARGS) $(NONE_LEFT)

test-parts:
	$(ONE_CORE) $(PARTS) -n 2 --dist loadfile $(filter-out $(OF_LEARNING),$(OF_MODELS)) $(OF_ROOMS) $(PYTEST_ARGS) $(NONE_LEFT)

# Behind all else: it gets the time in which the others wait, so its tests may take several times as long.
test-learning:
	$(ONE_CORE) tests/behind.sh $(PARTS) --timeout 3600 $(OF_LEARNING) $(PYTEST_ARGS) $(NONE_LEFT)

test-alone:
	$(TESTS) tests/unit -m alone $(PYTEST_ARGS) $(NONE_LEFT)

check: $(STAMPS)/develop
	@$(MAKE) --no-print-directory -j 3 --keep-going --output-sync=target check-rooms check-models check-code

check-code: $(STAMPS)/develop
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check-rooms: $(STAMPS)/develop
	$(QUICK) $(OF_ROOMS)

check-models: $(STAMPS)/develop
	$(QUICK) $(OF_MODELS)

fuzz: $(STAMPS)/develop
	@for target in wire commands data_set; do \
		echo "fuzzing $$target for $(FUZZ_SECONDS) s"; \
		$(BIN)/python -m tests.fuzz.$$target --seconds $(FUZZ_SECONDS) || exit 1; \
	done

bench: $(STAMPS)/develop peers
	$(BIN)/python -m tests.bench $(BENCH_ARGS)

evaluate-gtgm: $(STAMPS)/develop
	$(BIN)/python -m models.gtgm.evaluate $(EVALUATE_ARGS)

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
