#!/bin/sh
# `make bench`: builds for release, loads the seeded file and prints the figures.
set -eu
cd "$(dirname "$0")/../.."
cargo build --release --workspace --bins
exec .venv/bin/python tests/bench/bench.py --functions "${CARGO_TARGET_DIR:-target}/release" "$@"
