# A cluster of processes on this machine, for scripts: a coordinator, and the participants bank-1
# (master), bank-2, bank-3 (backups), stock-1 and orders-1, on loopback, with their data on disk.
# Source it; then
#
#   cluster_start BIN_DIR DATA_DIR [PORT]    starts all six; PORT is the coordinator's (7400, if free)
#   cluster_wait SECONDS                     until every participant is READY
#   node_start NAME, node_kill NAME          one of them again, or away (kill -9)
#   cluster_stop                             ends all, in order
#
# and $cluster_endpoint is the coordinator's address, "${node_address[NAME]}" a participant's.
cluster_nodes=(bank-1 bank-2 bank-3 stock-1 orders-1)
declare -A node_address node_pid
cluster_endpoint=

port_is_free() {
  ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# The port itself or the next free one, below the range that outgoing connections use.
free_port() {
  local port=$1
  until port_is_free "$port"; do port=$((port + 1)); done
  echo "$port"
}

node_role() {
  case "$1" in
    bank-2 | bank-3) echo BACKUP ;;
    *) echo MASTER ;;
  esac
}

cluster_configure() {
  cluster_bin=$1
  cluster_data=$2
  local port name
  port=$(free_port "${3:-7400}")
  cluster_endpoint=127.0.0.1:$port
  {
    echo "cluster_id: local"
    echo "listen: $cluster_endpoint"
    echo "data_dir: $cluster_data/coordinator"
    echo "cluster:"
    for name in "${cluster_nodes[@]}"; do
      port=$(free_port $((port + 1)))
      node_address[$name]=127.0.0.1:$port
      echo "  - {node_id: $name, database: ${name%-*}, role: $(node_role "$name")," \
        "address: \"127.0.0.1:$port\"}"
    done
  } >"$cluster_data/cluster.yaml"
}

node_start() {
  local name=$1 command
  if [ "$name" = coordinator ]; then
    command=("$cluster_bin/lockstep-coordinator" --config "$cluster_data/cluster.yaml")
  else
    command=("$cluster_bin/lockstep-participant" --cluster-id local --node-id "$name"
      --database "${name%-*}" --role "$(node_role "$name")" --listen "${node_address[$name]}"
      --data-dir "$cluster_data/$name")
  fi
  # Settings of this shell are not settings of the servers; a terminal's Ctrl-C is not for them; a
  # script that is killed leaves none behind.
  setsid setpriv --pdeathsig KILL env -i PATH="$PATH" TZ=UTC "${command[@]}" >>"$cluster_data/$name.log" 2>&1 </dev/null &
  node_pid[$name]=$!
}

node_kill() {
  kill -9 "${node_pid[$1]}"
  wait "${node_pid[$1]}" 2>/dev/null || true
  unset "node_pid[$1]"
}

cluster_start() {
  local name
  cluster_configure "$@"
  for name in "${cluster_nodes[@]}" coordinator; do node_start "$name"; done
}

# Looks every tenth of a second: a process has no other way to tell a shell that it is ready.
cluster_wait() {
  local deadline=$((SECONDS + $1)) name
  for name in coordinator "${cluster_nodes[@]}"; do
    until "$cluster_bin/lockstep" health \
      --endpoint "${node_address[$name]:-$cluster_endpoint}" >/dev/null 2>&1; do
      if [ "$SECONDS" -ge "$deadline" ] || ! kill -0 "${node_pid[$name]}" 2>/dev/null; then
        echo "$name is not ready; its log ends:" >&2
        tail -n 20 "$cluster_data/$name.log" >&2
        return 1
      fi
      sleep 0.1
    done
  done
}

cluster_stop() {
  local name
  for name in "${!node_pid[@]}"; do kill "${node_pid[$name]}" 2>/dev/null || true; done
  for name in "${!node_pid[@]}"; do
    wait "${node_pid[$name]}" 2>/dev/null || true
    unset "node_pid[$name]"
  done
}
