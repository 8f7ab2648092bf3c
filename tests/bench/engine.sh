#!/bin/sh
# Compares the engine on one core with other programs: `tests/bench/engine.sh [--rows N] [--pairs N] [--only NAME…]`.
set -eu
cd "$(dirname "$0")/../.."
. tests/bench/venv.sh
cargo build --release -p penstock-engine --example file_bench
exec $venv/bin/python tests/bench/engine.py --bench "${CARGO_TARGET_DIR:-target}/release/examples/file_bench" "$@"
