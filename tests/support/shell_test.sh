# For the tests that are shell scripts: source it, make checks, end with `finish`.
#
#   check "sentence" COMMAND...                 passes when COMMAND exits 0
#   check_exit CODE "sentence" COMMAND...       passes when COMMAND exits with CODE
#   check_match REGEX "sentence" COMMAND...     passes when COMMAND's output matches, whatever its exit
#   eventually SECONDS COMMAND...               repeats COMMAND until it exits 0; fails after SECONDS
#   skip "reason"                               counts one test that cannot run here
#   finish                                      prints "N passed, N failed, N skipped" and exits

# Before the script that sources this shifts its arguments.
repeat_command="$0 $*"
checks_passed=0
checks_failed=0
checks_skipped=0
last_output=

pass() {
  checks_passed=$((checks_passed + 1))
  echo "ok      $1"
}

fail() {
  checks_failed=$((checks_failed + 1))
  echo "FAILED  $1"
  printf '%s\n' "$last_output" | tail -n 40 | sed 's/^/        | /'
}

skip() {
  checks_skipped=$((checks_skipped + 1))
  echo "SKIPPED: $1"
}

check() {
  check_exit 0 "$@"
}

check_exit() {
  local want=$1 sentence=$2 got=0
  shift 2
  last_output=$("$@" 2>&1) || got=$?
  if [ "$got" -eq "$want" ]; then
    pass "$sentence"
  else
    last_output+=$'\n'"exit status $got instead of $want: $*"
    fail "$sentence"
    return 1
  fi
}

check_match() {
  local regex=$1 sentence=$2
  shift 2
  last_output=$("$@" 2>&1) || true
  if [[ $last_output =~ $regex ]]; then
    pass "$sentence"
  else
    last_output+=$'\n'"does not match $regex: $*"
    fail "$sentence"
    return 1
  fi
}

# Polls: what is waited for here (containers, processes) offers nothing to wait on.
eventually() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.1
  done
}

finish() {
  local line="$checks_passed passed, $checks_failed failed"
  if [ "$checks_skipped" -gt 0 ]; then line+=", $checks_skipped skipped"; fi
  if [ "$checks_failed" -gt 0 ]; then echo "to repeat: $repeat_command"; fi
  echo "$line"
  [ "$checks_failed" -eq 0 ]
  exit
}
