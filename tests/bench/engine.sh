#!/bin/sh
# The engine on one core, beside what others take: `tests/bench/engine.sh [--rows N] [--pairs N] [--only NAME…]`.
set -eu
cd "$(dirname "$0")/../.."
venv=.venv-bench
if [ ! -x $venv/bin/python ]; then "${PYTHON:-python3}" -m venv $venv; fi
if ! cmp -s tests/bench/requirements.txt $venv/.installed; then
  $venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement tests/bench/requirements.txt
  cp tests/bench/requirements.txt $venv/.installed
fi
cargo build --release -p penstock-engine --example file_bench
exec $venv/bin/python tests/bench/engine.py --bench "${CARGO_TARGET_DIR:-target}/release/examples/file_bench" "$@"
