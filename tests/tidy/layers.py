"""Who may include what: docs/ARCHITECTURE.md's rules about the folders.

Every function takes the files and gives its complaints as "path:line: what is wrong".
"""
import fnmatch

import sources

# */protocol/ is pure: no thread, clock, socket, file, log, chance or protobuf type inside.
PURE = ("coordinator/protocol/", "participant/protocol/")
IMPURE_STANDARD_HEADERS = {
    "atomic", "barrier", "chrono", "condition_variable", "csignal", "cstdio", "ctime", "filesystem",
    "fstream", "future", "iostream", "latch", "mutex", "random", "semaphore", "shared_mutex",
    "sstream", "stop_token", "thread",
}
PURE_ABSEIL = ("absl/base/", "absl/container/", "absl/hash/", "absl/numeric/", "absl/strings/",
               "absl/time/time.h", "absl/types/")
PURE_COMMON = {
    "common/branch.h", "common/check.h", "common/error.h", "common/round_id.h", "common/value.h",
}

# The folders and kinds of file at which the network begins.
NETWORK = ("common/rpc/*", "cli/*", "bench/*", "tests/*", "*/main.cc", "*/*service*", "*/*client*",
           # Shares the bytes of a branch among the replicas' requests, which only gRPC's type can.
           "coordinator/prepare_encoder.*")

# Beside those, the files that turn messages into our own types and back.
EDGES = (
    "*/*record.cc", "*/*record.h",      # what is stored on disk
    "participant/round_body.cc",        # the part of the prepare record that is a message
    "participant/edge.h",               # what both of the participant's services share
    "coordinator/answers.*",            # participants' replies, into events of the protocol
    "coordinator/transaction.*",        # holds a client's request until it is encoded for Prepare
    "coordinator/request_try.*",        # what a client's request says of its request_id
    "coordinator/endings.*",            # the client's answer
    "coordinator/reader.*",             # a client's query, into participants' Read and back
    "coordinator/cluster_status.*",     # the engine's state, as GetClusterStatus answers it
)

SQLITE = ("common/sqlite/*", "tests/*")


def _matches(path, patterns):
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def _each_include(files):
    for path, text in files.items():
        if sources.is_cpp(path):
            for line, header in sources.includes(text):
                yield path, line, header


def check_folders(files):
    """coordinator/ and participant/ do not know each other; common/ knows neither; no product code
    knows the tests, the bench or the command line."""
    forbidden = {
        "coordinator/": ("participant/",),
        "participant/": ("coordinator/",),
        "common/": ("coordinator/", "participant/"),
    }
    for path, line, header in _each_include(files):
        for folder, others in forbidden.items():
            if path.startswith(folder) and header.startswith(others + ("cli/", "bench/", "tests/")):
                yield f"{path}:{line}: {folder} must not include {header}"


def _is_pure(header, folder):
    if "/" not in header:
        return "." not in header and header not in IMPURE_STANDARD_HEADERS
    return header.startswith(PURE_ABSEIL) or header in PURE_COMMON or header.startswith(folder)


def check_protocols_are_pure(files):
    for path, line, header in _each_include(files):
        for folder in PURE:
            if path.startswith(folder) and not _is_pure(header, folder):
                yield f"{path}:{line}: {folder} is pure and must not include {header}"


def check_network(files):
    """gRPC only where the network is."""
    for path, line, header in _each_include(files):
        of_grpc = header.startswith(("grpc/", "grpc++/", "grpcpp/")) or header.endswith(".grpc.pb.h")
        if of_grpc and not _matches(path, NETWORK):
            yield f"{path}:{line}: {header} belongs to common/rpc, services, clients and main"


def check_messages(files):
    """Protobuf types only at the edges."""
    for path, line, header in _each_include(files):
        of_protobuf = header.endswith(".pb.h") or header.startswith("google/protobuf/")
        if of_protobuf and not _matches(path, NETWORK + EDGES):
            yield f"{path}:{line}: {header} belongs to the edges (see EDGES in tests/tidy/layers.py)"


def check_sqlite(files):
    for path, line, header in _each_include(files):
        if header in ("sqlite3.h", "sqlite3ext.h") and not _matches(path, SQLITE):
            yield f"{path}:{line}: only common/sqlite includes {header}"


def check_abseil_views(files):
    """absl::string_view and absl::optional are not the standard ones here, and do not convert."""
    for path, text in files.items():
        if not path.endswith(".h"):
            continue
        for number, line in enumerate(sources.code_only(text).split("\n"), 1):
            if "absl::string_view" in line or "absl::optional" in line:
                yield f"{path}:{number}: use the standard type, which others can pass on"


CHECKS = (check_folders, check_protocols_are_pure, check_network, check_messages, check_sqlite,
          check_abseil_views)
