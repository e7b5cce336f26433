#!/usr/bin/env python3
"""Which branches of the protocols no test takes, from what `llvm-cov export` says on standard input.

  branches.py ROOT EXCEPTIONS

Prints each; exits with 1 if there is one that EXCEPTIONS does not name. Out of account are
LOCKSTEP_CHECK, whose failing sides end the process; the switches that tests break rules with, and what
is only run or asked when one is on; and defaulted operators, to whose members clang gives no counters.
"""
import collections
import json
import os
import re
import sys

PURE = re.compile(r"^(coordinator|participant)/protocol/")
_CHECK = re.compile(r"\bLOCKSTEP_CHECK\(")
_SWITCH = re.compile(r"\b(config_\.broken|broken_)\.")
# Not one whose condition is a switch that is off.
_SWITCHED_BLOCK = re.compile(r"\bif \((config_\.broken|broken_)\.[^;{}]*\) \{")
_DEFAULTED = re.compile(r"\boperator\b.*= default;")


def lines_between(text, pattern, brackets):
    """Of each match, which ends with the opening bracket, up to the closing one."""
    lines = set()
    for match in pattern.finditer(text):
        end, depth = match.end(), 1
        while depth:
            depth += {brackets[0]: 1, brackets[1]: -1}.get(text[end], 0)
            end += 1
        lines |= set(range(text.count("\n", 0, match.start()) + 1, text.count("\n", 0, end) + 2))
    return lines


def is_switched(row, expression, column):
    """Whether it is a switch, or stands behind one, so that it is asked only if that is on."""
    switch = _SWITCH.search(row)
    return switch is not None and (bool(_SWITCH.search(expression)) or switch.start() < column)


def untaken(text, branches):
    """(line, side, expression) of each that was never taken; a header's are counted together."""
    counts = collections.defaultdict(lambda: [0, 0])
    for line, column, end_line, end_column, is_true, is_false, *_ in branches:
        count = counts[line, column, end_line, end_column]
        count[0] += is_true
        count[1] += is_false
    rows = text.split("\n")
    left_out = lines_between(text, _CHECK, "()") | lines_between(text, _SWITCHED_BLOCK, "{}")
    for (line, column, end_line, end_column), count in sorted(counts.items()):
        row = rows[line - 1]
        expression = row[column - 1:end_column - 1 if line == end_line else None].strip()
        if line in left_out or _DEFAULTED.search(row) or is_switched(row, expression, column):
            continue
        for side, times in zip(("true", "false"), count):
            if not times:
                yield line, side, expression


def exceptions(text):
    """Blocks of a reason, in lines of "# ...", and below it FILE: SIDE: EXPRESSION."""
    return {line.strip() for line in text.split("\n") if line.strip() and not line.startswith("#")}


def main(root, exceptions_path):
    with open(exceptions_path, encoding="utf-8") as file:
        allowed = exceptions(file.read())
    found, total = set(), 0
    for entry in json.load(sys.stdin)["data"][0]["files"]:
        path = os.path.relpath(os.path.normpath(entry["filename"]), root)
        if not PURE.match(path):
            continue
        total += 2 * len(entry["branches"])
        with open(os.path.join(root, path), encoding="utf-8") as file:
            for line, side, expression in untaken(file.read(), entry["branches"]):
                name = f"{path}: {side}: {expression}"
                found.add(name)
                if name not in allowed:
                    print(f"{path}:{line}: no test makes this {side}: {expression}")
    for name in sorted(allowed - found):
        print(f"{name}: is taken, and no exception any more")
    bad = len(found ^ allowed)
    print(f"{total} branches, {len(found & allowed)} that cannot be taken, {bad} complaints")
    return 1 if bad or not total else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
