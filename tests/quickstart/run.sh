#!/usr/bin/env bash
# The quick start, as a newcomer runs it: tests/quickstart/run.sh BUILD_DIR
set -uo pipefail
cd "$(dirname "$0")/../.."
source tests/support/shell_test.sh

output=$(mktemp)
trap 'rm -f "$output"' EXIT

show() {
  cat "$output"
}

LOCKSTEP_BUILD_DIR=$1 deploy/quickstart.sh --exit >"$output" 2>&1
status=$?
cat "$output"
check "the demonstration ends with success" test "$status" -eq 0
check_match "All as it should be" "it says so" show
check_match "CONSTRAINT_VIOLATION" "it shows a transaction that aborts, and why" show
check_match "node_id: stock-1" "it shows which node a transaction missed" show
check_match "replicas agree" "it shows that replicas agree" show
leftover() {
  ! pgrep -f 'lockstep-quickstart\.'
}
check "no process is left" leftover
finish
