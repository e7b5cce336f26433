"""Each numbered rule of the protocol stands in the name of a test."""
import re

import evidence

RULES = range(1, 24)

# Rules about what is not built yet.
NOT_YET = {20: "there is one coordinator until its log can be shared"}

# In a comment ("rule R5"), and in a name ("RefusedByR5", "R5IsKept"); not in VAR5 or R5x.
_NUMBER = re.compile(r"(?<![A-Z0-9])R([0-9]{1,2})(?![0-9a-z])")
_SUFFIXES = (".cc", ".h", ".py", ".sh", ".txt")


def _numbers(text):
    return {int(number) for number in _NUMBER.findall(text)}


def named(files):
    """The numbers of the rules that the names of tests bear. What is only written about proves none."""
    names, _ = evidence.tests({path: text for path, text in files.items()
                               if not path.startswith("tests/tidy/")})
    return _numbers(" ".join(names))


def written(files):
    """The numbers that stand anywhere in the tests."""
    return _numbers(" ".join(text for path, text in files.items()
                             if path.startswith("tests/") and path.endswith(_SUFFIXES)
                             and not path.startswith("tests/tidy/")))


def check_rules(files):
    numbers = named(files)
    for rule in RULES:
        if rule not in numbers and rule not in NOT_YET:
            yield f"tests:0: no test names R{rule}"
        if rule in numbers and rule in NOT_YET:
            yield f"tests:0: a test names R{rule}, so it is no rule of later work"
    for number in sorted(written(files) - set(RULES)):
        yield f"tests:0: the tests name R{number}, which is no rule"


CHECKS = (check_rules,)
