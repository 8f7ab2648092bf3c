#!/bin/sh
# `make bench`: builds for release, measures the engine alone, then the load of the seeded file by the whole system.
set -eu
cd "$(dirname "$0")/../.."
# After a missed limit, the remaining figures are measured too.
missed=0
tests/bench/engine.sh || missed=$?
# The functions alone, as they are deployed: together with the local stack, cargo would enable more features of their
# dependencies.
cargo build --release $(for function in functions/*/; do echo "-p penstock-$(basename "$function")"; done)
cargo build --release -p penstock-cli -p penstock-bench
tests/bench/check.sh || missed=$?
.venv/bin/python tests/bench/bench.py --functions "${CARGO_TARGET_DIR:-target}/release" "$@"
exit "$missed"
