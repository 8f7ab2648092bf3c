#!/bin/sh
# `make bench`: builds for release, loads the seeded file and prints the figures.
set -eu
cd "$(dirname "$0")/../.."
# The functions on their own, as they are deployed: beside the local stack cargo would give their libraries more features.
cargo build --release -p penstock-ingest -p penstock-writer -p penstock-job-events
cargo build --release -p penstock-cli -p penstock-bench
exec .venv/bin/python tests/bench/bench.py --functions "${CARGO_TARGET_DIR:-target}/release" "$@"
