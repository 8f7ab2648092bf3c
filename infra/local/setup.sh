#!/bin/sh
# Installs what the local stack needs into the checkout's own .venv; does nothing when it is there already.
#
#   infra/local/setup.sh          moto, and PostgreSQL where the machine has none
#   infra/local/setup.sh --dev    also the SAM command line, and what the tests and checks need; into .venv-judge
#                                 and .venv-checkov what judges the contracts and Terraform
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

# Installs a requirements file unless the same one was installed before.
install() {
  mark=$venv/.installed-$(echo "$1" | tr / -)
  if cmp -s "$1" "$mark"; then return 0; fi
  echo "installing $1 into $venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$1"
  cp "$1" "$mark"
}

# Makes $venv where it is missing.
make_venv() {
  if [ -x "$venv/bin/python" ]; then return 0; fi
  echo "making $venv"
  if ! "$python" -m venv "$venv"; then
    rm -rf "$venv"
    echo "no virtual environment could be made; on Debian and Ubuntu: apt-get install python3-venv" >&2
    exit 1
  fi
}

make_venv
install infra/local/requirements.txt
if ! has_postgres; then install infra/local/requirements-postgres.txt; fi
if [ "${1:-}" = --dev ]; then
  install infra/local/requirements-sam.txt
  install tests/requirements.txt
  tests/infra/typings.sh
  venv=.venv-judge
  make_venv
  install tests/infra/requirements-judge.txt
  venv=.venv-checkov
  make_venv
  install tests/infra/requirements-checkov.txt
fi
