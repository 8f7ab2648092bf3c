#!/bin/sh
# Installs the dependencies of the local stack into .venv in the checkout. Does nothing when they are installed.
#
#   infra/local/setup.sh          moto, and PostgreSQL if the machine has none
#   infra/local/setup.sh --dev    also the SAM command line and the dependencies of tests and checks; in .venv-judge
#                                 and .venv-checkov those of the checks of contracts and Terraform
set -eu
cd "$(dirname "$0")/../.."

python=${PYTHON:-python3}
venv=.venv

has_postgres() {
  if [ -n "${PENSTOCK_POSTGRES_BIN:-}" ] || command -v initdb >/dev/null 2>&1; then return 0; fi
  for initdb in /usr/lib/postgresql/*/bin/initdb /opt/homebrew/opt/postgresql*/bin/initdb \
    /usr/local/opt/postgresql*/bin/initdb /Applications/Postgres.app/Contents/Versions/*/bin/initdb; do
    if [ -x "$initdb" ]; then return 0; fi
  done
  return 1
}

# Installs a requirements file if it differs from the installed one.
install() {
  mark=$venv/.installed-$(echo "$1" | tr / -)
  if cmp -s "$1" "$mark"; then return 0; fi
  echo "installing $1 into $venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$1"
  cp "$1" "$mark"
}

# Creates $venv if it is missing.
create_venv() {
  if [ -x "$venv/bin/python" ]; then return 0; fi
  echo "creating $venv"
  if ! "$python" -m venv "$venv"; then
    rm -rf "$venv"
    echo "cannot create a virtual environment; on Debian and Ubuntu: apt-get install python3-venv" >&2
    exit 1
  fi
}

create_venv
install infra/local/requirements.txt
if ! has_postgres; then install infra/local/requirements-postgres.txt; fi
if [ "${1:-}" = --dev ]; then
  install infra/local/requirements-sam.txt
  install tests/requirements.txt
  tests/infra/typings.sh
  venv=.venv-judge
  create_venv
  install tests/infra/requirements-judge.txt
  venv=.venv-checkov
  create_venv
  install tests/infra/requirements-checkov.txt
fi
