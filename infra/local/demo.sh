#!/bin/sh
# `make demo`: installs and builds what is missing, then runs the demo on a stack of its own.
set -eu
cd "$(dirname "$0")/../.."

started=$(date +%s)
infra/local/setup.sh
set_up=$(date +%s)
infra/local/build.sh
built=$(date +%s)

exec .venv/bin/python infra/local/demo.py \
  --binaries "${CARGO_TARGET_DIR:-target}/debug" \
  --earlier "set up=$((set_up - started))" --earlier "build=$((built - set_up))"
