# Needs only make and Python 3.11 or newer. What a target does is in the Python file that it runs.
PYTHON ?= python3
AIRFLOW_LINE ?= 3.3
LINES := 3.3 3.2 3.0 2.11
LOCAL := .venvs/local/bin/python
MWAA := PYTHONPATH=plugins .venvs/airflow-3.3/bin/python -m deploy.mwaa
needed = $(or $($(1)),$(error Give $(1): make $(MAKECMDGOALS) $(1)=... (make help shows the rest)))

export AIRFLOW_LINE
.DEFAULT_GOAL := help
.PHONY: help env demo demo-check down clean compose-env test cluster mutants fuzz test-live generate check terraform-check mwaa-package mwaa-deploy mwaa-ready mwaa-backfill bench backfill-bench campaign lock sbom audit release

help: ## Show what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-20s %s\n", $$1, $$2 }'

demo: ## Run it all on this machine and watch it load: AIRFLOW_LINE=2.11, AIRFLOW_PORT, OPENSEARCH_PORT, OKTA_PORT
	@$(fit-python) && "$(PYTHON)" -m local.stack.settings demo
	@$(call environments,airflow-$(AIRFLOW_LINE) local)
	@$(LOCAL) -m local.stack demo

demo-check: ## The same from nothing, without staying: fails unless every event is there exactly once
	@$(fit-python) && "$(PYTHON)" -m local.stack.settings check
	@$(call environments,airflow-$(AIRFLOW_LINE) local)
	@$(LOCAL) -m local.stack check

down: ## End a demo that runs in another terminal
	@if [ -x $(LOCAL) ]; then $(LOCAL) -m local.stack down; else echo "No demo is running."; fi

clean: down ## Remove everything that was made: environments, OpenSearch, the demo's data
	@$(fit-python) && "$(PYTHON)" -m tools.clean

compose-env: ## Write .env with made-up passwords, for docker compose up --build --detach
	@$(fit-python) && "$(PYTHON)" local/compose/env.py

test: ## Run every test, on every supported version; STAGES="unit airflow-3.3" runs some
	@$(call environments,$(addprefix airflow-,$(LINES)) $(addprefix mwaa-,$(LINES)) local browser detections terraform supply-chain)
	@$(PYTHON) -m tools.testing $(STAGES)

cluster: ## Run Airflow with Celery workers on PostgreSQL and three nodes of OpenSearch, and kill parts of it
	@$(call environments,cluster local)
	@$(PYTHON) -m tools.testing cluster

generate: ## Write what follows from declarations: index templates, tables of the docs, hashes of mapping versions
	@$(fit-python) && PYTHONPATH=plugins "$(PYTHON)" -m tools.generate

check: ## Check style and types
	@$(call environments,airflow-3.3)
	@$(PYTHON) -m tools.testing check

mutants: ## Change the code in small ways, one at a time, and see whether a unit test fails: MODULES="pipeline/load", ONLY=text
	@$(call environments,mutants)
	@nice -n 10 .venvs/mutants/bin/python -m tools.mutants $(MODULES) $(if $(ONLY),--only "$(ONLY)")

fuzz: ## Load many made-up pages, other ones each time: FUZZ_EXAMPLES=20000
	@$(call environments,airflow-3.3)
	@FUZZ_EXAMPLES="$(or $(FUZZ_EXAMPLES),20000)" .venvs/airflow-3.3/bin/python -m pytest -q -p no:cacheprovider tests/unit/pipeline/test_fuzz.py

test-live: ## Run sync, alerts and detections on a cluster of yours: OPENSEARCH_URL=..., OPENSEARCH_AUTH=user:password
	@$(call environments,airflow-3.3 local)
	@PYTHONPATH=plugins .venvs/airflow-3.3/bin/python -m tests.live

terraform-check: ## Check terraform/: validation, tests with mocks, policies, checkov, an apply against a stand-in
	@$(fit-python) && "$(PYTHON)" -m tools.terraform_check

mwaa-package: ## Make build/mwaa, which Amazon MWAA takes: dags/, plugins.zip, requirements.txt; STARTUP=file takes a startup script along, OFFLINE=3.3 the wheels for an environment without internet access
	@$(call environments,airflow-3.3)
	@.venvs/airflow-3.3/bin/python -m deploy.mwaa.package $(if $(STARTUP),--startup "$(STARTUP)") $(if $(OFFLINE),--offline "$(OFFLINE)")

mwaa-deploy: ## Bring build/mwaa to an environment: BUCKET=..., ENVIRONMENT=..., OPTIONS=--dry-run
	@$(call environments,airflow-3.3)
	@$(MWAA) deploy --bucket "$(call needed,BUCKET)" --environment "$(call needed,ENVIRONMENT)" $(OPTIONS)

mwaa-ready: ## Make the pool there, and see whether Airflow has read every DAG: ENVIRONMENT=...
	@$(call environments,airflow-3.3)
	@$(MWAA) ready --environment "$(call needed,ENVIRONMENT)" $(OPTIONS)

mwaa-backfill: ## Load history there: ENVIRONMENT=..., FROM=2026-11-01T00:00:00Z, TO=..., OPTIONS="--share 0.1"
	@$(call environments,airflow-3.3)
	@$(MWAA) backfill --environment "$(call needed,ENVIRONMENT)" --from "$(call needed,FROM)" $(if $(TO),--to "$(TO)") $(OPTIONS)

bench: ## Measure the load against the server's own limit
	@$(call environments,airflow-3.3 local)
	@PYTHONPATH=plugins $(LOCAL) -m local.bench

backfill-bench: ## Backfill 90 days beside live loads at 120, 60 and 20 requests a minute, on a virtual clock
	@$(call environments,local)
	@PYTHONPATH=plugins $(LOCAL) -m local.bench.backfill


campaign: ## Load a million events through every fault at once, and compare each: SEED=7 EVENTS=50000 CLUSTER=1
	@$(call environments,airflow-3.3 local)
	@PYTHONPATH=plugins .venvs/airflow-3.3/bin/python -m local.campaign $(if $(SEED),--seed $(SEED)) $(if $(EVENTS),--events $(EVENTS)) $(if $(CLUSTER),--cluster)

env: ## Make the environments of every Airflow line
	@$(call environments,$(addprefix airflow-,$(LINES)) local)

lock: ## Resolve every lock file anew
	@$(call environments,)
	@PATH="$(CURDIR)/.venvs/uv/bin:$$PATH" tools/lock.sh

sbom: ## List what the load runs with on AIRFLOW_LINE, and the licences: CycloneDX and Markdown in build/
	@$(call environments,airflow-$(AIRFLOW_LINE) supply-chain)
	@.venvs/supply-chain/bin/python -m tools.supply_chain sbom $(AIRFLOW_LINE)

audit: ## Ask whether advisories are known against it; ends with 2 where that cannot be found out
	@$(call environments,airflow-$(AIRFLOW_LINE) supply-chain)
	@.venvs/supply-chain/bin/python -m tools.supply_chain audit $(AIRFLOW_LINE)

release: ## Put a release together in build/release: wheel, package for Amazon MWAA, bills of materials, hashes; TAG=v... checks the tag
	@$(call environments,airflow-3.3 airflow-2.11 supply-chain)
	@.venvs/supply-chain/bin/python -m tools.supply_chain sbom 3.3 2.11
	@.venvs/airflow-3.3/bin/python -m tools.release $(if $(TAG),--tag "$$TAG")

# Before any file of ours: an old Python could not even read it, and this any can.
define fit-python
{ command -v "$(PYTHON)" > /dev/null || { echo "error: There is no '$(PYTHON)' on PATH. Install Python 3.11 or newer, or name it: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }; } && \
"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: Python 3.11 or newer is needed, this is %s (%s). Name another one: make PYTHON=python3.11 ..." % (sys.version.split()[0], sys.executable) or 0)'
endef

define environments
$(fit-python) && "$(PYTHON)" tools/env.py $(1)
endef
