#!/usr/bin/env bash
# The quick start, as a newcomer runs it: tests/quickstart/run.sh BUILD_DIR
set -uo pipefail
cd "$(dirname "$0")/../.."
source tests/support/shell_test.sh

output=$(mktemp)
staying=
trap 'rm -f "$output"; [ -z "$staying" ] || kill "$staying" 2>/dev/null' EXIT

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

: >"$output"
LOCKSTEP_BUILD_DIR=$1 deploy/quickstart.sh >"$output" 2>&1 &
staying=$!
stays() {
  grep -q "To try next" "$output"
}
check "without --exit it tells what to try next" eventually 120 stays
endpoint=$(sed -n 's/.*export LOCKSTEP_ENDPOINT=//p' "$output")
check "and stays up" "$1/bin/lockstep" status --endpoint "$endpoint"
# A shell starts what is in the background deaf to Ctrl-C; TERM takes the same way.
kill -TERM "$staying"
wait "$staying"
status=$?
staying=
check "until it is told to stop" test "$status" -eq 0
check "no process is left then" leftover
finish
