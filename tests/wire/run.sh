#!/usr/bin/env bash
# The product as a client meets it, over the wire: tests/wire/run.sh BIN_DIR [TEST...]
#
# TEST is what unittest takes: errors_test, errors_test.RefusalTest, ... Ends with "N passed, N failed".
#
# LOCKSTEP_FUZZ_SECONDS   how long each test of fuzz_test goes on (default: 3)
# LOCKSTEP_SEED           the seed of its random changes, as a failure prints it (default: a new one)
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2

if ! /usr/bin/python3 -c 'import grpc' 2>/dev/null; then
  echo "SKIPPED: python3-grpcio is not installed"
  echo "0 passed, 0 failed, 1 skipped"
  exit 0
fi

bin=$(cd "$1" && pwd)
shift
generated=$(mktemp -d)
trap 'rm -r "$generated"' EXIT
protoc -I proto --python_out="$generated" --grpc_python_out="$generated" \
  --plugin=protoc-gen-grpc_python="$(command -v grpc_python_plugin)" \
  $(cd proto && ls lockstep/v1/*.proto) google/rpc/error_details.proto google/rpc/status.proto ||
  exit 1
# A client without calls under way looks at its connections only this often (5 s by default).
export GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS=100
PYTHONPATH=$generated:examples/python PYTHONDONTWRITEBYTECODE=1 LOCKSTEP_BIN=$bin \
  /usr/bin/python3 tests/wire/main.py "$@"
