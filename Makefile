# Everything that is done to this project by hand. `make help` lists it.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.NOTPARALLEL:

TARGET := $(or $(CARGO_TARGET_DIR),target)

.PHONY: help run test check format-check lint deny sqlx-check sqlx format bench blind reliability openapi contract

help: ## list what can be done
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

run: ## run the demo: database, server, simulated call engine; nothing to configure
	@scripts/ensure compiler postgres
	@cargo build --locked --workspace --bins
	@exec $(TARGET)/debug/ringmaster-sim demo --forever

test: ## run all tests, on a temporary PostgreSQL, then `make contract`
	@scripts/ensure compiler postgres
	@scripts/stage test scripts/test
	@scripts/stage contract scripts/contract

contract: ## hold a running server against its own OpenAPI document; some two minutes
	@scripts/ensure compiler postgres
	@scripts/stage contract scripts/contract

openapi: ## describe the HTTP interface anew, after a change of routes: docs/openapi.json
	@cargo run --quiet --locked -p gateway --bin ringmaster -- openapi >$(TARGET)/openapi.json
	@mv $(TARGET)/openapi.json docs/openapi.json

check: ## format, lints, statements, licences: all that is checked without running anything
	@scripts/ensure compiler postgres
	@$(MAKE) --no-print-directory format-check sqlx-check lint deny

format-check:
	@scripts/stage format cargo fmt --all --check

lint:
	@scripts/stage lint cargo clippy --workspace --all-targets --locked -- -D warnings

deny:
	@scripts/stage deny scripts/deny

sqlx-check:
	@scripts/stage sqlx scripts/sqlx check

sqlx: ## describe the checked statements anew, after a change of SQL or schema
	@scripts/ensure compiler postgres
	@scripts/sqlx write

format: ## format the sources
	@cargo fmt --all

bench: ## measure, about ten minutes on a quiet machine; BENCH=--quick or --soak, PEERS=<kit> runs peers too
	@scripts/ensure compiler postgres
	@exec scripts/bench $(BENCH)

blind: ## plant mistakes, and see that a crash run finds each; some five minutes
	@scripts/ensure compiler postgres
	@scripts/stage blind scripts/blind

reliability: ## kill servers and databases under load, and check; some four minutes
	@scripts/ensure compiler postgres
	@scripts/stage reliability scripts/reliability
