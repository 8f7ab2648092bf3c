#!/bin/sh
# Installs the pinned checkers into .tools; does nothing when they are there already. Building them takes some minutes,
# once.
set -eu
cd "$(dirname "$0")/.."

install() {
  if [ "$(.tools/bin/"$1" --version 2>/dev/null | sed 's/.* //')" = "$2" ]; then return 0; fi
  echo "building $1 $2 into .tools"
  # A target folder of its own: a different profile in the workspace's would rebuild the workspace.
  CARGO_TARGET_DIR=.tools/target cargo install --quiet --locked --root .tools --version "=$2" "$1"
  rm -rf .tools/target
}

install cargo-machete 0.9.2
install cargo-deny 0.20.2
