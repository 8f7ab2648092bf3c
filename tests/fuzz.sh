#!/bin/sh
# Runs the fuzz targets, with seeds from the golden files.
#
#   tests/fuzz.sh [TARGET…]     all targets by default; SECONDS_EACH is the time for each (600)
#
# Requires a nightly compiler (`rustup toolchain install nightly`) and a C++ compiler. Failing inputs are stored in
# target/fuzz/artifacts: add each as a golden file or a test, and fix the engine.
set -eu
cd "$(dirname "$0")/.."

crate=shared/engine/fuzz
fuzz=target/fuzz
seconds=${SECONDS_EACH:-600}
version=0.13.2
if ! cargo +nightly --version >/dev/null 2>&1; then
  echo "fuzzing needs a nightly compiler: rustup toolchain install nightly" >&2
  exit 1
fi
if [ "$(.tools/bin/cargo-fuzz --version 2>/dev/null | sed 's/.* //')" != "$version" ]; then
  echo "building cargo-fuzz $version into .tools"
  CARGO_TARGET_DIR=.tools/target cargo install --quiet --locked --root .tools --version "=$version" cargo-fuzz
  rm -rf .tools/target
fi

# Seeds are the golden files, after the bytes with which a target selects its options.
seed() { # TARGET NAME PREFIX FILE
  mkdir -p "$fuzz/corpus/$1"
  { printf "$3"; cat "$4"; } >"$fuzz/corpus/$1/seed-$2"
}
for file in tests/golden/engine/*/input.* tests/golden/unreadable/*_*.*; do
  name=$(echo "$file" | tr / -)
  seed delimited "$name" '\000\000' "$file"
  seed json "$name-lines" '\000' "$file"
  seed json "$name-array" '\006' "$file"
  seed input "$name" '\000' "$file"
  seed chunk "$name" '' "$file"
  seed infer "$name" '' "$file"
  case $file in
    *.avro) seed avro "$name-texts" '\000' "$file"; seed avro "$name" '\001' "$file" ;;
    *.parquet) seed parquet "$name-texts" '\000' "$file"; seed parquet "$name" '\001' "$file" ;;
  esac
done
for file in tests/golden/engine/*/contract.yaml infra/contracts/*.yaml shared/contract/tests/*/*.yaml; do
  seed contract "$(echo "$file" | tr / -)" '' "$file"
done
mkdir -p "$fuzz/corpus/values"
printf '\000\003-1.234,50\n\0071999-12-31\n\01031.1.99\n\01108:30\n\0132024-01-31T12:00:00+01:00\n\01431.01.2024 12:00:00\n' >"$fuzz/corpus/values/seed-text"
printf '\001\026{"a":1,"b":{"c":"2024-01-31T12:00:00Z"}}\n\027["x","y"]\n\0051e-7\n\016"6ba7b810-9dad-11d1-80b4-00c04fd430c8"\n' >"$fuzz/corpus/values/seed-json"

[ $# -gt 0 ] || set -- delimited json input values contract chunk avro parquet infer
for target in "$@"; do
  echo "── $target, $seconds s"
  mkdir -p "$fuzz/artifacts/$target"
  PATH="$PWD/.tools/bin:$PATH" cargo +nightly fuzz run --fuzz-dir "$crate" --target-dir "$fuzz" \
    "$target" "$fuzz/corpus/$target" -- -artifact_prefix="$fuzz/artifacts/$target/" \
    -max_total_time="$seconds" -max_len=65536 -timeout=20 -rss_limit_mb=1024 -print_final_stats=1
done
