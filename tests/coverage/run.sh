#!/usr/bin/env bash
# Builds the protocols with clang, runs their tests, and names each of their branches that none takes.
# Those that cannot be taken stand in unreachable.txt, with the reason. The simulation runs the same few
# worlds each time: what is rare needs a test of its own.
#
#   tests/coverage/run.sh [BUILD_DIR]
#
# Ends with the line "N passed, N failed": the one thing that is looked at.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
build=${1:-$root/build-coverage}
profiles=$build/profiles
tests=(coordinator_protocol_test participant_protocol_test simulation_test model_test)
seeds=300

cmake -S . -B "$build" -G Ninja -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_C_COMPILER=clang \
  -DLOCKSTEP_COVERAGE=ON -DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-O1 >/dev/null
cmake --build "$build" --parallel "$(nproc)" --target "${tests[@]/#/tests/}" >"$build/build.log" ||
  { tail -n 50 "$build/build.log"; exit 1; }

mkdir -p "$profiles"
rm -f "$profiles"/*
objects=()
for test in "${tests[@]}"; do
  arguments=(--gtest_brief=1)
  if [ "$test" = simulation_test ]; then arguments+=("--seeds=$seeds"); fi
  LLVM_PROFILE_FILE=$profiles/$test.raw "$build/tests/$test" "${arguments[@]}" \
    >"$profiles/$test.log" 2>&1 || { cat "$profiles/$test.log"; exit 1; }
  objects+=(-object "$build/tests/$test")
done
llvm-profdata merge -o "$profiles/all.data" "$profiles"/*.raw
llvm-cov export "${objects[@]}" -instr-profile="$profiles/all.data" --skip-functions \
  2>"$profiles/export.log" >"$profiles/all.json"
if python3 tests/coverage/branches.py "$root" tests/coverage/unreachable.txt \
  <"$profiles/all.json"; then
  echo "1 passed, 0 failed"
else
  echo "0 passed, 1 failed"
  exit 1
fi
