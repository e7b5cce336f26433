#!/usr/bin/env bash
# Builds Lockstep, starts a small cluster on this machine and shows what it does.
#
#   deploy/quickstart.sh           shows, and stays up until Ctrl-C
#   deploy/quickstart.sh --exit    shows, and ends; the exit status tells whether all was as it should be
#
# LOCKSTEP_BUILD_DIR   where to build (default: build/)
set -euo pipefail
cd "$(dirname "$0")/.."
source deploy/local-cluster.sh

stay=true
case "${1:-}" in
  "") ;;
  --exit) stay=false ;;
  *)
    sed -n '2,7s/^# \{0,1\}//p' "$0"
    [ "$1" = --help ] && exit 0
    exit 2
    ;;
esac

build_dir=${LOCKSTEP_BUILD_DIR:-build}
data=$(mktemp -d "${TMPDIR:-/tmp}/lockstep-quickstart.XXXXXX")
bold=
plain=
if [ -t 1 ]; then
  bold=$'\e[1m'
  plain=$'\e[0m'
fi

say() {
  printf '\n%s%s%s\n' "$bold" "$*" "$plain"
}

clean_up() {
  cluster_stop
  rm -rf "$data"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# Shows a command, then runs it.
run() {
  printf '  $ lockstep'
  local word
  for word in "$@"; do
    case "$word" in
      *[!A-Za-z0-9_.:=/-]* | "") printf ' "%s"' "$word" ;;
      *) printf ' %s' "$word" ;;
    esac
  done
  echo
  local status=0
  "$build_dir/bin/lockstep" "$@" 2>&1 | sed 's/^/    /' || status=$?
  return "$status"
}

failed() {
  echo "NOT AS IT SHOULD BE: $*" >&2
  exit 1
}

# refused COMMAND...: shows a command that must be refused or aborted.
refused() {
  local status=0
  run "$@" || status=$?
  [ "$status" -eq 1 ] || failed "exit status $status instead of 1"
}

# value DATABASE SQL: the one value that a query gives.
value() {
  "$build_dir/bin/lockstep" query "$@" | tail -n 1 | tr -d ' '
}

# expect WANTED DATABASE SQL
expect() {
  local got
  got=$(value "$2" "$3")
  [ "$got" = "$1" ] || failed "$3 on $2 gives '$got' instead of '$1'"
}

# state NODE: READY, UNREACHABLE …
state() {
  "$build_dir/bin/lockstep" status | awk -v node="$1" '$2 == node { print $4 }'
}

wait_for_state() {
  local deadline=$((SECONDS + 30))
  until [ "$(state "$1")" = "$2" ]; do
    [ "$SECONDS" -lt "$deadline" ] || failed "$1 does not become $2"
    sleep 0.1
  done
}

say "Building (some minutes the first time)"
deploy/install-deps.sh build
cmake -S . -B "$build_dir" -G Ninja >"$data/cmake.log" 2>&1 || { cat "$data/cmake.log"; exit 1; }
cmake --build "$build_dir" --target lockstep lockstep-coordinator lockstep-participant

say "Starting a coordinator, the database bank on three nodes, stock and orders on one each"
cluster_start "$build_dir/bin" "$data"
cluster_wait 30
export LOCKSTEP_ENDPOINT=$cluster_endpoint
run status

say "Tables, on three databases in one transaction"
run exec \
  bank "CREATE TABLE account(owner TEXT PRIMARY KEY, balance INTEGER CHECK (balance >= 0))" \
  "INSERT INTO account VALUES ('Anna', 100), ('Shop', 0)" \
  stock "CREATE TABLE item(name TEXT PRIMARY KEY, pieces INTEGER CHECK (pieces >= 0))" \
  "INSERT INTO item VALUES ('bolt', 5)" \
  orders "CREATE TABLE purchase(id INTEGER PRIMARY KEY, owner TEXT, item TEXT, price INTEGER)"

say "Anna buys a bolt: money, stock and order change together, the bank on all its three nodes"
buy() {
  local owner=$1 price=$2
  shift 2
  "$@" exec \
    bank "UPDATE account SET balance = balance - ? WHERE owner = ?" --param "$price" --param "$owner" \
    "UPDATE account SET balance = balance + ? WHERE owner = 'Shop'" --param "$price" \
    stock "UPDATE item SET pieces = pieces - 1 WHERE name = 'bolt'" \
    orders "INSERT INTO purchase(owner, item, price) VALUES (?, 'bolt', ?)" \
    --param "$owner" --param "$price"
}
buy Anna 30 run
run query bank "SELECT owner, balance FROM account ORDER BY owner"
expect 70 bank "SELECT balance FROM account WHERE owner = 'Anna'"
expect 4 stock "SELECT pieces FROM item"
expect 1 orders "SELECT count(*) FROM purchase"

say "A transfer inside the bank; every replica made the same change"
run exec bank "CREATE TABLE transfer(version INTEGER PRIMARY KEY, price INTEGER, at TEXT)" \
  "UPDATE account SET balance = balance - 5 WHERE owner = 'Shop'" \
  "UPDATE account SET balance = balance + 5 WHERE owner = 'Anna'" \
  "INSERT INTO transfer VALUES (1, 5, datetime('now'))"
run version bank transfer | tee "$data/version"
grep -q "replicas agree" "$data/version" || failed "the replicas of the bank differ"
expect 75 bank "SELECT balance FROM account WHERE owner = 'Anna'"

say "Anna cannot pay 500: the bank votes no, and nothing happens, on no node of any database"
buy Anna 500 refused
expect 75 bank "SELECT balance FROM account WHERE owner = 'Anna'"
expect 4 stock "SELECT pieces FROM item"
expect 1 orders "SELECT count(*) FROM purchase"

say "kill -9 of stock-1: what needs it fails by its name, all else goes on"
node_kill stock-1
wait_for_state stock-1 UNREACHABLE
buy Anna 20 refused
run exec orders "INSERT INTO purchase(owner, item, price) VALUES ('Ben', 'a gift', 0)"
expect 75 bank "SELECT balance FROM account WHERE owner = 'Anna'"

say "stock-1 starts again: it has its data, and takes part by itself"
node_start stock-1
wait_for_state stock-1 READY
expect 4 stock "SELECT pieces FROM item"
buy Anna 20 run
expect 55 bank "SELECT balance FROM account WHERE owner = 'Anna'"
expect 3 stock "SELECT pieces FROM item"
expect 3 orders "SELECT count(*) FROM purchase"

say "All as it should be."
$stay || exit 0

tool=$build_dir/bin/lockstep
cat <<E_O_F

To try next, in another terminal:
  export LOCKSTEP_ENDPOINT=$cluster_endpoint
  $tool status
  $tool query stock "SELECT * FROM item"
  $tool exec bank "UPDATE account SET balance = balance - ? WHERE owner = ?" --param 5 --param Anna \\
      stock "UPDATE item SET pieces = pieces - 1"
  $tool exec --help
  grpcurl -plaintext $cluster_endpoint describe lockstep.v1.CoordinatorService
  kill -9 ${node_pid[bank-2]}        # bank-2; the bank can be read, not written, until it is back
Data and logs are in $data, as long as this runs. Ctrl-C ends it.
E_O_F
trap 'echo; exit 0' INT TERM
# Nothing is ever written there: a wait that leaves no process of its own behind.
while true; do read -r -t 86400 _ <> <(:) || true; done
