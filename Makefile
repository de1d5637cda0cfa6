# Needs Python 3.11 or later and make; everything else is installed into $(VENV).
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP = "$(BIN)/python" -m pip install --quiet --disable-pip-version-check

FUZZ_S ?= 900
SOAK_ROUNDS ?= 200
SOAK_FILMS ?= 10000

.PHONY: help demo test test-all test-oldest lint lint-page sbom bench bench-scale soak soak-serve fuzz docs clean
.SILENT:

help:  ## show this list
	grep -E '^[a-z-]+: .*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

demo: .install-run  ## install into .venv, draw synthetic films, scan them
	"$(BIN)/cxrscan" demo

test: .install-test  ## install with test extras into .venv, run the tests
	"$(BIN)/python" -m pytest -m "not slow"

test-all: .install-test  ## the same with the slow tests
	"$(BIN)/python" -m pytest

soak: .install-test  ## kill a run SOAK_ROUNDS times at random moments; the other slow fault tests
	CXRSCAN_SOAK_ROUNDS=$(SOAK_ROUNDS) "$(BIN)/python" -m pytest tests/faults -m slow

soak-serve: .install-test  ## 1,000 films from 20 callers; a service killed 30 times while it receives; memory over SOAK_FILMS films
	CXRSCAN_SOAK_FILMS=$(SOAK_FILMS) "$(BIN)/python" -m pytest tests/scanner/service -m slow -s

fuzz: .install-fuzz  ## damaged films into both readers, made-up bundles and journals into what reads them, FUZZ_S seconds each; findings in .fuzz/
	"$(BIN)/python" -m tests.fuzz.fuzz_readers raster $(FUZZ_S)
	"$(BIN)/python" -m tests.fuzz.fuzz_readers dicom $(FUZZ_S)
	"$(BIN)/python" -m tests.fuzz.fuzz_bundles $(FUZZ_S)
	"$(BIN)/python" -m tests.fuzz.fuzz_journals $(FUZZ_S)

OLDEST = $(VENV)-oldest
test-oldest:  ## the oldest versions that pyproject.toml allows: a scan, and the tests that need scikit-learn at most
	rm -rf "$(OLDEST)" && "$(PYTHON)" -m venv "$(OLDEST)"
	"$(OLDEST)/bin/python" -m tests.oldest > "$(OLDEST)/oldest.txt"
	"$(OLDEST)/bin/python" -m pip install --quiet --disable-pip-version-check --prefer-binary \
	  . -c "$(OLDEST)/oldest.txt" pytest hypothesis scikit-learn
	cd "$(OLDEST)" && bin/cxrscan demo -o demo
	"$(OLDEST)/bin/python" -m pytest -q -p no:cacheprovider -W ignore::DeprecationWarning tests/scanner/test_worker.py \
	  tests/scanner/gate tests/scanner/readers/test_dicom_table.py tests/scanner/readers/test_dicom_header.py \
	  tests/scanner/readers/test_raster.py tests/reports/tables/test_columns.py

lint: .install-dev lint-page  ## ruff, mypy strict, import-linter, zizmor, the workflow's schema; where Node is, tsc and eslint
	"$(BIN)/ruff" check .
	"$(BIN)/ruff" format --check .
	"$(BIN)/mypy"
	"$(BIN)/lint-imports"
	"$(BIN)/zizmor" --offline --quiet .github
	"$(BIN)/check-jsonschema" --builtin-schema vendor.github-workflows .github/workflows/*.yml

# The report's page is checked with Node's tools; neither installing nor running cxrscan needs them.
PAGE = tests/templates
lint-page:
	if command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)'; then \
	  test $(PAGE)/node_modules/.package-lock.json -nt $(PAGE)/package-lock.json || { \
	    echo "Installing the tools of $(PAGE)/package.json"; npm --prefix $(PAGE) ci --silent --no-audit --no-fund; }; \
	  npm --prefix $(PAGE) run --silent lint; \
	else echo "No Node 20 with npm here: the scripts of the report's page are not checked"; fi

SBOM = $(VENV)-sbom
COPYLEFT = "GPL;Affero;EUPL;CeCILL;CC-BY-SA;Sleepycat;OSL"
sbom:  ## what a plain install brings: sbom.json (CycloneDX) and licences.csv; ends with an error where one is copyleft
	rm -rf "$(SBOM)" && "$(PYTHON)" -m venv "$(SBOM)/tools" && "$(PYTHON)" -m venv "$(SBOM)/install"
	"$(SBOM)/tools/bin/python" -m pip install --quiet --disable-pip-version-check cyclonedx-bom pip-licenses
	"$(SBOM)/install/bin/python" -m pip install --quiet --disable-pip-version-check .
	"$(SBOM)/install/bin/python" -m pip uninstall --quiet --yes setuptools pip
	"$(SBOM)/tools/bin/cyclonedx-py" environment --pyproject pyproject.toml --output-reproducible \
	  --output-file sbom.json "$(SBOM)/install/bin/python"
	"$(SBOM)/tools/bin/pip-licenses" --python "$(SBOM)/install/bin/python" --from=mixed --format=csv \
	  --output-file licences.csv --partial-match --fail-on $(COPYLEFT)
	du -sm "$(SBOM)/install/lib/"*/site-packages/* | sort -rn | head -12

bench: .install-test  ## films/s against the limits and two Keras scripts: make bench FILMS=folder
	"$(BIN)/python" -m tests.bench.speed "$(FILMS)" --json bench.json

bench-scale: .install-test  ## memory and rate from 1,000 to 100,000 files
	"$(BIN)/python" -m tests.bench.scale --json bench-scale.json

docs: .install-docs  ## build the site into site/; its pictures need Chromium
	NO_MKDOCS_2_WARNING=1 "$(BIN)/mkdocs" build --strict --quiet

clean:  ## remove the environment and caches
	rm -rf "$(VENV)" "$(VENV)-oldest" "$(VENV)-sbom" sbom.json licences.csv build dist site *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache $(PAGE)/node_modules

# Each installs once, and again when pyproject.toml has changed.
.PHONY: .install-run .install-test .install-fuzz .install-dev .install-docs
.install-run: extras =
.install-test: extras = [test]
.install-fuzz: extras = [test,fuzz]
.install-dev: extras = [dev]
.install-docs: extras = [docs]
.install-run .install-test .install-fuzz .install-dev .install-docs:
	test -x "$(BIN)/python" || { echo "Making $(VENV)"; "$(PYTHON)" -m venv "$(VENV)"; }
	test "$(VENV)/$@" -nt pyproject.toml || { \
	  echo "Installing cxrscan$(extras) into $(VENV)"; $(PIP) --editable ".$(extras)" && touch "$(VENV)/$@"; }
