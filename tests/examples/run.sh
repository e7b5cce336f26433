#!/usr/bin/env bash
# The example services against a real cluster: tests/examples/run.sh BIN_DIR
set -uo pipefail
cd "$(dirname "$0")/../.."
source tests/support/shell_test.sh
source deploy/local-cluster.sh
# A Go that was installed as its authors say is not on every PATH.
PATH=$PATH:/usr/local/go/bin

bin=$1
data=$(mktemp -d)
trap 'cluster_stop; rm -rf "$data"' EXIT
cluster_start "$bin" "$data" 17600
check "the cluster is READY within 30 s" cluster_wait 30 || finish

# has LINE LANGUAGE: what the example of LANGUAGE printed has this line.
has() {
  last_output=$(cat "$data/$2.out")
  if grep -qiE "^$1\$" "$data/$2.out"; then pass "$2: $1"; else fail "$2: $1"; fi
}

# example LANGUAGE COMMAND...
example() {
  local language=$1
  shift
  "$@" "$cluster_endpoint" >"$data/$language.out" 2>"$data/$language.err"
  local status=$?
  cat "$data/$language.err" >>"$data/$language.out"
  last_output=$(cat "$data/$language.out")
  if [ "$status" -eq 0 ]; then pass "$language runs"; else fail "$language runs"; fi
  has 'values: .*Anna.*100.*0\.5.*' "$language"
  has 'order 1: 70 coins left, placed before: false' "$language"
  has 'order 1: 70 coins left, placed before: true' "$language"
  has 'order 2: refused, GUARD_FAILED wanted 1 row, found 0' "$language"
  has 'order 3: resolved, placed: (true|false)' "$language"
  has 'wallet and invoices agree: true' "$language"
}

example cpp "$bin/lockstep-example"
if /usr/bin/python3 -c 'import grpc' 2>/dev/null; then
  example python examples/python/run.sh
else
  skip "python3-grpcio is not installed"
fi
if command -v go >/dev/null; then
  example go examples/go/run.sh
else
  skip "Go is not installed"
fi

finish
