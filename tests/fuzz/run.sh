#!/usr/bin/env bash
# Builds the fuzzers and runs each on its corpus, two at a time: tests/fuzz/run.sh BUILD_DIR [NAME...]
#
#   tests/fuzz/run.sh BUILD_DIR --build   only builds them
#
# LOCKSTEP_FUZZ_SECONDS   for how long each one (default: 20)
# LOCKSTEP_FUZZ_CORPUS    where what they find that is new is kept for the next run (default: nowhere)
#
# A crash prints the command that repeats it. The input belongs into tests/fuzz/corpus/NAME, under a name
# that says what it was, once the fault is mended.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
root=$PWD
build_dir=$1
shift
seconds=${LOCKSTEP_FUZZ_SECONDS:-20}
fuzzers=("$@")
if [ ${#fuzzers[@]} -eq 0 ]; then fuzzers=(config decision_record request sql wal_scan); fi

cmake -S "$root" -B "$build_dir" -G Ninja -DLOCKSTEP_FUZZ=ON -DCMAKE_C_COMPILER=clang \
  -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_CXX_FLAGS_RELWITHDEBINFO="-O1 -g1" >"$build_dir.log" 2>&1 ||
  { cat "$build_dir.log"; exit 1; }
nice cmake --build "$build_dir" --parallel "$(nproc)" -- fuzz || exit 1
if [ "$*" = --build ]; then exit 0; fi

results=$build_dir/results
mkdir -p "$results"

# fuzz NAME: runs one; its output is in $results/NAME.log, and a crashing input beside it.
fuzz() {
  local name=$1 found=${LOCKSTEP_FUZZ_CORPUS:+$LOCKSTEP_FUZZ_CORPUS/$1}
  rm -f "$results/$name"-{crash,timeout,oom,leak}-*
  if [ -z "$found" ]; then found=$(mktemp -d); fi
  mkdir -p "$found"
  UBSAN_OPTIONS=print_stacktrace=1 "$build_dir/bin/${name}_fuzz" -max_total_time="$seconds" -timeout=10 \
    -rss_limit_mb=2048 -max_len=8192 -print_final_stats=1 -artifact_prefix="$results/$name-" \
    "$found" "tests/fuzz/corpus/$name" >"$results/$name.log" 2>&1
}

# report NAME STATUS: one line of what it did, or how to see it again.
report() {
  local name=$1 status=$2 log=$results/$1.log input
  if [ "$status" -eq 0 ]; then
    printf '%-16s %9s executions, coverage %5s, no crash\n' "$name" \
      "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" \
      "$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)"
    return
  fi
  tail -n 60 "$log"
  echo "FAILED  $name"
  for input in "$results/$name"-*; do
    if [ -f "$input" ]; then echo "again: $build_dir/bin/${name}_fuzz $input"; fi
  done
}

passed=0
failed=0
for ((first = 0; first < ${#fuzzers[@]}; first += 2)); do
  pair=("${fuzzers[@]:first:2}")
  processes=()
  for name in "${pair[@]}"; do
    fuzz "$name" &
    processes+=($!)
  done
  for i in "${!pair[@]}"; do
    status=0
    wait "${processes[i]}" || status=$?
    report "${pair[i]}" "$status"
    if [ "$status" -eq 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
  done
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
