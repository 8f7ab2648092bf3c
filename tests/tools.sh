#!/bin/sh
# Installs the pinned versions of cargo-machete and cargo-deny into .tools, unless they exist. Building them takes some minutes.
set -eu
cd "$(dirname "$0")/.."

install() {
  if [ "$(.tools/bin/"$1" --version 2>/dev/null | sed 's/.* //')" = "$2" ]; then return 0; fi
  echo "building $1 $2 into .tools"
  # In the target folder of the workspace, the different profile would cause a rebuild of the workspace.
  CARGO_TARGET_DIR=.tools/target cargo install --quiet --locked --root .tools --version "=$2" "$1"
  rm -rf .tools/target
}

install cargo-machete 0.9.2
install cargo-deny 0.20.2
