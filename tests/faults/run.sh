#!/bin/sh
# Runs the harness of faults: tests/faults/run.sh [OPTION...], with the options of tests/faults/run.py.
#
# PREVIOUS names a git revision: its binaries are built in target/previous and deployed during some runs.
# PENSTOCK_PREVIOUS_BINARIES names a folder with binaries that exist. Without either, these deployments are skipped.
set -eu
cd "$(dirname "$0")/../.."

if [ -n "${PREVIOUS:-}" ]; then
  revision=$(git rev-parse --verify "$PREVIOUS^{commit}")
  tree=target/previous/tree
  if [ ! -d "$tree" ]; then git worktree add --detach "$tree" "$revision"; fi
  git -C "$tree" checkout --quiet --detach "$revision"
  CARGO_TARGET_DIR=$PWD/target/previous/build
  export CARGO_TARGET_DIR
  (cd "$tree" && cargo build --bins)
  PENSTOCK_PREVIOUS_BINARIES=$CARGO_TARGET_DIR/debug
  export PENSTOCK_PREVIOUS_BINARIES
  unset CARGO_TARGET_DIR
fi
PYTHONPATH=tests:infra/local/feeds exec .venv/bin/python -m faults.run "$@"
