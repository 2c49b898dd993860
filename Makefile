# All logic is in dev/, and every command there tells its options: python3 -m dev --help
ODOO ?= 19.0
export ODOO
DEV := python3 -m dev

.DEFAULT_GOAL := help
.PHONY: help demo test test-processes test-browser test-apps test-slow test-all test-core simulate \
	chaos bench lint format shell odoo screenshots pot release-check dist clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

demo:  ## A visitor buys in a shop, seen by both sides, until Ctrl-C (ONCE=1: prove it and exit)
	@$(DEV) demo $(if $(ONCE),--once)

test:  ## The quick tests, on one series (ODOO=17.0|18.0|19.0, TAGS=/module:Class.method)
	@$(DEV) test $(if $(TAGS),--tags '$(TAGS)')

test-processes:  ## What needs servers and workers: deliveries, crashes, updates, chaos
	@$(DEV) test --groups processes

test-browser:  ## What needs Chromium: the visitor's pages, the Pixel, the tours
	@$(DEV) test --groups browser

test-apps:  ## What needs the point of sale, inventory and margins (TAGS=...)
	@$(DEV) test --groups apps $(if $(TAGS),--tags '$(TAGS)')

test-slow:  ## Big tables and histories; then the update and the removal
	@$(DEV) test --groups slow

test-all:  ## All of these groups, on one series
	@$(DEV) test-all

test-core:  ## The tests of capi/: no Odoo, no database, a second
	@$(DEV) test-core

simulate:  ## Histories of delivery in virtual time, 100,000 or more (SEED=n, COUNT=n)
	@$(DEV) simulate $(if $(SEED),--seed $(SEED)) $(if $(COUNT),--count $(COUNT))

chaos:  ## Faults, kills and restarts on real processes, minutes (SEED=n, ONLY="1 4")
	@$(DEV) chaos $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY))

bench:  ## What recording and delivering cost, three quarters of an hour (SMOKE=1: a minute, SIZE=huge, ROWS="1 2")
	@$(DEV) bench --size $(or $(SIZE),$(if $(SMOKE),smoke,full)) $(if $(ROWS),--rows $(ROWS))

lint:  ## What CI checks before the tests
	@$(DEV) lint

format:  ## Let ruff put the Python in order
	@$(DEV) format

shell:  ## A Python prompt inside Odoo, on the demo's database
	@$(DEV) shell

odoo:  ## Odoo itself with the private PostgreSQL up (ARGS="-d name -u module")
	@$(DEV) odoo -- $(ARGS)

screenshots:  ## The pictures of static/description/images, of a shop with a past (TARGET=folder)
	@$(DEV) screenshots $(if $(TARGET),--target '$(TARGET)')

pot:  ## Bring i18n/ up to date: the template, and new terms in each language's file
	@$(DEV) pot

release-check:  ## Fail on a term that a language lacks, and list them all
	@$(DEV) release-check

dist:  ## One wheel for all series, in dist/
	@$(DEV) dist

clean:  ## Remove the environments and databases of this checkout (CACHE=1: downloads too)
	@$(DEV) clean $(if $(CACHE),--cache)
