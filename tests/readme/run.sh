#!/usr/bin/env bash
# Every command of the README's walk-through, and its answer: tests/readme/run.sh BIN_DIR
set -uo pipefail
cd "$(dirname "$0")/../.."
source deploy/local-cluster.sh

if ! command -v grpcurl >/dev/null; then
  echo "SKIPPED: grpcurl is not installed"
  echo "0 passed, 0 failed, 1 skipped"
  exit 0
fi

data=$(mktemp -d)
trap 'cluster_stop; rm -rf "$data"' EXIT
bin=$(cd "$1" && pwd)
# The README's cluster is that of the quick start, whose coordinator has this port; another one that
# runs there already is left alone.
cluster_start "$bin" "$data" 7400
cluster_wait 30 || { echo "the cluster is not READY within 30 s"; echo "0 passed, 1 failed"; exit 1; }
sed "s/127\.0\.0\.1:7400/$cluster_endpoint/g; s/127\.0\.0\.1:7401/${node_address[bank-1]}/g" \
  README.md >"$data/README.md"
PATH=$bin:$PATH LOCKSTEP_ENDPOINT=$cluster_endpoint python3 tests/readme/check.py "$data/README.md"
