#!/usr/bin/env python3
"""Counts what a ctest run did: count_tests.py JUNIT_FILE GTEST_XML_DIR.

Prints "PASSED FAILED SKIPPED". A GoogleTest program counts with each of its tests, any other
program as one. A program that failed although all the tests that it reported passed (a crash, a
leak found at its end, a time-out) counts as one more failure.
"""
import os
import sys
import xml.etree.ElementTree as ElementTree


def gtest_counts(path):
    passed = failed = skipped = 0
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        if case.find("failure") is not None:
            failed += 1
        elif case.find("skipped") is not None or case.get("result") == "skipped":
            skipped += 1
        elif case.get("status") != "notrun":
            passed += 1
    return passed, failed, skipped


def main():
    junit, gtest_dir = sys.argv[1:3]
    totals = [0, 0, 0]
    for program in ElementTree.parse(junit).getroot().iter("testcase"):
        ok = program.get("status") == "run"
        skipped = program.find("skipped") is not None
        report = os.path.join(gtest_dir, program.get("name") + ".xml")
        try:
            counts = list(gtest_counts(report))
        except (OSError, ElementTree.ParseError):
            counts = [int(ok), 0, int(skipped and not ok)]
            skipped = skipped and not ok
        if not ok and not skipped and counts[1] == 0:
            counts[1] = 1
        totals = [a + b for a, b in zip(totals, counts)]
    print(*totals)


main()
