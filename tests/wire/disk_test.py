"""Disks that are full: of a participant before, in and after a prepare, and of the coordinator."""
import os
import subprocess
import unittest

from google.protobuf import duration_pb2
from lockstep.v1 import coordinator_pb2
import client
import processes
from client import on, statement
from cluster import ANY, Cluster, WireTest
from interposer import Gate

# The least that a participant's files need beside what the test writes.
NODE_SETTINGS = {"round_bytes": "16MiB"}
NODE_MEGABYTES = 96
LOG_MEGABYTES = 40
LARGE = bytes(7 << 20)  # twice in a request


def can_mount():
    """Whether this user may make a small file system of its own."""
    try:
        processes.Folder(1).remove()
    except (subprocess.CalledProcessError, OSError):
        return False
    return True


class Filler:
    """Takes all the room that is left where `folder` is."""

    def __init__(self, folder):
        self._path = os.path.join(folder, "filler")

    def fill(self, but=0):
        """All but so many bytes."""
        space = os.statvfs(os.path.dirname(self._path))
        with open(self._path, "ab") as file:
            os.posix_fallocate(file.fileno(), 0, space.f_bavail * space.f_frsize - but or 1)

    def make_room(self):
        os.unlink(self._path)


@unittest.skipUnless(can_mount(), "no file system of its own: mount needs root")
class ParticipantDiskTest(WireTest):

    @classmethod
    def setUpClass(cls):
        cls.disk = processes.Folder(NODE_MEGABYTES)
        cls.addClassCleanup(cls.disk.remove)
        cls.cluster = Cluster(nodes=("stock-1", "orders-1"), node_settings=NODE_SETTINGS,
                              interposed=("stock-1",),
                              data={"stock-1": os.path.join(cls.disk.path, "data")})
        cls.addClassCleanup(cls.cluster.stop)
        cls.cluster.start()
        cls.filler = Filler(cls.disk.path)
        cls.cluster.execute(*[on(database, "CREATE TABLE t(a)")
                              for database in ("stock", "orders")])
        # From here on the WAL has used up what was set aside for it.
        for _ in range(4):
            cls.cluster.execute(on("stock", statement("INSERT INTO t VALUES (?)", LARGE),
                                   "DELETE FROM t"))

    def counts(self):
        return [self.cluster.rows(database, "SELECT count(*) FROM t")[0]
                for database in ("stock", "orders")]

    def insert(self, value):
        return self.cluster.execute(*[on(database, statement("INSERT INTO t VALUES (?)", value))
                                      for database in ("stock", "orders")])

    def fill_until_refused(self, value, but):
        """Writes until this node says that its disk is full; the failure."""
        self.filler.fill(but)

        def refused():
            return client.failure_of(lambda: self.insert(value))
        return processes.eventually(refused, what="a disk that is full")

    def check_refused(self, failure):
        self.assert_is(failure, "RESOURCE_EXHAUSTED", "DISK_FULL", outcome="ABORTED",
                       transaction_id=ANY, database="stock", node_id="stock-1")
        self.assertIn("make room", failure.message)
        counts = self.counts()
        self.assertEqual(counts[0], counts[1], "half of a transaction is there")
        self.filler.make_room()
        self.insert("there is room again")
        self.assertEqual(self.counts(), [counts[0] + 1, counts[1] + 1])

    def test_a_disk_that_is_full_before_the_prepare(self):
        self.check_refused(self.fill_until_refused(LARGE, but=0))

    def test_a_disk_that_becomes_full_in_the_middle_of_a_prepare(self):
        self.check_refused(self.fill_until_refused(LARGE, but=3 << 20))

    def promise(self):
        """A row is decided, and stock-1 does not know yet: the gate that holds its Commit, and the
        counts before."""
        gate = Gate()
        self.addCleanup(gate.open)
        before = self.counts()
        self.cluster.wait_until_delivered()
        self.cluster.interposers["stock-1"].hooks["Commit"] = gate
        self.insert("promised")
        gate.wait()
        return gate, before

    def check_kept(self, gate, before):
        self.cluster.interposers["stock-1"].hooks.pop("Commit")
        gate.open()
        # The coordinator may learn only now that the node was away.
        processes.eventually(lambda: client.failure_of(self.counts) is None)
        self.assertEqual(self.counts(), [before[0] + 1, before[1] + 1])
        self.filler.make_room()
        self.insert("there is room again")
        self.assertEqual(self.counts(), [before[0] + 2, before[1] + 2])

    def test_a_disk_that_becomes_full_after_the_prepare_keeps_the_promise(self):
        gate, before = self.promise()
        self.filler.fill()
        self.check_kept(gate, before)

    def test_a_node_starts_on_a_full_disk_and_ends_what_it_holds_in_doubt(self):
        gate, before = self.promise()
        self.cluster.nodes["stock-1"].kill()
        self.filler.fill()
        self.cluster.nodes["stock-1"].start()
        self.check_kept(gate, before)


@unittest.skipUnless(can_mount(), "no file system of its own: mount needs root")
class CoordinatorDiskTest(WireTest):

    @classmethod
    def setUpClass(cls):
        cls.disk = processes.Folder(LOG_MEGABYTES)
        cls.addClassCleanup(cls.disk.remove)
        cls.cluster = Cluster(
            nodes=("stock-1", "orders-1"), interposed=("stock-1",),
            settings={"least_free_bytes": "4MiB", "reserve_bytes": "8MiB"},
            data={"coordinator": os.path.join(cls.disk.path, "data")})
        cls.addClassCleanup(cls.cluster.stop)
        cls.cluster.start()
        cls.filler = Filler(cls.disk.path)

    def test_what_has_begun_is_decided_and_recorded_what_comes_is_disk_full(self):
        insert = [on(database, "INSERT INTO t VALUES (1)") for database in ("stock", "orders")]
        self.cluster.execute(*[on(database, "CREATE TABLE t(a)")
                               for database in ("stock", "orders")])
        gate = Gate()
        hooks = self.cluster.interposers["stock-1"].hooks
        hooks["Prepare"] = gate
        self.addCleanup(gate.open)
        begun = self.cluster.begin(*insert)
        gate.wait()
        self.filler.fill()

        def refused():
            # It looks once a second when it has nothing to write.
            failure = client.failure_of(lambda: self.cluster.execute(
                on("orders", "SELECT 1"), timeout=duration_pb2.Duration(nanos=100_000_000)))
            return failure if failure.reason == "DISK_FULL" else None
        failure = self.assert_is(processes.eventually(refused), "RESOURCE_EXHAUSTED", "DISK_FULL",
                                 outcome="NOT_STARTED")
        for part in ("least_free_bytes", str(4 << 20)):
            self.assertIn(part, failure.message)
        hooks.pop("Prepare")
        gate.open()
        its = begun.result()
        self.cluster.coordinator.kill()  # the decision is durable, or it is lost now
        self.cluster.coordinator.start()
        self.cluster.wait_until_ready()
        request = coordinator_pb2.GetTransactionRequest(transaction_id=its.transaction_id)
        self.assertEqual(self.cluster.stub.GetTransaction(request).outcome,
                         coordinator_pb2.OUTCOME_COMMITTED)
        for database in ("stock", "orders"):
            self.assertEqual(self.cluster.rows(database, "SELECT count(*) FROM t"), [1])
        self.filler.make_room()
        processes.eventually(lambda: client.failure_of(
            lambda: self.cluster.execute(*insert)) is None, what="room again")
