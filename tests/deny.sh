#!/bin/sh
# Licences, sources and banned crates always; security advisories where their database can be reached, or else it is a
# failure when ADVISORIES=required.
set -eu
cd "$(dirname "$0")/.."

echo ".tools/bin/cargo-deny check bans licenses sources"
.tools/bin/cargo-deny --log-level warn check bans licenses sources
if .tools/bin/cargo-deny fetch db >/dev/null 2>&1; then
  .tools/bin/cargo-deny --log-level warn check advisories
else
  echo "cargo-deny: advisories NOT checked, their database (github.com/RustSec/advisory-db) cannot be reached"
  [ "${ADVISORIES:-}" != required ]
fi
