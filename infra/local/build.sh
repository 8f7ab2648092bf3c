#!/bin/sh
# Builds the programs of the local stack and the demo: the `default-members` of Cargo.toml. Prints an estimate before the
# first build. On a terminal, cargo shows a progress bar; elsewhere this script prints a line every 20 seconds.
set -eu
cd "$(dirname "$0")/../.."

target=${CARGO_TARGET_DIR:-target}
if [ ! -x "$target/debug/penstock" ]; then
  echo "first build: about 310 crates, about 5 minutes on 2 cores; later builds take seconds" >&2
fi
if [ -t 2 ]; then exec cargo build --bins; fi

report_progress() {
  trap 'kill "$timer" 2>/dev/null; exit' TERM
  seconds=0
  while :; do
    sleep 20 &
    timer=$!
    wait "$timer"
    seconds=$((seconds + 20))
    echo "building: $(grep -c Compiling "$log") crates after $seconds s" >&2
  done
}

mkdir -p "$target"
log=$(mktemp "$target/build-log.XXXXXX")
timer=
report_progress &
reporter=$!
trap 'kill "$reporter" 2>/dev/null; rm -f "$log"' EXIT
status=0
cargo build --bins 2>"$log" || status=$?
if [ "$status" -ne 0 ]; then cat "$log" >&2; fi
exit "$status"
