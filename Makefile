# TORCH=cpu|cuda chooses the build of torch: cpu takes the CPU wheel of PyTorch's own index where that can be
# reached, and whatever pip finds otherwise; cuda takes the default wheel.
TORCH ?= cpu
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH_INDEX_cpu := --extra-index-url https://download.pytorch.org/whl/cpu
TORCH_SPEC := $(shell grep '^torch==' requirements.txt)

.PHONY: setup demo test lint bench starters clean

setup: $(VENV)/ready

$(VENV)/ready: pyproject.toml requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --no-deps $(TORCH_INDEX_$(TORCH)) "$(TORCH_SPEC)"
	$(BIN)/pip install -q -e ".[dev]"
	touch $@

demo: setup
	rm -rf demo
	for key in brats2023-gli mbas2024; do \
	  $(BIN)/segcube phantoms --challenge $$key --count 2 --seed 7 demo/$$key && \
	  $(BIN)/segcube infer --data_path demo/$$key/data --output_path demo/$$key/maps --report demo/$$key/report.json && \
	  $(BIN)/segcube evaluate --pred demo/$$key/maps --ref demo/$$key/labels --challenge $$key && \
	  $(BIN)/segcube picture --data demo/$$key/data --maps demo/$$key/maps --challenge $$key demo/$$key/pictures || exit 1; \
	done
	@echo "The maps are in demo/*/maps, a picture of each case in demo/*/pictures."

test: setup
	$(BIN)/pytest

lint: setup
	$(BIN)/ruff check project tests benchmarks
	$(BIN)/ruff format --check project tests benchmarks
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

bench: setup
	$(BIN)/python benchmarks/run.py
	$(BIN)/python benchmarks/starters.py

starters: setup
	$(BIN)/python -m segcube.train.starters --out weights

clean:
	rm -rf $(VENV) demo bench
