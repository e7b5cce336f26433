#!/usr/bin/env bash
# Generates the Go code of the API beside the example and runs it: run.sh ENDPOINT
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
proto=$here/../../proto
module=example.com/lockstep-example
# Where the generated code goes in this module; a service of yours names its own place.
mapping=Mlockstep/v1/value.proto=$module/lockstepv1,Mlockstep/v1/coordinator.proto=$module/lockstepv1
tools=$here/.tools
mkdir -p "$here/lockstepv1"
cd "$here"
cp ../service_config.json .
tool() { [ -x "$tools/$1" ] || GOBIN=$tools go install "$2"; }
tool protoc-gen-go google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
tool protoc-gen-go-grpc google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2
PATH=$tools:$PATH protoc -I "$proto" --go_out=. "--go_opt=module=$module,$mapping" \
  --go-grpc_out=. "--go-grpc_opt=module=$module,$mapping" \
  lockstep/v1/value.proto lockstep/v1/coordinator.proto
exec go run . "$@"
