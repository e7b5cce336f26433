#!/usr/bin/env bash
# The command line tool against a real cluster, each of its exit statuses: tests/cli/run.sh BIN_DIR
set -uo pipefail
cd "$(dirname "$0")/../.."
source tests/support/shell_test.sh
source deploy/local-cluster.sh

data=$(mktemp -d)
trap 'cluster_stop; rm -rf "$data"' EXIT
lockstep=$1/lockstep
cluster_start "$1" "$data" 18400
export LOCKSTEP_ENDPOINT=$cluster_endpoint
check "lockstep health sees all six within 30 s" cluster_wait 30 || finish

json() {
  python3 -c 'import json, sys
value = json.load(sys.stdin)
for key in sys.argv[1:]:
    value = value[int(key) if key.isdigit() else key]
print(value)' "$@"
}

check_match 'bank-1 .*MASTER .*READY' "status shows the master of the bank" "$lockstep" status
check_match 'participant bank-2 of database bank READY' "health tells who it asked" \
  "$lockstep" health --endpoint "${node_address[bank-2]}"
check_match 'coordinator of cluster local' "health knows a coordinator" "$lockstep" health

check_match 'committed [0-9]+-[0-9]+' "exec commits over two databases" "$lockstep" exec \
  bank "CREATE TABLE t(a, b, c, d, e)" stock "CREATE TABLE t(a PRIMARY KEY, version INTEGER)"
check_match 'bank: 1 row affected' "exec binds parameters of every type" "$lockstep" exec \
  bank "INSERT INTO t VALUES (?,?,?,?,?)" --param -9223372036854775808 --param 1.5 --param zürich \
  --param "x'00ff'" --param null
types() {
  "$lockstep" query bank "SELECT typeof(a), typeof(b), typeof(c), typeof(d), typeof(e) FROM t"
}
check_match 'integer +real +text +blob +null' "each arrives with its type" types
check_match "-9223372036854775808 +1.5 +zürich +x'00ff' +NULL" "each comes back exactly" \
  "$lockstep" query bank "SELECT * FROM t"
check_match 'stock: 2 rows' "RETURNING gives rows" "$lockstep" exec \
  stock "INSERT INTO t VALUES (:one, 1), (:two, 2) RETURNING a" --param :one=1 --param :two=2
check_match 'stock-1 +2 ' "version reads MAX(version)" "$lockstep" version stock t
check "exec takes DDL" "$lockstep" exec bank "CREATE TABLE v(version INTEGER)"
check_match 'replicas agree' "version compares replicas" "$lockstep" version bank v

request() {
  echo '{"operations":[{"database":"stock","statements":[{"sql":"INSERT INTO t VALUES (?, 3)",
    "params":[{"intValue":"'"$1"'"}]}]}]}' | "$lockstep" exec --request - --format json
}
check "exec takes a JSON request from standard input" request 3
id=$(json transactionId <<<"$last_output")
check_match "$id COMMITTED at " "tx get tells how it ended" "$lockstep" tx get "$id"
check_match '"outcome": "OUTCOME_COMMITTED"' "tx get speaks JSON" "$lockstep" tx get "$id" --format json

check_exit 1 "an aborted transaction is 1" request 3
aborted=$("$lockstep" exec orders "CREATE TABLE x(a)" stock "INSERT INTO t VALUES (3, 3)" 2>&1 >/dev/null)
check_match 'aborted: CONSTRAINT_VIOLATION' "its error is on standard error" echo "$aborted"
nothing_on_stdout() {
  test -z "$("$lockstep" exec stock "INSERT INTO t VALUES (3, 3)" 2>/dev/null)"
}
check "and nothing on standard output" nothing_on_stdout
error_json() {
  "$lockstep" --format json exec stock "INSERT INTO t VALUES (3, 3)" 2>&1 >/dev/null |
    json metadata database
}
check_match '^stock$' "an error in JSON is one object" error_json
check_exit 1 "nothing of it happened elsewhere" "$lockstep" query orders "SELECT * FROM x"
check_exit 1 "a statement that is not allowed is 1" "$lockstep" exec bank "PRAGMA user_version = 1"
check_exit 1 "an unknown transaction is 1" "$lockstep" tx get nonsense
# --- scripts and request_ids
printf '%s\n' "-- a schema" "CREATE TABLE script(a INTEGER, b TEXT DEFAULT ';');" \
  "CREATE TRIGGER twice AFTER INSERT ON script WHEN new.a < 10 BEGIN" \
  "  INSERT INTO script(a) VALUES (new.a + 10); END;" "INSERT INTO script(a) VALUES (1);" \
  >"$data/schema.sql"
check_match 'committed [0-9]+-[0-9]+$' "a script runs as one transaction" \
  "$lockstep" exec --file "$data/schema.sql" stock
check_match '11' "with its trigger" "$lockstep" query stock "SELECT a FROM script ORDER BY a DESC"
check_exit 1 "a script whose last statement fails does nothing" \
  "$lockstep" exec --file - stock <<<"CREATE TABLE other(a); INSERT INTO nowhere VALUES (1);"
check_exit 1 "so its first table is not there" "$lockstep" query stock "SELECT * FROM other"
crlf_trigger_first() {
  printf '\xef\xbb\xbf%s\r\n' "CREATE TRIGGER third AFTER INSERT ON script WHEN new.a = 3 BEGIN" \
    "  UPDATE script SET b = CASE WHEN new.a > 2 THEN 'three;' END WHERE a = 3;" "END;" \
    "INSERT INTO script(a) VALUES (3)" | "$lockstep" exec --file - stock
}
check_match 'committed [0-9]+-[0-9]+$' "a script may come from Windows and begin with a trigger" \
  crlf_trigger_first
check_match 'three;' "which then works" "$lockstep" query stock "SELECT b FROM script WHERE a = 3"
printf '%s\n' "CREATE TABLE other(a);" "" "INSERT INTO other" "VALUES (1);" \
  "INSERT INTO nowhere VALUES (1);" >"$data/wrong.sql"
check_match "at $data/wrong.sql:5" "an error names the line of its statement" \
  "$lockstep" exec --file "$data/wrong.sql" stock
check_match '"line":5' "in JSON too" \
  "$lockstep" --format json exec --file "$data/wrong.sql" stock
check_match 'at standard input:2' "a script that controls the transaction is refused by its line" \
  "$lockstep" exec --file - stock < <(printf 'SELECT 1;\nBEGIN;\n')
: >"$data/empty.sql"
check_exit 2 "an empty script is 2" "$lockstep" exec --file "$data/empty.sql" stock
check_match 'empty.sql: there is no statement' "and is named" \
  "$lockstep" exec --file "$data/empty.sql" stock
check_exit 2 "a script without a database is 2" "$lockstep" exec --file "$data/schema.sql"
check_exit 2 "a script without a statement is 2" "$lockstep" exec --file - stock <<<"-- nothing"
insert=(exec --request-id script-1 --attempt 1 stock "INSERT INTO script(a) VALUES (100)")
check_match 'committed [0-9]+-[0-9]+$' "a request_id runs once" "$lockstep" "${insert[@]}"
check_match 'committed [0-9]+-[0-9]+ before' "and then says so" "$lockstep" "${insert[@]}"
check_match '^ *1$' "and did it once" \
  tail -n 1 <("$lockstep" query stock "SELECT count(*) FROM script WHERE a = 100")
check_match '[0-9]+-[0-9]+ COMMITTED at ' "tx get tells of a request_id" \
  "$lockstep" tx get --request-id script-1 --attempt 2
check_exit 1 "an unknown request_id is 1" "$lockstep" tx get --request-id never
check_exit 2 "tx get of nothing is 2" "$lockstep" tx get
check_exit 2 "tx get of both is 2" "$lockstep" tx get 1-1 --request-id script-1
check_exit 2 "an unknown command is 2" "$lockstep" frobnicate
check_exit 2 "no statement is 2" "$lockstep" exec bank
check_exit 2 "a parameter that does not fit is 2" "$lockstep" exec bank "SELECT ?" --param int:x
check_exit 2 "a file that is not there is 2" "$lockstep" exec --request /nowhere
check_exit 3 "no server is 3" "$lockstep" status --endpoint 127.0.0.1:1
check_exit 3 "health of no server is 3" "$lockstep" health --endpoint 127.0.0.1:1

# A transaction waits for a node that does not move; then the coordinator dies under it.
kill -STOP "${node_pid[stock-1]}"
"$lockstep" exec stock "INSERT INTO t VALUES (4, 4)" >"$data/out" 2>"$data/err" &
waiting=$!
in_flight() {
  [ "$("$lockstep" status --format json | json roundsInFlight)" -ge 1 ]
}
check "a transaction is in flight" eventually 5 in_flight
node_kill coordinator
wait "$waiting"
status=$?
check_match '^4$' "a transaction whose coordinator died is 4, outcome unknown" echo "$status"
check_match 'outcome unknown' "and standard error says so" cat "$data/err"
kill -CONT "${node_pid[stock-1]}"
check_exit 3 "while no coordinator is there, exec is 3" "$lockstep" exec stock "SELECT 1"
node_start coordinator
check "the cluster is READY again" cluster_wait 30
rows=$("$lockstep" query stock "SELECT count(*) FROM t WHERE a = 4" | tail -n 1)
check_match '^ *[01]$' "it happened once or not at all" echo "$rows"
finish
