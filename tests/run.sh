#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test.
#
#   tests/run.sh                    everything
#   tests/run.sh --only NAME ...    these groups only (--only may be repeated)
#   tests/run.sh --list             the groups
#
# LOCKSTEP_BUILD_DIR      where to build (default: build/; sanitizers build beside it: -asan, -tsan)
# LOCKSTEP_SEED           the seed of the random tests, as each prints it (default: a new one)
# LOCKSTEP_KILLS          processes that the cluster group ends with kill -9, at least (default: 200;
#                         planned stops come on top); in the asan group LOCKSTEP_ASAN_KILLS (25)
# LOCKSTEP_POWER_LOSS_IMAGES  power losses that the unit group recovers from (default: 20000); the asan
#                         group has 500: it looks at the code, not at the rules
# LOCKSTEP_MODEL_STATES   states that the unit group visits of each small model, at most (default: a
#                         bound of each model's own; most come to their end); in the asan group 5000
# LOCKSTEP_SIMULATION_SEEDS, LOCKSTEP_SIMULATION_SQLITE_SEEDS  worlds that the unit group simulates, over
#                         a model of the disks (100000) and over SQLite (3000); the asan group has
#                         fewer; for millions call simulation_test itself (its head says how)
# LOCKSTEP_FAILPOINT_SECONDS  how long the cluster group goes on ending processes at failpoints, once each was
#                         the first of a chain (default: 0); LOCKSTEP_FAILPOINT_DEPTH: how many in a row (3)
# LOCKSTEP_FUZZ_SECONDS   how long each fuzzer of the fuzz group runs (default: 20)
# LOCKSTEP_CHAOS_SECONDS  how long it goes on killing, at least; hours are possible (default: 300; in
#                         the asan group 0)
# LOCKSTEP_SOAK_SECONDS   how long the measure group keeps a cluster under 70 % of its full load and looks
#                         at what it takes (default: 20); an hour is possible
#
# Ends with a table of the groups and the line "N passed, N failed" (", N skipped").
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
root=$PWD
# Clones of the project on one machine share what the compiler cache holds.
export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=true CCACHE_MAXSIZE=${CCACHE_MAXSIZE:-10G}

build_dir=${LOCKSTEP_BUILD_DIR:-$root/build}
asan_dir=$build_dir-asan
tsan_dir=$build_dir-tsan
log_dir=$build_dir/test-logs
groups=(unit measure cluster grpcurl wire readme cli examples quickstart compose fuzz asan tsan)
jobs=$(nproc)

usage() {
  sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
}

only=()
while [ $# -gt 0 ]; do
  case "$1" in
    --only)
      if [ $# -lt 2 ]; then usage >&2; exit 2; fi
      only+=("$2")
      shift 2
      ;;
    --list)
      printf '%s\n' "${groups[@]}"
      exit 0
      ;;
    --help | -h)
      usage
      exit 0
      ;;
    *)
      usage >&2
      exit 2
      ;;
  esac
done

for name in "${only[@]}"; do
  if [[ " ${groups[*]} " != *" $name "* ]]; then
    echo "There is no group \"$name\"; the groups are: ${groups[*]}" >&2
    exit 2
  fi
done

# build DIR [TARGET...]; -k 0, so that one broken target does not hide what the others would tell.
build() {
  local dir=$1
  shift
  nice cmake --build "$dir" --parallel "$jobs" -- -k 0 "$@"
}

configure() {
  cmake -S "$root" -B "$1" -G Ninja "${@:2}" >"$log_dir/cmake-$(basename "$1").log" ||
    { cat "$log_dir/cmake-$(basename "$1").log"; return 1; }
}

# Runs ctest in DIR with the given selection; the last line tells the counts. A test that takes
# longer than $longest_test seconds has failed.
longest_test=600
run_ctest() {
  local dir=$1 reports status=0 counts
  shift
  reports=$(mktemp -d)
  (cd "$dir" && GTEST_OUTPUT="xml:$reports/" ctest --output-on-failure --no-tests=ignore \
    --timeout "$longest_test" --output-junit "$reports/junit.report" "$@") || status=$?
  if [ -f "$reports/junit.report" ]; then
    counts=($(python3 tests/support/count_tests.py "$reports/junit.report" "$reports"))
  else
    counts=(0 0 1)
    echo "SKIPPED: no test is selected by $*"
  fi
  rm -r "$reports"
  echo "${counts[0]} passed, ${counts[1]} failed, ${counts[2]} skipped"
  return "$status"
}

# Compiled once and never worked on: several files at a time, which halves what headers cost.
sanitizer_build() {
  configure "$1" -DLOCKSTEP_SANITIZER="$2" -DCMAKE_CXX_FLAGS_RELWITHDEBINFO="-O1 -g1" \
    -DCMAKE_UNITY_BUILD=ON
}

group_unit() {
  run_ctest "$build_dir" -L unit -j "$jobs"
}

# Alone, and before anything is built beside it.
group_measure() {
  local longest_test=$((longest_test + ${LOCKSTEP_SOAK_SECONDS:-20}))
  run_ctest "$build_dir" -L measure
}

group_cluster() {
  local chaos_seconds=${LOCKSTEP_CHAOS_SECONDS:-300}
  local longest_test=$((longest_test + chaos_seconds + ${LOCKSTEP_FAILPOINT_SECONDS:-0}))
  # They mostly wait.
  LOCKSTEP_CHAOS_SECONDS=$chaos_seconds run_ctest "$build_dir" -L cluster -j "$jobs"
}

group_grpcurl() {
  tests/grpcurl/run.sh "$build_dir/bin"
}

group_wire() {
  tests/wire/run.sh "$build_dir/bin"
}

group_cli() {
  tests/cli/run.sh "$build_dir/bin"
}

group_examples() {
  tests/examples/run.sh "$build_dir/bin"
}

group_readme() {
  tests/readme/run.sh "$build_dir/bin"
}

group_quickstart() {
  tests/quickstart/run.sh "$build_dir"
}

group_compose() {
  tests/compose/run.sh
}

build_fuzz() {
  tests/fuzz/run.sh "$build_dir-fuzz" --build
}

group_fuzz() {
  is_built fuzz && tests/fuzz/run.sh "$build_dir-fuzz"
}

build_asan() {
  sanitizer_build "$asan_dir" address && build "$asan_dir" tests/all
}

# What shifts clocks, slows syncs, counts memory or waits for rare steps has no sense there.
group_asan() {
  is_built asan || return
  LOCKSTEP_CHAOS_SECONDS=0 LOCKSTEP_KILLS=${LOCKSTEP_ASAN_KILLS:-25} LOCKSTEP_POWER_LOSS_IMAGES=500 \
    LOCKSTEP_MODEL_STATES=5000 \
    LOCKSTEP_SIMULATION_SEEDS=1000 LOCKSTEP_SIMULATION_SQLITE_SEEDS=50 \
    run_ctest "$asan_dir" -L 'unit|cluster' -E '^(failpoints|proxied|decision_log_fail_at_n|decision_log_damage)_test$' -j "$jobs"
}

# gRPC and absl::Mutex give false reports under ThreadSanitizer, so only programs without gRPC run;
# and what has one thread has no races: the pure protocols, the simulator, the power-loss images.
tsan_programs() {
  local program commands
  for program in $(cd "$tsan_dir" && ctest -N -L unit | sed -n 's/^ *Test *#[0-9]*: //p'); do
    [[ $program =~ protocol_test|simulation|model_test|power_loss|fail_at_n|damage|mutants|tidy ]] && continue
    commands=$(ninja -C "$tsan_dir" -t commands "tests/$program" 2>/dev/null) || continue
    [[ $commands == *"libgrpc++"* ]] || echo "$program"
  done
}

build_tsan() {
  sanitizer_build "$tsan_dir" thread || return
  local programs
  mapfile -t programs < <(tsan_programs)
  [ ${#programs[@]} -gt 0 ] && build "$tsan_dir" "${programs[@]/#/tests/}"
}

group_tsan() {
  is_built tsan || return
  local programs
  mapfile -t programs < <(tsan_programs)
  run_ctest "$tsan_dir" -L unit -R "^($(IFS='|'; echo "${programs[*]}"))\$" -j "$jobs"
}

# Some groups have builds of their own (build_NAME). Those go on, at the lowest priority, while earlier
# groups wait for servers and containers.
later_builds= # the process, which leads its group
trap '[ -z "$later_builds" ] || kill -- "-$later_builds" 2>/dev/null' EXIT
has_build() {
  [ "$(type -t "build_$1")" = function ]
}
start_later_builds() {
  local name
  renice -n 19 "$BASHPID" >/dev/null
  for name in "$@"; do
    "build_$name" >"$log_dir/$name-build.log" 2>&1 && touch "$log_dir/$name-build.done"
  done
}
finish_later_builds() {
  local started=$SECONDS
  wait "$later_builds"
  summary+=("$(printf '%-12s %58d s' "more builds" $((SECONDS - started)))")
  later_builds=
}

# is_built NAME: fails, with what it said, if that build has.
is_built() {
  [ -f "$log_dir/$1-build.done" ] && return
  tail -n 200 "$log_dir/$1-build.log"
  return 1
}

total_passed=0
total_failed=0
total_skipped=0
summary=()

# account NAME SECONDS STATUS LOG: adds a group's last counting line, and what it skipped, to the summary.
account() {
  local name=$1 seconds=$2 status=$3 log=$4 line passed=0 failed=0 skipped=0
  line=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1)
  if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed(,\ ([0-9]+)\ skipped)?$ ]]; then
    passed=${BASH_REMATCH[1]}
    failed=${BASH_REMATCH[2]}
    skipped=${BASH_REMATCH[4]:-0}
  fi
  if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then failed=1; fi
  if [ $((passed + failed + skipped)) -eq 0 ] && [ "$name" != build ]; then failed=1; fi
  total_passed=$((total_passed + passed))
  total_failed=$((total_failed + failed))
  total_skipped=$((total_skipped + skipped))
  summary+=("$(printf '%-12s %5d passed %3d failed %3d skipped  %4d s' \
    "$name" "$passed" "$failed" "$skipped" "$seconds")")
  while IFS= read -r line; do summary+=("             $line"); done < <(grep '^SKIPPED: ' "$log")
  while IFS= read -r line; do summary+=("             $line"); done < <(
    grep -E '^(\[  FAILED  \] [A-Za-z0-9_/]+\.|FAILED  )' "$log" | sed 's/ (.*//' | sort -u | head -n 20)
}

run_group() {
  local name=$1 started=$SECONDS status=0
  shift
  echo
  echo "=== $name"
  "$@" 2>&1 | tee "$log_dir/$name.log" || status=$?
  account "$name" $((SECONDS - started)) "$status" "$log_dir/$name.log"
}

prepare() {
  local packages=(build test)
  if [[ " ${only[*]} " == *" fuzz "* ]]; then packages+=(clang); fi
  deploy/install-deps.sh "${packages[@]}" && configure "$build_dir" && build "$build_dir"
}

mkdir -p "$log_dir"
if [ ${#only[@]} -eq 0 ]; then only=("${groups[@]}"); fi
run_group build prepare

waiting_builds=()
for name in "${only[@]}"; do
  if has_build "$name"; then waiting_builds+=("$name"); fi
done
rm -f "$log_dir"/*-build.done
for name in "${only[@]}"; do
  # The unit tests leave no processor idle, and what is measured is alone.
  if [[ ! $name =~ ^(unit|measure)$ ]] && [ ${#waiting_builds[@]} -gt 0 ]; then
    set -m # they get a process group, which ends with this script
    start_later_builds "${waiting_builds[@]}" </dev/null &
    set +m
    later_builds=$!
    waiting_builds=()
  fi
  if has_build "$name" && [ -n "$later_builds" ]; then finish_later_builds; fi
  run_group "$name" "group_$name"
done

echo
echo "=== summary"
printf '%s\n' "${summary[@]}"
echo
line="$total_passed passed, $total_failed failed"
if [ "$total_skipped" -gt 0 ]; then line+=", $total_skipped skipped"; fi
echo "$line"
[ "$total_failed" -eq 0 ]
