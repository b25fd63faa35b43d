# Needs only make and Python 3.11 or newer. What a target does is in the Python file that it runs.
PYTHON ?= python3
AIRFLOW_LINE ?= 3.3
LINES := 3.3 3.2 3.0 2.11
LOCAL := .venvs/local/bin/python

export AIRFLOW_LINE
.DEFAULT_GOAL := help
.PHONY: help env demo demo-check down clean compose-env test test-live check terraform-check mwaa-package bench backfill-bench lock sbom audit

help: ## Show what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-20s %s\n", $$1, $$2 }'

demo: ## Run it all on this machine and watch it load: AIRFLOW_LINE=2.11, AIRFLOW_PORT, OPENSEARCH_PORT, OKTA_PORT
	@$(call environments,airflow-$(AIRFLOW_LINE) local)
	@$(LOCAL) -m local.stack demo

demo-check: ## The same from nothing, without staying: fails unless every event is there exactly once
	@$(call environments,airflow-$(AIRFLOW_LINE) local)
	@$(LOCAL) -m local.stack check

down: ## End a demo that runs in another terminal
	@if [ -x $(LOCAL) ]; then $(LOCAL) -m local.stack down; else echo "No demo is running."; fi

clean: down ## Remove everything that was made: environments, OpenSearch, the demo's data
	@$(PYTHON) -m local.clean

compose-env: ## Write .env with made-up passwords, for docker compose up --build --detach
	@$(PYTHON) local/compose/env.py

test: ## Run every test, on every supported version; STAGES="unit airflow-3.3" runs some
	@$(call environments,$(addprefix airflow-,$(LINES)) $(addprefix mwaa-,$(LINES)) local detections terraform supply-chain)
	@$(PYTHON) -m local.testing $(STAGES)

check: ## Check style and types
	@$(call environments,airflow-3.3)
	@$(PYTHON) -m local.testing check

test-live: ## Run sync, alerts and detections on a cluster of yours: OPENSEARCH_URL=..., OPENSEARCH_AUTH=user:password
	@$(call environments,airflow-3.3 local)
	@PYTHONPATH=plugins .venvs/airflow-3.3/bin/python -m tests.live

terraform-check: ## Check terraform/: validation, tests with mocks, policies, checkov, an apply against a stand-in
	@$(PYTHON) -m local.terraform_check

mwaa-package: ## Make build/mwaa, which Amazon MWAA takes: dags/, plugins.zip, requirements.txt; STARTUP=file takes a startup script along
	@$(call environments,airflow-3.3)
	@.venvs/airflow-3.3/bin/python -m local.mwaa.package $(if $(STARTUP),--startup "$(STARTUP)")

bench: ## Measure the load against the server's own limit
	@$(call environments,airflow-3.3 local)
	@PYTHONPATH=plugins $(LOCAL) -m local.bench

backfill-bench: ## Backfill 90 days beside live loads at 120, 60 and 20 requests a minute, on a virtual clock
	@$(call environments,local)
	@PYTHONPATH=plugins $(LOCAL) -m local.bench.backfill

env: ## Make the environments of every Airflow line
	@$(call environments,$(addprefix airflow-,$(LINES)) local)

lock: ## Resolve every lock file anew
	@$(call environments,)
	@PATH="$(CURDIR)/.venvs/uv/bin:$$PATH" requirements/lock.sh

sbom: ## List what the load runs with on AIRFLOW_LINE, and the licences: CycloneDX and Markdown in build/
	@$(call environments,airflow-$(AIRFLOW_LINE) supply-chain)
	@.venvs/supply-chain/bin/python -m local.supply_chain sbom $(AIRFLOW_LINE)

audit: ## Ask whether advisories are known against it; ends with 2 where that cannot be found out
	@$(call environments,airflow-$(AIRFLOW_LINE) supply-chain)
	@.venvs/supply-chain/bin/python -m local.supply_chain audit $(AIRFLOW_LINE)

define environments
command -v "$(PYTHON)" > /dev/null || { echo "error: There is no '$(PYTHON)' on PATH. Install Python 3.11 or newer, or name it: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }; \
"$(PYTHON)" local/env.py $(1)
endef
