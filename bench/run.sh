#!/usr/bin/env bash
# Runs the whole table of the bench on a fresh three-node cluster on loopback, with its data on disk,
# and ends with one line per figure: figure NAME VALUE. --quick takes under two minutes.
#
#   bench/run.sh [--quick] [--build DIR] [--data DIR] [-- OPTIONS OF lockstep-bench]
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
build=$top/build
data=
repetitions=7
seconds=4
while [ $# -gt 0 ]; do
  case "$1" in
    --quick) repetitions=3 seconds=3 ;;
    --build) build=$(cd "$2" && pwd); shift ;;
    --data) data=$2; shift ;;
    --) shift; break ;;
    *) echo "usage: bench/run.sh [--quick] [--build DIR] [--data DIR] [-- OPTIONS]" >&2; exit 2 ;;
  esac
  shift
done
for binary in lockstep-coordinator lockstep-participant lockstep lockstep-bench; do
  [ -x "$build/bin/$binary" ] || {
    cmake -S "$top" -B "$build" -G Ninja >/dev/null
    ninja -C "$build" lockstep-coordinator lockstep-participant lockstep lockstep-bench
    break
  }
done

work=$(mktemp -d "${data:-$build}/bench.XXXXXX")
pids=()
stop() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap stop EXIT

base=${LOCKSTEP_BENCH_PORT:-17400}
nodes=(bank-1 bank-2 bank-3)
roles=(MASTER BACKUP BACKUP)
cluster=
endpoints=
for i in 0 1 2; do
  address=127.0.0.1:$((base + 1 + i))
  "$build/bin/lockstep-participant" --listen "$address" --data-dir "$work/${nodes[$i]}" \
    --cluster-id bench --node-id "${nodes[$i]}" --database bank --role "${roles[$i]}" \
    --log-level warning &
  pids+=($!)
  cluster+="${cluster:+;}node_id=${nodes[$i]},database=bank,role=${roles[$i]},address=$address"
  endpoints+="${endpoints:+,}$address"
done
"$build/bin/lockstep-coordinator" --listen "127.0.0.1:$base" --data-dir "$work/coordinator" \
  --cluster-id bench --cluster "$cluster" --log-level warning &
pids+=($!)

"$build/bin/lockstep-bench" --endpoint "127.0.0.1:$base" --participants "$endpoints" \
  --raw-directory "$work" --repetitions "$repetitions" --seconds "$seconds" "$@"
