"""docs/EVIDENCE.md names the test that proves each demand: each of them exists."""
import re

PAGE = "docs/EVIDENCE.md"

# | demand | `a test`, `another one` |
_ROW = re.compile(r"^\|(?P<demand>.*)\|(?P<proof>[^|]*)\|\s*$")
_NAME = re.compile(r"`([^`]+)`")
_CPP = re.compile(r"^\s*TEST(?:_F|_P)?\((\w+),\s*(\w+)\)", re.MULTILINE)
_PYTHON_CLASS = re.compile(r"^class (\w+)|^    def (test_\w+)", re.MULTILINE)


def _python_tests(path, text):
    """As unittest names them: file.Class.test_method."""
    module = path.rpartition("/")[2][:-len(".py")]
    owner = None
    for its_class, method in _PYTHON_CLASS.findall(text):
        owner = its_class or owner
        if method:
            yield f"{module}.{owner}.{method}"


def tests(files):
    """The names of all tests, and the text of each group that is a script, by its folder."""
    names, scripts = set(), {}
    for path, text in files.items():
        if not path.startswith("tests/"):
            continue
        if path.endswith(".cc"):
            names |= {f"{suite}.{name}" for suite, name in _CPP.findall(text)}
        elif path.endswith("_test.py"):
            names |= set(_python_tests(path, text))
        elif path.endswith("/run.sh"):
            scripts[path.split("/")[1]] = text
    return names, scripts


def _exists(name, names, scripts):
    group, is_script, sentence = name.partition(": ")
    if is_script:
        script = scripts.get(group, "")
        return any(f"{quote}{sentence}{quote}" in script for quote in "\"'")
    return name in names


def check_evidence(files):
    names, scripts = tests(files)
    for number, line in enumerate(files.get(PAGE, "").split("\n"), 1):
        row = _ROW.match(line)
        if not row or set(row["proof"]) <= set(" -:") or row["proof"].strip() == "proof":
            continue
        proofs = _NAME.findall(row["proof"])
        if not proofs:
            yield f"{PAGE}:{number}: names no test"
        for name in proofs:
            if not _exists(name, names, scripts):
                yield f"{PAGE}:{number}: there is no test {name}"


CHECKS = (check_evidence,)
