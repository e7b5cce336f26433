#!/usr/bin/env python3
"""Which branches of the protocols no test takes, from what `llvm-cov export` says on standard input.

  branches.py ROOT EXCEPTIONS

Prints each; exits with 1 if there is one that EXCEPTIONS does not name. Out of account, and counted
apart, are LOCKSTEP_CHECK, whose failing sides end the process; the switches that tests break rules
with, and what is only run or asked when one is on; and defaulted operators, to whose members clang
gives no counters.
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


def function_at(rows, line):
    """The first row of the function around a line, as clang-format sets it."""
    for outer in reversed(rows[:line]):
        if not outer[:1].isalpha():
            continue
        if not outer.startswith(("class ", "struct ")):
            return outer.rstrip(" {")
        return next(row for row in reversed(rows[:line]) if re.match(r"  \w|\w", row)).strip(" {")
    return ""


def judged(text, branches):
    """(line, name, times) of each side of a branch that is in account, and how many sides are not.

    A header's are told once for each program, and counted together.
    """
    counts = collections.defaultdict(lambda: [0, 0])
    for line, column, end_line, end_column, is_true, is_false, *_ in branches:
        count = counts[line, column, end_line, end_column]
        count[0] += is_true
        count[1] += is_false
    rows = text.split("\n")
    left_out = lines_between(text, _CHECK, "()") | lines_between(text, _SWITCHED_BLOCK, "{}")
    sides = []
    for (line, column, end_line, end_column), count in sorted(counts.items()):
        row = rows[line - 1]
        expression = row[column - 1:end_column - 1 if line == end_line else None].strip()
        if line in left_out or _DEFAULTED.search(row) or is_switched(row, expression, column):
            continue
        for side, times in zip(("true", "false"), count):
            sides.append((line, f"{function_at(rows, line)}: {side}: {expression}", times))
    return sides, 2 * len(counts) - len(sides)


def exceptions(text):
    """Blocks of a reason, in lines of "# ...", and below it FILE: FUNCTION: SIDE: EXPRESSION."""
    return [line.strip() for line in text.split("\n") if line.strip() and not line.startswith("#")]


def complaints(sides, allowed):
    """`sides` are the (path, line, name, times) of all files."""
    places = collections.Counter(f"{path}: {name}" for path, _, name, _ in sides)
    untaken = {f"{path}: {name}" for path, _, name, times in sides if not times}
    for path, line, name, times in sides:
        if not times and f"{path}: {name}" not in allowed:
            yield f"{path}:{line}: no test makes this so: {name}"
    for name in allowed:
        if name not in untaken:
            yield f"{name}: is taken or gone, and no exception any more"
        elif places[name] > 1:
            yield f"{name}: stands there {places[name]} times, and an exception is for one place"
        elif allowed.count(name) > 1:
            yield f"{name}: is excepted twice"


def main(root, exceptions_path):
    with open(exceptions_path, encoding="utf-8") as file:
        allowed = exceptions(file.read())
    sides, out_of_account = [], 0
    for entry in json.load(sys.stdin)["data"][0]["files"]:
        path = os.path.relpath(os.path.normpath(entry["filename"]), root)
        if not PURE.match(path):
            continue
        with open(os.path.join(root, path), encoding="utf-8") as file:
            found, left_out = judged(file.read(), entry["branches"])
        sides += [(path, *side) for side in found]
        out_of_account += left_out
    wrong = list(complaints(sides, allowed))
    for complaint in wrong:
        print(complaint)
    taken = sum(1 for *_, times in sides if times)
    print(f"{taken} of {len(sides)} branches are taken, {len(allowed)} cannot be; "
          f"{out_of_account} are out of account; {len(wrong)} complaints")
    return 1 if wrong or not sides else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
