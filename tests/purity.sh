#!/bin/sh
# Fails if a pure crate depends on AWS, an async runtime or the network.
set -eu
cd "$(dirname "$0")/.."

impure='^(aws-|tokio|hyper|reqwest|mio|rustls|socket2)'
for crate in penstock-contract penstock-engine penstock-pipeline; do
  found=$(cargo tree --package "$crate" --edges normal,build --prefix none --format '{p}' |
    awk '{print $1}' | sort -u | grep -E "$impure" || true)
  if [ -n "$found" ]; then
    echo "$crate is not pure: it depends on $(echo "$found" | tr '\n' ' ')" >&2
    exit 1
  fi
done
echo "penstock-contract, penstock-engine, penstock-pipeline: pure"
