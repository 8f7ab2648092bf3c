#!/bin/sh
# Compares `penstock check` with DuckDB: `tests/bench/check.sh [--rows N] [--pairs N]`.
set -eu
cd "$(dirname "$0")/../.."
. tests/bench/venv.sh
cargo build --release -p penstock-engine --example file_bench
# The same packages as in run.sh: with another selection, cargo would choose other features and build the command again.
cargo build --release -p penstock-cli -p penstock-bench
release=${CARGO_TARGET_DIR:-target}/release
exec $venv/bin/python tests/bench/check.py --penstock $release/penstock --bench $release/examples/file_bench "$@"
