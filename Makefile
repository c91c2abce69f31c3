# make run       install into .venv and start the server, e.g. make run ARGS="--listen tcp:8081"
# make test      run the whole test suite on all cores, e.g. make test ARGS="-k ledger"
# make bench     run all benchmarks, e.g. make bench BENCH=klein ARGS=--quick
# make bench     BENCH=revisions BESIDE=../other    compare this checkout with another one, in the same run
# make soak      half an hour under load with a fault every minute; resource use must not grow, e.g. make soak ARGS=--quick
# make chaos     inject faults into the server under load, e.g. make chaos CHAOS=frozen
# make mutants   change the core code one place at a time and check that its tests fail, e.g. make mutants MUTANTS=domain
# make lint      run ruff
# make types     run mypy
# make elsewhere run both README commands on a bare Debian 12 and 13, as root, e.g. make elsewhere ARGS=trixie
# make lock      renew the locked versions and hashes in requirements/, e.g. make lock ARGS="--upgrade-package twisted"
# make dist      build dist/: the wheel, what it needs (locked), a bill of materials (CycloneDX), and checksums
# make locale    update the translation catalogues from the templates, and list the missing translations

PYTHON ?= python3
ARGS ?=
BENCH ?=
BESIDE ?=
CHAOS ?=
MUTANTS ?=

LOCKED = .venv/bin/python -m pip install --quiet --no-build-isolation --require-hashes --requirement
SOURCES := setup.py pyproject.toml README.md $(shell find wifidogd templates twisted -type f ! -name '*.pyc' ! -name dropin.cache)

.PHONY: run test elsewhere bench soak chaos mutants lint types locale lock dist clean

run: .venv/installed
	.venv/bin/twistd --nodaemon --pidfile= wifidogd $(ARGS)

test: .venv/installed .venv/developing
	tools/for-tests .venv/bin/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile $(ARGS)

elsewhere:
	tools/elsewhere $(ARGS)

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

lock: .venv/releasing
	tools/lock $(ARGS)

dist: .venv/releasing
	tools/dist

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache

.venv/installed: tools/make-venv tools/install requirements/build.txt requirements/run.txt $(SOURCES)
	tools/install .venv '$(PYTHON)'
	touch $@

.venv/developing: requirements/dev.txt | .venv/installed
	$(LOCKED) requirements/dev.txt
	touch $@

.venv/releasing: requirements/release.txt | .venv/installed
	$(LOCKED) requirements/release.txt
	touch $@
