#!/bin/sh
# `make load`: builds for release and drops many files at once, with the options of tests/bench/load.py.
set -eu
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}
if [ -z "${PENSTOCK_BINARIES:-}" ]; then
  cargo build --release $(for function in functions/*/; do echo "-p penstock-$(basename "$function")"; done)
  cargo build --release -p penstock-cli
  PENSTOCK_BINARIES=$target/release
  export PENSTOCK_BINARIES
fi
PYTHONPATH=tests:tests/bench exec .venv/bin/python tests/bench/load.py "$@"
