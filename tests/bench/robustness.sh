#!/bin/sh
# Loads polluted CSV files with Penstock, DuckDB, pandas and polars:
# `tests/bench/robustness.sh [--only KIND…] [--verbose]`.
set -eu
cd "$(dirname "$0")/../.."
venv=.venv-robustness
if [ ! -x $venv/bin/python ]; then "${PYTHON:-python3}" -m venv $venv; fi
if ! cmp -s tests/bench/requirements-robustness.txt $venv/.installed; then
  $venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement tests/bench/requirements-robustness.txt
  cp tests/bench/requirements-robustness.txt $venv/.installed
fi
cargo build --quiet -p penstock-cli --bin penstock
exec $venv/bin/python tests/bench/robustness.py --penstock "${CARGO_TARGET_DIR:-target}/debug/penstock" "$@"
