#!/usr/bin/env bash
# docker-compose.yml for real: built, up, and through what happens to containers.
#
# The project has a name of its own; whatever happens, its containers, networks and volumes go at
# the end.
set -uo pipefail
cd "$(dirname "$0")/../.."
source tests/support/shell_test.sh
source deploy/local-cluster.sh

image_limit=$((60 * 1000 * 1000)) # bytes above the base image
services=(coordinator "${cluster_nodes[@]}")

if ! docker info >/dev/null 2>&1; then
  skip "no Docker engine is reached"
  finish
fi
if command -v docker-compose >/dev/null; then
  compose_command=(docker-compose)
elif docker compose version >/dev/null 2>&1; then
  compose_command=(docker compose)
else
  skip "neither docker-compose nor docker compose is installed"
  finish
fi

project=lockstep-test-$$
LOCKSTEP_PORT=$(free_port $((21000 + RANDOM % 4000)))
export LOCKSTEP_PORT
compose() {
  "${compose_command[@]}" -p "$project" "$@"
}
trap 'compose down --volumes --remove-orphans --timeout 5 >/dev/null 2>&1' EXIT
trap 'exit 143' INT TERM

container() {
  compose ps -q "$1"
}
inspect() {
  docker inspect -f "$2" "$(container "$1")"
}
lockstep() {
  docker exec "$(container coordinator)" lockstep "$@"
}
healthy() {
  [ "$(inspect "$1" '{{.State.Health.Status}}')" = healthy ]
}
all_healthy() {
  local service
  for service in "${services[@]}"; do healthy "$service" || return 1; done
}
# state NODE STATE: what the coordinator says of it.
state() {
  lockstep status | awk -v node="$1" '$2 == node { print $4 }' | grep -qx "$2"
}
value() {
  lockstep query "$@" | tail -n 1 | tr -d " "
}
size() {
  docker image inspect -f '{{.Size}}' "$1"
}
megabytes() {
  echo "$(($1 / 1000000)) MB"
}

# What is measured on the way, told together at the end.
figures=()
figure() {
  figures+=("$1")
  echo "$1"
}
clock_started=0
start_clock() {
  clock_started=$(date +%s%3N)
}
# clock: the time since start_clock, which has the time of the looking in it.
clock() {
  local milliseconds=$(($(date +%s%3N) - clock_started))
  printf '%d.%01d s' $((milliseconds / 1000)) $((milliseconds % 1000 / 100))
}

check "the configuration is valid" compose config -q
check "there is a base image" deploy/base-image.sh || finish
started=$SECONDS
if ! compose build >"/tmp/$project.log" 2>&1; then
  last_output=$(tail -n 40 "/tmp/$project.log")
  rm -f "/tmp/$project.log"
  fail "the image builds"
  finish
fi
rm -f "/tmp/$project.log"
pass "the image builds ($((SECONDS - started)) s)"

added=$(($(size lockstep) - $(size debian:bookworm-slim)))
figure "image: $(megabytes "$(size lockstep)"), $(megabytes "$added") above its base"
check "the image adds less than 60 MB to its base" test "$added" -lt "$image_limit"

start_clock
started=$SECONDS
check "up" compose up -d || finish
check "all six are healthy within 30 s" eventually $((started + 30 - SECONDS)) all_healthy ||
  { compose ps; compose logs --tail=30; finish; }
figure "all six healthy: $(clock) after up"

# --- what each container may
for service in "${services[@]}"; do
  check_match '^true 10001:10001 \[ALL\]$' "$service: read-only root, no root user, no capability" \
    inspect "$service" '{{.HostConfig.ReadonlyRootfs}} {{.Config.User}} {{.HostConfig.CapDrop}}'
done
published() {
  docker ps --filter "label=com.docker.compose.project=$project" --format '{{.Names}} {{.Ports}}' |
    grep -e '->'
}
check_match "^[^ ]*coordinator[^ ]* (7401/tcp, )?127\.0\.0\.1:$LOCKSTEP_PORT->7400/tcp[^>]*\$" \
  "only the coordinator's port is published, on loopback" published
internal() {
  docker network inspect -f '{{.Internal}}' "${project}_cluster"
}
check_match '^true$' "the participants' network is internal" internal

# --- transactions
check "a transaction over three databases commits" lockstep exec \
  bank "CREATE TABLE t(a INTEGER PRIMARY KEY)" "INSERT INTO t VALUES (1)" \
  stock "CREATE TABLE t(a INTEGER PRIMARY KEY)" "INSERT INTO t VALUES (1)" \
  orders "CREATE TABLE t(a INTEGER PRIMARY KEY)" "INSERT INTO t VALUES (1)"
if command -v grpcurl >/dev/null; then
  published_execute() {
    grpcurl -plaintext -max-time 20 -d '{"operations":[
      {"database":"bank","statements":[{"sql":"INSERT INTO t VALUES (2)"}]},
      {"database":"stock","statements":[{"sql":"INSERT INTO t VALUES (2)"}]}]}' \
      "127.0.0.1:$LOCKSTEP_PORT" lockstep.v1.CoordinatorService/Execute
  }
  check_match 'transaction_?[Ii]d' "Execute through the published port commits" published_execute
else
  skip "grpcurl is not installed: Execute through the published port"
  lockstep exec bank "INSERT INTO t VALUES (2)" stock "INSERT INTO t VALUES (2)" >/dev/null
fi

all_ready() {
  local node
  for node in "${cluster_nodes[@]}"; do state "$node" READY || return 1; done
}

# --- memory, while nothing is to do
small=true
for service in "${services[@]}"; do
  resident=$(awk '/^VmRSS:/ { print $2 }' "/proc/$(inspect "$service" '{{.State.Pid}}')/status")
  figure "$service: $((resident / 1024)) MiB resident, idle"
  [ "$resident" -lt $((32 * 1024)) ] || small=false
done
check "each has less than 32 MiB resident" $small

# --- a process that dies, and is started again by its restart policy
pid_of() {
  inspect "$1" '{{.State.Pid}}'
}
kill_process() {
  if [ "$(id -u)" -eq 0 ]; then kill -9 "$1"; else sudo kill -9 "$1"; fi
}
# restarted SERVICE PID: it runs, in another process than PID.
restarted() {
  local now
  now=$(pid_of "$1")
  [ "$now" -ne 0 ] && [ "$now" -ne "$2" ]
}
killed=$(pid_of stock-1)
start_clock
check "kill -9 of a participant" kill_process "$killed"
check "its container starts again by itself" eventually 20 restarted stock-1 "$killed"
check "it is taken back" eventually 30 state stock-1 READY
figure "stock-1 READY: $(clock) after kill -9"
check_match '^2$' "its data is there" value stock "SELECT count(*) FROM t"
check "a transaction that needs it commits" lockstep exec stock "INSERT INTO t VALUES (3)"
killed=$(pid_of coordinator)
start_clock
check "kill -9 of the coordinator" kill_process "$killed"
check "its container starts again by itself" eventually 20 restarted coordinator "$killed"
check "every participant is READY" eventually 30 all_ready
figure "all READY: $(clock) after kill -9 of the coordinator"

# --- all containers restart
start_clock
check "restart of all" compose restart --timeout 15
check "all are healthy again" eventually 60 all_healthy
check "every participant is READY" eventually 30 all_ready
figure "all READY: $(clock) after the command to restart all"
check_match '^2$' "the bank's data is there" value bank "SELECT count(*) FROM t"
check_match '^3$' "the stock's data is there" value stock "SELECT count(*) FROM t"
lockstep exec bank "CREATE TABLE v(version INTEGER)" "INSERT INTO v VALUES (7)" >/dev/null
check_match 'replicas agree' "the bank's replicas agree" lockstep version bank v

# --- one backup is cut off
start_clock
check "a backup is cut off" docker network disconnect "${project}_cluster" "$(container bank-3)"
check "it is found UNREACHABLE" eventually 30 state bank-3 UNREACHABLE
figure "bank-3 UNREACHABLE: $(clock) after it was cut off"
check_exit 1 "a transaction on the bank fails" lockstep exec bank "INSERT INTO t VALUES (9)"
check_match 'node_id: bank-3' "and names the backup" lockstep exec bank "INSERT INTO t VALUES (9)"
check "one that does not need it commits" lockstep exec \
  stock "INSERT INTO t VALUES (4)" orders "INSERT INTO t VALUES (4)"
check_match '^2$' "the bank can be read" value bank "SELECT count(*) FROM t"
start_clock
check "the backup is connected again" \
  docker network connect --alias bank-3 "${project}_cluster" "$(container bank-3)"
check "it is taken back" eventually 30 state bank-3 READY
figure "bank-3 READY: $(clock) after it was connected again"
check "the bank takes transactions again" lockstep exec bank "INSERT INTO t VALUES (5)"

# --- addresses change while the coordinator runs
address() {
  inspect "$1" "{{(index .NetworkSettings.Networks \"${project}_cluster\").IPAddress}}"
}
address_before=$(address bank-3)
# The engine gives the lowest that is free: the node that had a higher one comes first.
higher_first=$(for node in bank-2 bank-3; do echo "$(address "$node") $node"; done |
  sort -rV | cut -d ' ' -f 2)
for node in bank-2 bank-3; do
  docker network disconnect "${project}_cluster" "$(container "$node")"
  check "$node is found UNREACHABLE" eventually 30 state "$node" UNREACHABLE
done
start_clock
for node in $higher_first; do
  docker network connect --alias "$node" "${project}_cluster" "$(container "$node")"
done
check "bank-3 has another address" test "$(address bank-3)" != "$address_before"
check "every participant is READY" eventually 30 all_ready
figure "all READY: $(clock) after two got other addresses"
check "the bank takes transactions again" lockstep exec bank "INSERT INTO t VALUES (6)"
check_match 'replicas agree' "the bank's replicas agree" lockstep version bank v

# --- nothing stays behind
check "down" compose down --volumes --timeout 15
left() {
  docker ps -aq --filter "label=com.docker.compose.project=$project"
  docker volume ls -q --filter "label=com.docker.compose.project=$project"
  docker network ls -q --filter "label=com.docker.compose.project=$project"
}
nothing_left() {
  test -z "$(left)"
}
check "no container, volume or network is left" nothing_left
echo "figures:"
printf '  %s\n' "${figures[@]}"
finish
