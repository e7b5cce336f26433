"""The shape of the code: sizes, bans, dead files, format.

Every function takes the files and gives its complaints as "path:line: what is wrong".
"""
import os
import re
import subprocess

import sources

MAX_LINES = 400
# Each with the reason why it is longer.
LONG_FILES = {}

BANNED_WORDS = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")

SLEEPS = {
    (".cc", ".h"): re.compile(r"\b(sleep_for|sleep_until|SleepFor|usleep|nanosleep|sleep)\s*\("),
    (".py",): re.compile(r"\bsleep\s*\("),
    (".sh",): re.compile(r"^\s*sleep\b|[;&|({]\s*sleep\b|\bdo\s+sleep\b"),
}
# Shell has no other way to wait for another program; each of these polls with a deadline.
POLLING_SCRIPTS = ("tests/support/shell_test.sh",)
# Its examples of what is wrong.
NOT_ASLEEP = ("tests/tidy/tidy_test.py",)

# The completion queue holds bare pointers, so its tags delete themselves.
RAW_MEMORY_FOLDERS = ("common/rpc/",)
RAW_MEMORY_FILES = (
    "common/sqlite/wal_index.cc",  # SQLite is told when there is no memory: new (std::nothrow)
)
RAW_MEMORY = re.compile(r"\b(new|delete)\b")
# A deleted function, and what a unique_ptr takes at once (a private constructor bars make_unique).
NOT_RAW_MEMORY = re.compile(r"=\s*delete\b|\bunique_ptr<[^;{}()]*>\s*\w*\s*[({]\s*new\b")


def check_length(files):
    for path, text in files.items():
        lines = text.count("\n")
        if path.endswith((".cc", ".h", ".py", ".sh")) and lines > LONG_FILES.get(path, MAX_LINES):
            yield f"{path}:{lines}: longer than {LONG_FILES.get(path, MAX_LINES)} lines: split it"


def check_banned_words(files):
    for path, text in files.items():
        for number, line in enumerate(text.split("\n"), 1):
            if BANNED_WORDS.search(line):
                yield f"{path}:{number}: unfinished: do it, or leave it out"


def check_sleeps(files):
    """A test that sleeps is slow where it need not be, and wrong where the machine is slower."""
    for path, text in files.items():
        if not sources.is_test(path) or path in POLLING_SCRIPTS + NOT_ASLEEP:
            continue
        text = sources.code_only(text) if sources.is_cpp(path) else text
        for suffixes, pattern in SLEEPS.items():
            for number, line in enumerate(text.split("\n"), 1):
                if path.endswith(suffixes) and pattern.search(line):
                    yield f"{path}:{number}: wait for what is to happen, do not sleep"


def check_raw_memory(files):
    for path, text in files.items():
        if not sources.is_cpp(path) or path.startswith(RAW_MEMORY_FOLDERS + RAW_MEMORY_FILES):
            continue
        code = NOT_RAW_MEMORY.sub(lambda found: "\n" * found.group(0).count("\n"),
                                  sources.code_only(text))
        for number, line in enumerate(code.split("\n"), 1):
            if RAW_MEMORY.search(line) and not line.lstrip().startswith("#"):
                yield f"{path}:{number}: own memory by value or std::make_unique"


def check_header_guards(files):
    for path, text in files.items():
        guard = "LOCKSTEP_" + re.sub(r"[^A-Z0-9]", "_", path.upper()) + "_"
        if path.endswith(".h") and not re.search(
                rf"^#ifndef {guard}\n#define {guard}\n(?s:.*)^#endif  // {guard}\n\Z", text,
                re.MULTILINE):
            yield f"{path}:1: the include guard is not {guard}"


def _listed(files):
    """The paths that some CMakeLists.txt names, and the patterns of names made by a loop."""
    listed = set()
    for path, text in files.items():
        if os.path.basename(path) != "CMakeLists.txt":
            continue
        text = re.sub(r"#[^\n]*", "", text)
        words = re.findall(r'[^\s()"]+', text)
        suffixes = set(re.findall(r"\$\{\w+\}(\.(?:cc|proto))", text))
        for word in words + [word + suffix for word in words for suffix in suffixes]:
            listed.add(os.path.normpath(os.path.join(os.path.dirname(path), word)))
    return listed


def check_dead_files(files):
    """Each source is built, each header is included by something else."""
    listed = _listed(files)
    included = set()
    for path, text in files.items():
        if sources.is_cpp(path):
            included |= {header for _, header in sources.includes(text) if header != path}
    for path in files:
        if path.endswith((".cc", ".proto")) and path not in listed:
            yield f"{path}:1: no CMakeLists.txt lists it"
        if path.endswith(".h") and path not in included:
            yield f"{path}:1: nothing includes it"


def check_format(root, paths):
    """clang-format's own complaints, at most one per file."""
    cpp = [path for path in paths if sources.is_cpp(path)]
    if not cpp:
        return
    run = subprocess.run(["clang-format", "--dry-run", "-Werror", "--ferror-limit=1", *cpp],
                         cwd=root, capture_output=True, text=True, check=False)
    complaints = re.findall(r"^(\S+?):(\d+):\d+: error: .*", run.stderr, re.MULTILINE)
    for path, line in complaints:
        yield f"{path}:{line}: run clang-format -i on it"
    if run.returncode != 0 and not complaints:
        yield f".clang-format:1: clang-format failed: {run.stderr.strip()}"


CHECKS = (check_length, check_banned_words, check_sleeps, check_raw_memory, check_header_guards,
          check_dead_files)
