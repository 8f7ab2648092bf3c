#!/bin/sh
# `make bench`: builds for release, prints the figures of the engine alone, then loads the seeded file through the whole.
set -eu
cd "$(dirname "$0")/../.."
# A limit that is missed is printed, and the rest is measured all the same.
missed=0
tests/bench/engine.sh || missed=$?
# The functions on their own, as they are deployed: beside the local stack cargo would give their libraries more features.
cargo build --release $(for function in functions/*/; do echo "-p penstock-$(basename "$function")"; done)
cargo build --release -p penstock-cli -p penstock-bench
tests/bench/check.sh || missed=$?
.venv/bin/python tests/bench/bench.py --functions "${CARGO_TARGET_DIR:-target}/release" "$@"
exit "$missed"
