"""The files that the checks read: a dict from path (relative to the root, with /) to text."""
import os
import re

FOLDERS = ("bench", "cli", "common", "coordinator", "deploy", "docs", "examples", "participant",
           "proto", "tests")
SUFFIXES = (".cc", ".h", ".proto", ".py", ".sh", ".md", ".yaml", ".yml", ".txt", ".cmake", ".go",
            ".rb", ".js")
NAMES = ("Dockerfile", "CMakeLists.txt", "run")


def load(root):
    """All sources below root: our own folders, and the files that lie in the root itself."""
    paths = [name for name in os.listdir(root) if os.path.isfile(os.path.join(root, name))]
    for folder in FOLDERS + (".ci",):
        for directory, folders, names in os.walk(os.path.join(root, folder)):
            folders[:] = [name for name in folders if name != "__pycache__"]
            below = os.path.relpath(directory, root).replace(os.sep, "/")
            paths += [f"{below}/{name}" for name in names]
    files = {}
    for path in sorted(paths):
        if path.endswith(SUFFIXES) or os.path.basename(path) in NAMES:
            with open(os.path.join(root, path), encoding="utf-8") as file:
                files[path] = file.read()
    return files


def is_cpp(path):
    return path.endswith((".cc", ".h"))


def is_test(path):
    return path.startswith("tests/")


_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"\n]+)[>"]', re.MULTILINE)


def includes(text):
    """What a C++ file includes, as (line, header)."""
    return [(line_of(text, found.start(1)), found.group(1)) for found in _INCLUDE.finditer(text)]


def line_of(text, position):
    return text.count("\n", 0, position) + 1


_NOT_CODE = re.compile(
    r"""//[^\n]*                                  # a comment
      | /\*.*?\*/
      | R"(?P<mark>[^ ()\\\n]{0,16})\(.*?\)(?P=mark)"  # a raw string
      | "(?:\\.|[^"\\\n])*"
      | (?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])*'       # not the ' between digits
    """, re.DOTALL | re.VERBOSE)


def code_only(text):
    """C++ without its comments and the insides of its strings; lines keep their numbers."""
    return _NOT_CODE.sub(lambda found: '""' + "\n" * found.group(0).count("\n"), text)
