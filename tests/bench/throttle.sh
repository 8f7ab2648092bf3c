#!/bin/sh
# `make bench-throttle`: builds for release, or uses the binaries of PENSTOCK_BINARIES, and measures pgbench beside the writers.
set -eu
cd "$(dirname "$0")/../.."
binaries=${PENSTOCK_BINARIES:-}
if [ -z "$binaries" ]; then
  # As they are deployed: together with the local stack, cargo would enable more features of their dependencies.
  cargo build --release $(for function in functions/*/; do echo "-p penstock-$(basename "$function")"; done)
  cargo build --release -p penstock-cli
  binaries=${CARGO_TARGET_DIR:-target}/release
fi
.venv/bin/python tests/bench/throttle.py --functions "$binaries" "$@"
