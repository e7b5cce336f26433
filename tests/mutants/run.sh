#!/usr/bin/env bash
# Breaks every rule of the protocol in one line of a copy of the sources, one after the other, and
# prints which test noticed. Each costs a build; `run.sh NAME ...` tries these only.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec python3 tests/mutants/mutants.py run "$@"
