#!/bin/sh
# Checks licences, sources and banned crates. Checks security advisories if their database can be downloaded; otherwise it fails
# only if ADVISORIES=required.
set -eu
cd "$(dirname "$0")/.."

echo ".tools/bin/cargo-deny check bans licenses sources"
.tools/bin/cargo-deny --log-level warn check bans licenses sources
if .tools/bin/cargo-deny fetch db >/dev/null 2>&1; then
  .tools/bin/cargo-deny --log-level warn check advisories
else
  echo "cargo-deny: advisories were NOT checked: their database (github.com/RustSec/advisory-db) cannot be downloaded"
  [ "${ADVISORIES:-}" != required ]
fi
