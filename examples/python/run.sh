#!/usr/bin/env bash
# Generates the Python code of the API and runs the example: run.sh ENDPOINT
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
proto=$here/../../proto
generated=$(mktemp -d)
trap 'rm -r "$generated"' EXIT
protoc -I "$proto" --python_out="$generated" --grpc_python_out="$generated" \
  --plugin=protoc-gen-grpc_python="$(command -v grpc_python_plugin)" \
  lockstep/v1/value.proto lockstep/v1/coordinator.proto google/rpc/error_details.proto \
  google/rpc/status.proto
PYTHONPATH=$generated "${PYTHON:-/usr/bin/python3}" "$here/order_service.py" "$@"
