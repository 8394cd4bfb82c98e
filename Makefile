# make demo    set up, then a morning of the ten pilot cities on the embedded store
# make test    set up, then everything that CI runs
# make bench   set up, then the benchmark with its floor (bench/README.md)
# make gen     write again everything that is generated
# make setup   only set up: .venv with every package, and on Debian as root the system packages
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help setup demo test lint bench gen clean

help:
	@sed -n 's/^# //p' Makefile

setup: $(READY)

$(READY): pyproject.toml tools/setup.sh
	@bash tools/setup.sh
	@touch $(READY)

demo: $(READY)
	@$(BIN)/cebport demo --again

test: lint
	$(BIN)/python -m pytest -n 2

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/mypy cebport
	$(BIN)/python tools/gen.py --check
	$(BIN)/python tools/gen_docs.py --check

bench: $(READY)
	$(BIN)/python -m bench

gen: $(READY)
	$(BIN)/python tools/gen.py
	$(BIN)/python tools/gen_docs.py

clean:
	rm -rf demo build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
