"""Each numbered rule of the protocol is named by a test."""
import re

RULES = range(1, 24)

# Rules about what is not built yet.
NOT_YET = {
    18: "request_ids come with a later release",
    19: "attempts come with request_ids",
    20: "there is one coordinator until its log can be shared",
}

# In a comment ("rule R5"), and in a name ("RefusedByR5", "R5IsKept"); not in VAR5 or R5x.
_NUMBER = re.compile(r"(?<![A-Z0-9])R([0-9]{1,2})(?![0-9a-z])")
_SUFFIXES = (".cc", ".h", ".py", ".sh", ".txt")


def named(files):
    """The numbers of the rules that the tests name."""
    numbers = set()
    for path, text in files.items():
        if not path.startswith("tests/") or path.startswith("tests/tidy/"):
            continue
        if path.endswith(_SUFFIXES):
            numbers |= {int(number) for number in _NUMBER.findall(text)}
    return numbers


def check_rules(files):
    numbers = named(files)
    for rule in RULES:
        if rule not in numbers and rule not in NOT_YET:
            yield f"tests:0: no test names R{rule}"
    for number in sorted(numbers - set(RULES)):
        yield f"tests:0: a test names R{number}, which is no rule"


CHECKS = (check_rules,)
