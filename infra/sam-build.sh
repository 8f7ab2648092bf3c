#!/bin/sh
# Builds the functions for `sam deploy`: infra/sam-build.sh ARCHITECTURE   (arm64 or x86_64)
set -eu
cd "$(dirname "$0")/.."

case ${1:-} in
  arm64) target=aarch64-unknown-linux-gnu ;;
  x86_64) target=x86_64-unknown-linux-gnu ;;
  *) echo "sam-build: the architecture must be arm64 or x86_64" >&2; exit 1 ;;
esac

infra/local/setup.sh --dev
# cargo-lambda is installed from PyPI, together with a linker for both architectures.
if ! cmp -s infra/requirements-build.txt .venv-build/.installed; then
  "${PYTHON:-python3}" -m venv .venv-build
  .venv-build/bin/python -m pip install --quiet --disable-pip-version-check --requirement infra/requirements-build.txt
  cp infra/requirements-build.txt .venv-build/.installed
fi
# Without rustup, the target must have been installed with Rust; otherwise cargo reports an error.
if command -v rustup >/dev/null 2>&1; then rustup target add "$target"; fi

PATH="$PWD/.venv-build/bin:$PATH" SAM_CLI_TELEMETRY=0 .venv/bin/sam build --beta-features --parameter-overrides "Architecture=$1"
