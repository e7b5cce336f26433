"""Runs the console blocks of README.md and compares what they print.

    check.py README.md        in a shell where the cluster and the commands of the blocks are there

A command stands behind "$ " and may go on over several lines; its expected output follows. What
differs from run to run (times, durations, transaction numbers, rounds) is compared by its form only.
Prints "N passed, N failed".
"""

import re
import shlex
import subprocess
import sys

BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
VARYING = [
    (re.compile(r'"[0-9.]+s"'), '"DURATION"'),
    (re.compile(r'"\d{4}-\d\d-\d\dT[0-9:.]+Z"'), '"TIME"'),
    (re.compile(r'(transaction_id"?: ?)"\d+-\d+"'), r'\1"ID"'),
    (re.compile(r'"\d{13,}"'), '"ROUND"'),
    (re.compile(r"\b\d+-\d+ committed\b"), "ID committed"),
    (re.compile(r"[ \t]+"), " "),
]


def is_whole(command):
    if command.endswith("\\"):
        return False
    try:
        shlex.split(command)
    except ValueError:  # a quotation that has not ended
        return False
    return True


def commands(readme):
    """Pairs of a command and its expected output, in order."""
    for block in BLOCK.findall(readme):
        lines = block.splitlines()
        while lines:
            command = lines.pop(0)
            if not command.startswith("$ "):
                raise ValueError(f"not a command: {command}")
            command = command[2:]
            while not is_whole(command):
                command += "\n" + lines.pop(0)
            expected = []
            while lines and not lines[0].startswith("$ "):
                expected.append(lines.pop(0))
            yield command, "\n".join(expected)


def normal(text):
    for pattern, replacement in VARYING:
        text = pattern.sub(replacement, text)
    return "\n".join(line.strip() for line in text.strip().splitlines())


def run(command):
    done = subprocess.run(["bash", "-c", command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60, check=False)
    return done.stdout.decode()


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        readme = file.read()
    passed = failed = 0
    for command, expected in commands(readme):
        printed = run(command)
        if normal(printed) == normal(expected):
            passed += 1
            print(f"ok      $ {command.splitlines()[0]}")
        else:
            failed += 1
            print(f"FAILED  $ {command}\n--- README\n{expected}\n--- printed\n{printed}")
    if passed + failed == 0:
        failed = 1
        print("FAILED  README.md has no console block")
    print(f"{passed} passed, {failed} failed")
    return 0 if failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
