# make run      install into .venv and start the server, e.g. make run ARGS="--listen tcp:8081"
# make test     run the whole test suite on all cores, e.g. make test ARGS="-k ledger"
# make bench    run all benchmarks, e.g. make bench BENCH=klein ARGS=--quick
# make bench BENCH=revisions BESIDE=../other    compare this checkout with another one, in the same run
# make soak     half an hour under load with a fault every minute; resource use must not grow, e.g. make soak ARGS=--quick
# make chaos    inject faults into the server under load, e.g. make chaos CHAOS=frozen
# make mutants  change the core code one place at a time and check that its tests fail, e.g. make mutants MUTANTS=domain
# make lint     run ruff
# make types    run mypy
# make locale   update the translation catalogues from the templates, and list the missing translations

PYTHON ?= python3
ARGS ?=
BENCH ?=
BESIDE ?=
CHAOS ?=
MUTANTS ?=

PIP = .venv/bin/python -m pip
CONSTRAINTS = requirements/constraints.txt
SOURCES := setup.py pyproject.toml README.md $(shell find wifidogd templates twisted -type f ! -name '*.pyc' ! -name dropin.cache)

.PHONY: run test bench soak chaos mutants lint types locale clean

run: .venv/installed
	.venv/bin/twistd --nodaemon --pidfile= wifidogd $(ARGS)

test: .venv/installed .venv/developing
	tools/for-tests .venv/bin/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile $(ARGS)

bench: .venv/installed
	BESIDE='$(BESIDE)' .venv/bin/python -m benchmarks $(BENCH) $(ARGS)

soak: .venv/installed
	mkdir -p build
	tools/for-tests .venv/bin/python -m tests.chaos.soak --json build $(ARGS)

chaos: .venv/installed
	mkdir -p build
	tools/for-tests .venv/bin/python -m tests.chaos $(CHAOS) --json build/chaos.json

mutants: .venv/developing
	tools/for-tests .venv/bin/python -m tests.mutants $(MUTANTS) $(ARGS)

lint: .venv/developing
	.venv/bin/ruff check .

types: .venv/developing
	.venv/bin/mypy

locale: .venv/developing
	.venv/bin/python tools/catalogues.py update

clean:
	rm -rf .venv build *.egg-info .mypy_cache .pytest_cache .ruff_cache

.venv/made: tools/make-venv
	tools/make-venv .venv '$(PYTHON)'
	$(PIP) install --quiet --constraint $(CONSTRAINTS) 'setuptools>=70.1'
	touch $@

# setuptools leaves build/ behind, and would install files from it that have been removed from the checkout.
.venv/installed: .venv/made $(CONSTRAINTS) $(SOURCES)
	rm -rf build
	$(PIP) install --quiet --use-pep517 --no-build-isolation --constraint $(CONSTRAINTS) .
	touch $@

.venv/developing: setup.py $(CONSTRAINTS) | .venv/installed
	$(PIP) install --quiet --use-pep517 --no-build-isolation --constraint $(CONSTRAINTS) '.[dev]'
	touch $@
