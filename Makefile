# Needs python3 (3.10 or newer) with venv; everything else comes by pip into .venv, Java for the JVM tests included.
# .venv-spark4 has what the jobs import with the Spark of Glue 6.0: two versions of PySpark cannot share an environment.
PYTHON ?= python3
BIN := .venv/bin
LAKE ?= lake
DEMO_LAKE ?= demo-lake
# Tests wait for half of their time, for programs and for each other: 23 of 54 minutes of two cores were the processor's.
JOBS ?= $(shell $(PYTHON) -c 'import os; print(2 + (os.cpu_count() or 1))')
# Tests that start a program of another kind, or many processes, are more than half of the time of all.
ALONE := not (jvm or spark4 or browser or daemon or emulator or image or linters or postgres)
PIN := --universal --python-version 3.10 --generate-hashes --no-annotate --no-strip-extras --no-emit-index-url \
  --no-emit-find-links --custom-compile-command "make lock"
PINNED := sed -nE 's/^([^ \#].*==.*) \\$$/\1/p' requirements.lock
# What runs on AWS. Glue has the Spark of the jobs: the embedded engine, pysail, stays away.
IMAGE_EXTRAS := ui production redshift dashboard

LOCKS := requirements.lock requirements-spark4.lock requirements-infra.lock \
  infra/image/requirements.lock infra/image/build-requirements.lock
SBOM ?= sbom
CYCLONEDX := .venv-infra/bin/cyclonedx-py requirements --output-reproducible --of JSON

.DEFAULT_GOAL := help
.PHONY: help setup spark4 infra-tools demo aws-demo test lint format ui dashboard docs infra-test infra-apply-local infra-env sbom audit fuzz bench bench-months bench-queries bench-dashboard bench-catalog reliability lock clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | expand -t 12

# Without --no-compile pip compiles 17,000 modules one after the other, most of which nobody imports: 160 CPU seconds, not 112.
setup: .venv/.ready ## make the environment in .venv

.venv/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "$(PYTHON) is older than 3.10: make PYTHON=/path/to/newer/python3 …"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

spark4: .venv-spark4/.ready ## make the environment in .venv-spark4, for jobs on Spark 4.1

.venv-spark4/.ready: requirements-spark4.lock
	$(PYTHON) -m venv .venv-spark4
	.venv-spark4/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements-spark4.lock
	@touch $@

infra-tools: .venv-infra/.ready ## make the environment in .venv-infra, for what lints infra/ and looks at the locks

.venv-infra/.ready: requirements-infra.lock
	$(PYTHON) -m venv .venv-infra
	.venv-infra/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements-infra.lock
	@touch $@

demo: setup ## two synthetic months end to end
	$(BIN)/taxi-assets demo --lake $(DEMO_LAKE)

aws-demo: setup ## the AWS profile end to end on an emulator, without an account
	$(BIN)/python -m taxi_assets_tests.emulators.demo

test: setup ## the tests that need Python alone; ALL=1 also those with a JVM, a browser, Postgres, the daemon, emulated AWS
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(if $(ALL),,-m "$(ALONE)") $(if $(COV),--cov --cov-report=term:skip-covered --cov-fail-under=$(COV))

lint: setup ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: setup ## put the style right
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

ui: setup ## the asset graph in a browser, http://127.0.0.1:3000 (LAKE=demo-lake for the demo's)
	$(BIN)/taxi-assets ui --lake $(LAKE)

dashboard: setup ## the numbers in a browser, http://127.0.0.1:8501 (LAKE=demo-lake for the demo's)
	$(BIN)/taxi-assets dashboard --lake $(LAKE)

docs: setup ## write the dictionary, ODCS and dbt files, metrics, architecture, IAM policies and bad input from the code
	$(BIN)/python -m taxi_assets.docs.contract_export docs/contracts
	$(BIN)/python -m taxi_assets.docs.dictionary docs/data-dictionary.md
	$(BIN)/python -m taxi_assets.docs.metrics_page docs/metrics.md
	$(BIN)/python -m taxi_assets.docs.dbt_sources docs/dbt/sources.yml
	$(BIN)/python -m taxi_assets.docs.architecture docs/architecture.md
	$(BIN)/python -m taxi_assets.docs.iam_policies infra
	$(BIN)/python -m taxi_assets_tests.support.bad_input_page docs/bad-input.md

fuzz: setup ## give each parser of ours texts for SECONDS (60), guided by its branches (pip install atheris)
	@for parser in $(or $(PARSERS),$$($(BIN)/python -m taxi_assets_tests.support.fuzz --list)); do \
	  $(BIN)/python -m taxi_assets_tests.support.fuzz $$parser --seconds $(or $(SECONDS),60) || exit 1; done

bench: setup ## time a whole run beside its jobs alone, DuckDB, Polars and pandas (TLC=folder in the TLC's layout for real data)
	$(BIN)/python -m taxi_assets_tests.benchmarks.month $(if $(TLC),--source $(TLC)) $(BENCH)

bench-months: setup ## time each month of a backfill of 36, and its memory
	$(BIN)/python -m taxi_assets_tests.benchmarks.months $(BENCH)

bench-queries: setup ## time the warehouse's views on 36 months (LIKE=lake for months like its newest)
	$(BIN)/python -m taxi_assets_tests.benchmarks.queries $(if $(LIKE),--like $(LIKE)) $(BENCH)

bench-dashboard: setup ## time the dashboard's pages on 36 months, in a browser, and watch its memory (LIKE=lake)
	$(BIN)/python -m taxi_assets_tests.benchmarks.dashboard $(if $(LIKE),--like $(LIKE)) $(BENCH)

bench-catalog: setup ## time commits, plans and status of a catalog that grows to 190 months of 116 files (Linux)
	$(BIN)/python -m taxi_assets_tests.benchmarks.catalog $(BENCH)

reliability: setup ## kill, race and starve runs for half an hour and check what readers see (RELIABILITY="--for 2h --seed 7")
	$(BIN)/python -m taxi_assets_tests.reliability.campaign $(RELIABILITY)

infra-test: setup infra-tools ## the Terraform configuration: style, schema, both profiles, policies, linters (needs terraform)
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder taxi_assets_tests/infra -m "not image" --ignore-glob "*/test_applied*.py"

infra-apply-local: setup ## the environments dev and prod on emulated AWS: applied, a month with the roles enforced, destroyed
	$(BIN)/python -m pytest -v taxi_assets_tests/infra/test_applied.py taxi_assets_tests/infra/test_applied_prod.py

infra-env: ## what to eval so that taxi-assets uses an environment that was applied: ENV=dev or prod
	@terraform -chdir=infra/envs/$(or $(ENV),dev) output -json taxi_env | $(PYTHON) -c \
	  'import json, shlex, sys; print("\n".join(f"export {k}={shlex.quote(v)}" for k, v in json.load(sys.stdin).items()))'

sbom: infra-tools ## what the project and its image are made of, as CycloneDX, into ./sbom
	@mkdir -p $(SBOM)
	$(CYCLONEDX) requirements.lock -o $(SBOM)/project.cdx.json
	$(CYCLONEDX) infra/image/requirements.lock -o $(SBOM)/image.cdx.json

audit: infra-tools ## ask PyPI for known vulnerabilities of all that is pinned; AUDIT=--dry-run asks nobody: pins and hashes
	@failed=0; for lock in $(LOCKS); do echo "$$lock"; \
	  .venv-infra/bin/pip-audit --require-hashes --disable-pip $(AUDIT) -r $$lock || failed=1; done; exit $$failed

lock: setup ## pin the dependencies again (needs uv)
	uv pip compile pyproject.toml --all-extras $(PIN) -o requirements.lock
	$(PINNED) | sed -E '/^py(spark|4j)==/d' \
	  | uv pip compile requirements-spark4.in --constraints - $(PIN) -o requirements-spark4.lock
	$(PINNED) | uv pip compile pyproject.toml $(addprefix --extra ,$(IMAGE_EXTRAS)) --no-emit-package pysail \
	  --constraints - $(PIN) -o infra/image/requirements.lock
	$(PINNED) | uv pip compile infra/image/build-requirements.in --constraints - $(PIN) \
	  -o infra/image/build-requirements.lock
	uv pip compile requirements-infra.in $(PIN) -o requirements-infra.lock

clean: ## remove the environment and the lake of the demo
	rm -rf .venv .venv-spark4 .venv-infra $(DEMO_LAKE)
