"""Processes of the product on loopback, with their data in a folder of their own."""
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

BIN = os.environ["LOCKSTEP_BIN"]
# Ports below the range that outgoing connections use.
FIRST_PORT = 18000
# Longer than any start takes on a machine that is busy with other things.
START_SECONDS = 30
STOP_SECONDS = 20

_next_port = FIRST_PORT + os.getpid() % 1000


def free_port():
    """One that nobody listens on, and that was not given out before."""
    global _next_port
    while True:
        _next_port += 1
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", _next_port))
                return _next_port
            except OSError:
                continue


def eventually(condition, seconds=START_SECONDS, what="what was waited for"):
    """Asks again and again: a process has no other way to tell that it is so far. Returns what
    `condition` gave when it was true."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come within {seconds} s")
        pause.wait(0.02)


class Server:
    """One process, which listens on `address` and writes into `folder`."""

    def __init__(self, program, folder, arguments, port, data=None):
        self.folder = folder
        self.data = data or os.path.join(folder, "data")
        self.port = port
        self.address = f"127.0.0.1:{port}"
        self.log_path = os.path.join(folder, "log")
        self._command = [os.path.join(BIN, program), "--data-dir", self.data, "--listen",
                         self.address, *arguments]
        self._process = None
        os.makedirs(folder, exist_ok=True)

    def start(self, open_files=None):
        """`open_files`: its limit, as prlimit takes it."""
        limit = ["prlimit", f"--nofile={open_files}"] if open_files else []
        with open(self.log_path, "ab") as log:
            # A test that is killed leaves no server behind.
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *limit, *self._command],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={"PATH": os.environ["PATH"]})

    def is_running(self):
        return self._process is not None and self._process.poll() is None

    def kill(self):
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._process = None

    def terminate(self):
        self._process.send_signal(signal.SIGTERM)

    def wait_for_exit(self, seconds=STOP_SECONDS):
        """The exit status."""
        status = self._process.wait(seconds)
        self._process = None
        return status

    def freeze(self):
        """Until no thread of it runs any more."""
        self._process.send_signal(signal.SIGSTOP)
        eventually(self._is_frozen, what="a process that stands still")

    def _is_frozen(self):
        tasks = f"/proc/{self._process.pid}/task"
        for task in os.listdir(tasks):
            with open(f"{tasks}/{task}/stat", encoding="ascii") as stat:
                # The name, which may have blanks, ends with a bracket; the state follows.
                if stat.read().rpartition(")")[2].split()[0] != "T":
                    return False
        return True

    def thaw(self):
        self._process.send_signal(signal.SIGCONT)

    def open_files(self):
        return len(os.listdir(f"/proc/{self._process.pid}/fd"))

    def open_files_limit(self):
        """How many files it may have open now."""
        with open(f"/proc/{self._process.pid}/limits", encoding="ascii") as limits:
            return next(int(line.split()[3]) for line in limits
                        if line.startswith("Max open files"))

    def resident_bytes(self):
        return self._memory("VmRSS:")

    def peak_resident_bytes(self):
        return self._memory("VmHWM:")

    def _memory(self, what):
        with open(f"/proc/{self._process.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith(what):
                    return int(line.split()[1]) * 1024
        raise AssertionError(f"a process without {what}")

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()


def flags(settings):
    """Settings as they stand on a command line."""
    return [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]


def participant(folder, node, port, settings=None, data=None):
    """The process of the node "bank-2": a replica of bank, whose master is bank-1."""
    database, _, number = node.rpartition("-")
    return Server("lockstep-participant", folder,
                  ["--cluster-id", "wire", "--node-id", node, "--database", database, "--role",
                   "MASTER" if number == "1" else "BACKUP", *flags(settings or {})], port, data)


def coordinator(folder, port, addresses, settings=None, data=None):
    """The process of a coordinator for the nodes in `addresses`, a dict from name to address."""
    os.makedirs(folder, exist_ok=True)
    nodes = [{"node_id": node, "database": node.rpartition("-")[0], "address": address,
              "role": "MASTER" if node.endswith("-1") else "BACKUP"}
             for node, address in addresses.items()]
    path = os.path.join(folder, "cluster.yaml")
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"cluster_id": "wire", "cluster": nodes}, file)  # JSON is YAML too
    return Server("lockstep-coordinator", folder, ["--config", path, *flags(settings or {})], port,
                  data)


class Folder:
    """A folder that is gone after the test; of `megabytes` that are its own, if given."""

    def __init__(self, megabytes=None):
        self.path = tempfile.mkdtemp(prefix="lockstep-wire-")
        self._mounted = False
        if megabytes is not None:
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", self.path],
                           check=True, capture_output=True)
            self._mounted = True

    def remove(self):
        if self._mounted:
            subprocess.run(["umount", "--lazy", self.path], check=True)
        shutil.rmtree(self.path)
