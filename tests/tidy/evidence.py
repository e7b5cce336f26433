"""What the documents say of the code: docs/EVIDENCE.md names the test that proves each demand, and
docs/PROTOCOL.md those of each rule, and every failpoint."""
import re

PAGE = "docs/EVIDENCE.md"
PROTOCOL = "docs/PROTOCOL.md"

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


def _rows(text):
    """Line number, demand and the names of its proofs, of each row of a table that ends in proofs."""
    for number, line in enumerate(text.split("\n"), 1):
        row = _ROW.match(line)
        if row and not set(row["proof"]) <= set(" -:") and row["proof"].strip() != "proof":
            yield number, row["demand"].strip(), _NAME.findall(row["proof"])


def _complaints(page, rows, known):
    for number, _, proofs in rows:
        if not proofs:
            yield f"{page}:{number}: names no test"
        for name in proofs:
            if not _exists(name, *known):
                yield f"{page}:{number}: there is no test {name}"


def check_evidence(files):
    yield from _complaints(PAGE, _rows(files.get(PAGE, "")), tests(files))


_RULE = re.compile(r"^- \*\*([RP]\d+)\*\*", re.MULTILINE)


def check_rules(files):
    """Each rule of the protocol has a row with tests, and each of these exists."""
    text = files.get(PROTOCOL, "")
    rows = [row for row in _rows(text) if re.fullmatch(r"[RP]\d+", row[1])]
    yield from _complaints(PROTOCOL, rows, tests(files))
    for rule in sorted(set(_RULE.findall(text)) - {demand for _, demand, _ in rows}):
        yield f"{PROTOCOL}:1: no row names the tests of {rule}"


_FAILPOINT_ROW = re.compile(r"^\| `(\w+)` \| (participant|coordinator) \|", re.MULTILINE)
_FAILPOINT = re.compile(r'\bFailpoint\("(\w+)"\)')


def check_failpoints(files):
    """Tests take the list from the document, so it has to be the code's."""
    listed = dict(_FAILPOINT_ROW.findall(files.get(PROTOCOL, "")))
    used = {}
    for path, text in files.items():
        if path.endswith(".cc") and not path.startswith("tests/"):
            used.update((name, path) for name in _FAILPOINT.findall(text))
    for name, path in sorted(used.items()):
        if name not in listed:
            yield f"{path}:1: {PROTOCOL} does not list the failpoint {name}"
        elif not path.startswith((listed[name] + "/", "common/")):
            yield f"{path}:1: {PROTOCOL} has {name} at the {listed[name]}"
    for name in sorted(listed.keys() - used.keys()):
        yield f"{PROTOCOL}:1: no code has the failpoint {name}"


def check_suites(files):
    """A document names a test by its suite, so that has to be one of one folder."""
    folders = {}
    for path, text in sorted(files.items()):
        if not path.startswith("tests/") or not path.endswith(".cc"):
            continue
        folder = path.rpartition("/")[0]
        for suite in sorted({suite for suite, _ in _CPP.findall(text)}):
            if folders.setdefault(suite, folder) != folder:
                yield f"{path}:1: there is a suite {suite} in {folders[suite]} too"


CHECKS = (check_evidence, check_rules, check_failpoints, check_suites)
