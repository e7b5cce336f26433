#!/usr/bin/env python3
"""Runs the tests of this folder, or those that are named: main.py [TEST...]; see run.sh.

Prints a line for each test, and at the end "N passed, N failed".
"""
import os
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))


class Lines(unittest.TestResult):
    """One line for each test, with what is wrong below it."""

    passed = 0
    started = 0.0

    def startTest(self, test):  # noqa: N802, unittest's name
        super().startTest(test)
        self.started = time.monotonic()

    def addSuccess(self, test):  # noqa: N802
        super().addSuccess(test)
        self.passed += 1
        print(f"ok      {test.id()} ({time.monotonic() - self.started:.1f} s)", flush=True)

    def addSkip(self, test, reason):  # noqa: N802
        super().addSkip(test, reason)
        print(f"SKIPPED: {test.id()}: {reason}", flush=True)

    def addFailure(self, test, err):  # noqa: N802
        super().addFailure(test, err)
        self._show(test, self.failures[-1][1])

    def addError(self, test, err):  # noqa: N802
        super().addError(test, err)
        self._show(test, self.errors[-1][1])

    def addSubTest(self, test, subtest, err):  # noqa: N802
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._show(subtest, (self.failures + self.errors)[-1][1])

    @staticmethod
    def _show(test, text):
        print(f"FAILED  {test.id()}", flush=True)
        case = getattr(test, "test_case", test)
        print(f"to repeat: {getattr(case, 'repeat_with', '')}tests/wire/run.sh "
              f"{os.environ['LOCKSTEP_BIN']} {case.id()}", flush=True)
        for line in text.rstrip().split("\n"):
            print(f"        | {line}", flush=True)


def main(names):
    sys.path.insert(0, HERE)
    loader = unittest.TestLoader()
    if names:
        suite = loader.loadTestsFromNames(names)
    else:
        suite = loader.discover(HERE, pattern="*_test.py")
    result = Lines()
    started = time.monotonic()
    suite.run(result)
    failed = len(result.failures) + len(result.errors)
    print(f"{time.monotonic() - started:.0f} s")
    line = f"{result.passed} passed, {failed} failed"
    if result.skipped:
        line += f", {len(result.skipped)} skipped"
    print(line)
    return 0 if failed == 0 and result.passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
