#!/bin/bash
# `make bench-build`: measures the CPU time of a newcomer's first build, which `make demo` runs, in an empty target folder.
# Prints CPU minutes and the slowest crates. With --tests it then builds the tests too and prints what that adds.
set -euo pipefail
cd "$(dirname "$0")/../.."

folder=$(mktemp -d "${TMPDIR:-/tmp}/penstock-first-build.XXXXXX")
trap 'rm -rf "$folder"' EXIT
export CARGO_TARGET_DIR=$folder/target RUSTC_WRAPPER=$folder/rustc CRATE_TIMES=$folder/times
unset CARGO_INCREMENTAL CARGO_BUILD_RUSTC_WRAPPER
cat > "$RUSTC_WRAPPER" <<'WRAPPER'
#!/bin/bash
# Appends user seconds, system seconds and the name of the compiled crate to $CRATE_TIMES.
name=-
previous=
for argument in "$@"; do
  if [ "$previous" = --crate-name ]; then name=$argument; fi
  previous=$argument
done
TIMEFORMAT="%U %S $name"
exec 3>&2
{ time "$@" 2>&3; } 2>>"$CRATE_TIMES"
WRAPPER
chmod +x "$RUSTC_WRAPPER"

# measure LABEL COMMAND…: runs the command and prints the CPU time of it and of its slowest crates.
measure() {
  label=$1
  shift
  : > "$CRATE_TIMES"
  TIMEFORMAT="%U %S %R"
  { time "$@" >"$folder/log" 2>&1 || { tail -n 20 "$folder/log" >&4; exit 1; }; } 4>&2 2>"$folder/total"
  awk -v label="$label" -v crates="$(wc -l < "$CRATE_TIMES")" \
    '{ printf "%s: %.1f CPU minutes (%.1f minutes elapsed), %d rustc calls\n", label, ($1 + $2) / 60, $3 / 60, crates }' \
    "$folder/total"
  awk '{ seconds[$3] += $1 + $2; all += $1 + $2 }
    END { for (name in seconds) printf "%8.1f s  %s\n", seconds[name], name; printf "%8.1f s  (all crates)\n", all }' \
    "$CRATE_TIMES" | sort -rn | head -n 25
}

cargo fetch --quiet
measure "first build" infra/local/build.sh
if [ "${1:-}" = --tests ]; then measure "then the tests" cargo test --workspace --no-run; fi
