#!/usr/bin/env bash
# Lockstep as grpcurl sees it, with nothing but reflection: tests/grpcurl/run.sh BIN_DIR
set -uo pipefail
cd "$(dirname "$0")/../.."
source tests/support/shell_test.sh
source deploy/local-cluster.sh

if ! command -v grpcurl >/dev/null; then
  skip "grpcurl is not installed"
  finish
fi

data=$(mktemp -d)
trap 'cluster_stop; rm -rf "$data"' EXIT
cluster_start "$1" "$data" 17400
check "the cluster is READY within 30 s" cluster_wait 30 || finish

coordinator=$cluster_endpoint
participant=${node_address[stock-1]}
replica=${node_address[bank-2]}

# call ADDRESS METHOD [JSON]
call() {
  grpcurl -plaintext -max-time 20 -d "${3:-{\}}" "$1" "$2"
}
execute() {
  call "$coordinator" lockstep.v1.CoordinatorService/Execute "$1"
}
statement() {
  printf '{"database":"%s","statements":[{"sql":"%s"}]}' "$1" "$2"
}
one() {
  printf '{"operations":[%s]}' "$(statement "$@")"
}
query() {
  call "$coordinator" lockstep.v1.CoordinatorService/Query \
    "$(printf '{"database":"%s","sql":"%s"}' "$1" "$2")"
}

# Some versions of grpcurl print names as the proto files have them, others in camel case: the
# patterns take both.

# --- reflection
for service in CoordinatorService; do
  check_match "lockstep\.v1\.$service" "the coordinator lists $service" \
    grpcurl -plaintext "$coordinator" list
done
for service in ParticipantService TwoPhaseCommitService; do
  check_match "lockstep\.v1\.$service" "a participant lists $service" \
    grpcurl -plaintext "$participant" list
done
for address in "$coordinator" "$participant"; do
  check_match 'grpc\.health\.v1\.Health' "$address lists the health service" \
    grpcurl -plaintext "$address" list
done
for method in Execute Query GetTransaction GetTableVersion GetClusterStatus; do
  check "describe shows $method of the coordinator" \
    grpcurl -plaintext "$coordinator" describe "lockstep.v1.CoordinatorService.$method"
done
for method in Prepare Commit Rollback Fence Status Read; do
  check "describe shows $method of a participant" \
    grpcurl -plaintext "$participant" describe "lockstep.v1.TwoPhaseCommitService.$method"
done
for method in CheckHealth Execute Query GetVersion; do
  check "describe shows $method of a participant" \
    grpcurl -plaintext "$participant" describe "lockstep.v1.ParticipantService.$method"
done
check_match "operations" "describe shows the messages" \
  grpcurl -plaintext "$coordinator" describe lockstep.v1.ExecuteRequest

# --- health
for address in "$coordinator" "$participant"; do
  check_match '"status": "SERVING"' "health Check of $address says SERVING" \
    call "$address" grpc.health.v1.Health/Check
done
check_match SERVING "health Check knows the coordinator's service" \
  call "$coordinator" grpc.health.v1.Health/Check '{"service":"lockstep.v1.CoordinatorService"}'
check_exit 69 "health Check of a service that is not there is NOT_FOUND" \
  call "$coordinator" grpc.health.v1.Health/Check '{"service":"nothing"}'
watch() {
  grpcurl -plaintext -max-time 1 -d '{}' "$1" grpc.health.v1.Health/Watch
}
for address in "$coordinator" "$participant"; do
  check_match '"status": "SERVING"' "health Watch of $address begins with SERVING" watch "$address"
done
check_match '"state": "STATE_READY"' "CheckHealth tells the state" \
  call "$participant" lockstep.v1.ParticipantService/CheckHealth
check_match '"node_?[Ii]d": "bank-3"' "GetClusterStatus lists every participant" \
  call "$coordinator" lockstep.v1.CoordinatorService/GetClusterStatus

# --- transactions
create='CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, version INTEGER)'
check "Execute commits over two databases, one of them replicated" execute \
  "{\"operations\":[$(statement bank "$create"),$(statement stock "$create")]}"
insert='{"operations":[{"database":"bank","statements":[{"sql":"INSERT INTO t VALUES (?,?,?)",
  "params":[{"intValue":"9223372036854775806"},{"textValue":"z\u00fcrich"},{"intValue":"1"}]}]}]}'
check_match '"transaction_?[Ii]d": "[0-9]+-[0-9]+"' "Execute takes typed parameters" execute "$insert"
id=$(grep -oE '"transaction_?[Ii]d": "[^"]*"' <<<"$last_output" | cut -d'"' -f4)
check_match '"int_?[Vv]alue": "9223372036854775806"' "Query gives the largest integer back exactly" \
  query bank "SELECT a FROM t"
without_time() {
  grpcurl -plaintext -d "$(one bank 'SELECT 1')" "$coordinator" lockstep.v1.CoordinatorService/Execute
}
check "Execute without a timeout or a deadline has the server's" without_time
check_match 'OUTCOME_COMMITTED' "GetTransaction tells how it ended" \
  call "$coordinator" lockstep.v1.CoordinatorService/GetTransaction "{\"transactionId\":\"$id\"}"
check_match '"replicas_?[Aa]gree": true' "GetTableVersion compares the replicas" \
  call "$coordinator" lockstep.v1.CoordinatorService/GetTableVersion '{"database":"bank","table":"t"}'
check_match '"table_?[Vv]ersion": "1"' "GetVersion reads one replica" \
  call "$replica" lockstep.v1.ParticipantService/GetVersion '{"table":"t"}'

# --- refusals and aborts: grpcurl's exit status is 64 + the gRPC code. An error inside an answer that
# is OK, as rqlite has it, would be overlooked: whatever is not committed is a gRPC error.
check_exit 73 "a constraint aborts with FAILED_PRECONDITION" execute "$insert"
aborted() {
  execute "$insert"
}
check_match '"reason": "CONSTRAINT_VIOLATION"' "its reason is readable, not base64" aborted
check_match '"outcome": "ABORTED"' "it says that it is aborted" aborted
check_match '"database": "bank"' "it names the database" aborted
check_match '"sqlite_extended_code": "1555"' "it has SQLite's extended code" aborted
check_match '"operation": "0"' "it names the operation" aborted
check_match '"transaction_id": "' "it names the transaction" aborted

guarded() {
  execute '{"operations":[{"database":"bank","statements":[{"sql":"UPDATE t SET b = 1 WHERE a = 0",
    "expect":{"rows":1}}]}]}'
}
check_exit 73 "a guard that fails is FAILED_PRECONDITION" guarded
check_match '"@type": "type.googleapis.com/google.rpc.ErrorInfo"' "its details are resolved" guarded
check_match '"reason": "GUARD_FAILED"' "its reason is GUARD_FAILED" guarded
check_match '"domain": "lockstep"' "its domain is lockstep" guarded
check_match '"actual_rows": "0"' "it says how many rows there were" guarded
check_match '"expected_rows": "1"' "and how many were wanted" guarded
check_match '"outcome": "ABORTED"' "and that it is aborted" guarded
check "a request_id runs once" execute \
  '{"requestId":"once","operations":[{"database":"bank","statements":[{"sql":"SELECT 1"}]}]}'
reused() {
  execute '{"requestId":"once","operations":[{"database":"bank","statements":[{"sql":"SELECT 2"}]}]}'
}
check_exit 67 "a request_id with another body is INVALID_ARGUMENT" reused
check_match '"reason": "REQUEST_ID_REUSED"' "its reason is REQUEST_ID_REUSED" reused
check_match '"outcome": "NOT_STARTED"' "and nothing was started" reused

check_exit 71 "PRAGMA is refused with PERMISSION_DENIED" execute "$(one bank 'PRAGMA user_version = 1')"
refused() {
  execute "$(one bank 'BEGIN')"
}
check_match '"reason": "STATEMENT_NOT_ALLOWED"' "transaction control is refused by its reason" refused
check_exit 67 "SQL that does not parse is INVALID_ARGUMENT" execute "$(one bank 'SELEC 1')"
check_exit 69 "an unknown database is NOT_FOUND" execute "$(one nowhere 'SELECT 1')"
check_exit 67 "an empty request is INVALID_ARGUMENT" execute '{}'
empty() {
  execute '{}'
}
check_match 'google.rpc.BadRequest' "and names the field in a BadRequest" empty
check_match '"field": "operations' "and the field is operations" empty
check_exit 73 "a local transaction on a replica is FAILED_PRECONDITION" \
  call "$replica" lockstep.v1.ParticipantService/Execute '{"statements":[{"sql":"DELETE FROM t"}]}'
replicated() {
  call "$replica" lockstep.v1.ParticipantService/Execute '{"statements":[{"sql":"DELETE FROM t"}]}'
}
check_match '"reason": "NODE_IS_REPLICATED"' "and says why" replicated
check "a local transaction on a node that is alone commits" \
  call "$participant" lockstep.v1.ParticipantService/Execute \
  '{"statements":[{"sql":"INSERT INTO t(b) VALUES ('"'local'"')"}]}'
check_match '"local"' "and is seen through the coordinator" query stock "SELECT b FROM t"
foreign() {
  call "$participant" lockstep.v1.TwoPhaseCommitService/Status \
    '{"target":{"clusterId":"another","nodeId":"stock-1","term":9}}'
}
check_match 'ERROR' "the coordinator's calls are refused for another cluster" foreign

# --- a node that is away
node_kill stock-1
away() {
  execute "$(one stock 'SELECT 1')"
}
eventually 20 bash -c '! (exec 3<>/dev/tcp/'"${participant/:/\/}"') 2>/dev/null'
check_exit 78 "a transaction that needs a dead node is UNAVAILABLE" away
check_match '"reason": "PARTICIPANT_UNAVAILABLE"' "its reason says so" away
check_match '"node_id": "stock-1"' "and names the node" away
check_match 'google.rpc.RetryInfo' "and when to try again" away
check "what does not need it commits" execute "$(one orders 'CREATE TABLE t(a)')"
finish
