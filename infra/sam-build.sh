#!/bin/sh
# Builds the functions for Lambda, as `sam deploy` takes them: infra/sam-build.sh ARCHITECTURE   (arm64 or x86_64)
set -eu
cd "$(dirname "$0")/.."

case ${1:-} in
  arm64) target=aarch64-unknown-linux-gnu ;;
  x86_64) target=x86_64-unknown-linux-gnu ;;
  *) echo "sam-build: no such architecture: it is arm64 or x86_64" >&2; exit 1 ;;
esac

infra/local/setup.sh --dev
# cargo-lambda comes from PyPI with the linker that both architectures need.
if ! cmp -s infra/requirements-build.txt .venv-build/.installed; then
  "${PYTHON:-python3}" -m venv .venv-build
  .venv-build/bin/python -m pip install --quiet --disable-pip-version-check --requirement infra/requirements-build.txt
  cp infra/requirements-build.txt .venv-build/.installed
fi
# Where Rust does not come from rustup, its own package has the target or not; cargo says so.
if command -v rustup >/dev/null 2>&1; then rustup target add "$target"; fi

PATH="$PWD/.venv-build/bin:$PATH" SAM_CLI_TELEMETRY=0 .venv/bin/sam build --beta-features --parameter-overrides "Architecture=$1"
