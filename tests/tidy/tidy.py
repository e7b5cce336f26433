#!/usr/bin/env python3
"""Checks the sources against the rules of the house; prints each breach as path:line: reason.

    tests/tidy/tidy.py [ROOT]

Exits 0 when there is none.
"""
import os
import sys

import evidence
import layers
import rules
import sources
import style

CHECKS = layers.CHECKS + style.CHECKS + rules.CHECKS + evidence.CHECKS


def complaints(root):
    files = sources.load(root)
    found = [complaint for check in CHECKS for complaint in check(files)]
    return found + list(style.check_format(root, files))


def main(arguments):
    here = os.path.dirname(os.path.abspath(__file__))
    root = arguments[0] if arguments else os.path.dirname(os.path.dirname(here))
    found = complaints(root)
    for complaint in found:
        print(complaint)
    print(f"{len(found)} complaints")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
