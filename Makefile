# The targets need Rust, Python >= 3.9, make and a C compiler. They install all other tools into folders of the checkout
# (.venv, .tools, target).

BIN = $(or $(CARGO_TARGET_DIR),target)/debug
VENV = .venv/bin
PYTHON_CODE = infra/costs.py infra/local tests
NEXTEST = $(shell command -v cargo-nextest)

.DEFAULT_GOAL := help
.PHONY: help demo up down build test lint security fmt purity unit pytest faults sam-local sam-build bench load bench-build bench-robustness bench-throttle fuzz costs clean deploy destroy

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Load real feeds through a stack of its own and show what happened to each row
	@infra/local/demo.sh

up: build ## Start the local stack in the background and publish the example contracts
	@$(BIN)/penstock up --detach
	@$(BIN)/penstock contract publish infra/contracts/*.yaml

down: ## Stop the local stack
	@$(BIN)/penstock down

build:
	@infra/local/setup.sh
	@infra/local/build.sh

test: lint purity unit pytest ## Run all checks and tests

lint: ## Check format, lints, documentation, licences, types and templates
	@infra/local/setup.sh --dev
	@tests/tools.sh
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --quiet
	.tools/bin/cargo-machete
	@tests/deny.sh
	@$(VENV)/python tests/words.py
	@$(VENV)/python tests/structure.py
	$(VENV)/ruff format --check --quiet $(PYTHON_CODE)
	$(VENV)/ruff check --quiet $(PYTHON_CODE)
	$(VENV)/mypy $(PYTHON_CODE)
	SAM_CLI_TELEMETRY=0 $(VENV)/sam validate --lint --region eu-central-1
	@if command -v terraform >/dev/null; then terraform -chdir=infra/terraform fmt -check -recursive; \
	else echo "lint: terraform is not installed; the format of its files was not checked"; fi

security: ## Check advisories, licences and sources of dependencies; run checkov on Terraform and the template
	@infra/local/setup.sh --dev
	@tests/tools.sh
	@ADVISORIES=required tests/deny.sh
	$(VENV)/pytest tests/infra/test_checkov.py

fmt: ## Format everything
	@infra/local/setup.sh --dev
	cargo fmt --all
	$(VENV)/ruff check --quiet --fix $(PYTHON_CODE)
	$(VENV)/ruff format --quiet $(PYTHON_CODE)

purity: ## Check that the pure crates do not depend on AWS, an async runtime or the network
	@tests/purity.sh

unit: build ## Run the Rust tests
	$(if $(NEXTEST),cargo nextest run --workspace,cargo test --workspace --all-targets --quiet)
	cargo test --workspace --doc --quiet

pytest: build ## Run the tests of the whole system: infrastructure, end to end, faults
	@infra/local/setup.sh --dev
	$(VENV)/pytest

faults: build ## Run seeded plans of faults against an oracle: make faults N=1000 SEED=1 JOBS=2 PREVIOUS=<git revision>
	@infra/local/setup.sh --dev
	@PREVIOUS="$(PREVIOUS)" tests/faults/run.sh --runs "$(or $(N),20)" --seed "$(or $(SEED),1)" --jobs "$(or $(JOBS),1)"

sam-local: build ## Invoke each function with `sam local invoke` (needs a Docker engine)
	@infra/local/setup.sh --dev
	@infra/local/sam-local.sh

sam-build: ## Build the functions for Lambda: make sam-build ARCH=x86_64
	@infra/sam-build.sh "$(or $(ARCH),arm64)"

bench: ## Measure the performance figures and compare them with their limits (release build, several minutes)
	@infra/local/setup.sh --dev
	@tests/bench/run.sh

load: ## Load 10,000 small and 20 large files at once: queue age, rows/s, memory, connections (release build, minutes)
	@infra/local/setup.sh --dev
	@tests/bench/load.sh

bench-build: ## Measure the CPU time of a first build in an empty folder (several minutes)
	@tests/bench/first-build.sh

bench-robustness: ## Load polluted CSV files with Penstock, DuckDB, pandas and polars, and print scores
	@tests/bench/robustness.sh

bench-throttle: ## Measure pgbench beside the writers, without and with the throttle (release build, ten minutes)
	@infra/local/setup.sh --dev
	@tests/bench/throttle.sh

fuzz: ## Test the engine with random input (needs a nightly compiler; SECONDS_EACH=600 per target)
	@tests/fuzz.sh

costs: ## Update the tables of costs in docs/deploy.md
	@infra/local/setup.sh --dev
	@$(VENV)/python infra/costs.py

deploy: ## Deploy an environment to AWS: make deploy ENV=dev
	@infra/deploy.sh deploy "$(ENV)"

destroy: ## Delete an environment from AWS: make destroy ENV=dev
	@infra/deploy.sh destroy "$(ENV)"

clean: ## Remove everything that was built and installed
	rm -rf target .venv .venv-bench .venv-robustness .venv-build .venv-checkov .venv-judge .tools .penstock .aws-sam
