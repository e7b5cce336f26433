"""A cluster of real processes, and the assertions that its tests share."""
import os
import unittest

from lockstep.v1 import coordinator_pb2, value_pb2
from order_service import plain
import client
import interposer
import processes

NODES = ("bank-1", "bank-2", "bank-3", "stock-1", "orders-1")
# The reasons that are worth a retry of the same call: each of their errors has a RetryInfo.
RETRIED = ("NOT_READY", "TIMEOUT", "PARTICIPANT_UNAVAILABLE", "QUEUE_FULL", "DISK_FULL",
           "SHUTTING_DOWN")
# More would crowd the trailers, and the client would see another error.
MOST_DETAIL_BYTES = 2048
ANY = object()
# A parameter's value: no message and no log may have it.
SECRET = "s3cretmarker"


class Cluster:
    """A coordinator and its participants; `settings` are the coordinator's, `node_settings` those
    of every participant. Calls to the `interposed` ones pass through `interposers[NODE]`.
    `data` gives some of them ("coordinator", "bank-1") a data_dir of the test's own."""

    def __init__(self, nodes=NODES, settings=None, node_settings=None, interposed=(), data=None):
        data = data or {}
        self._folder = processes.Folder()
        self._channels = {}
        self.nodes, self.interposers, addresses = {}, {}, {}
        for node in nodes:
            server = processes.participant(os.path.join(self._folder.path, node), node,
                                           processes.free_port(), node_settings, data.get(node))
            self.nodes[node] = server
            addresses[node] = server.address
            if node in interposed:
                its = interposer.Interposer(processes.free_port(), server.address)
                self.interposers[node] = its
                addresses[node] = its.address
        self.coordinator = processes.coordinator(
            os.path.join(self._folder.path, "coordinator"), processes.free_port(), addresses,
            settings, data.get("coordinator"))
        self.servers = [*self.nodes.values(), self.coordinator]

    def start(self):
        for server in self.servers:
            server.start()
        self.wait_until_ready()
        return self

    def wait_until_ready(self):
        processes.eventually(self._all_are_ready, what="a cluster whose nodes are all READY")

    def _all_are_ready(self):
        for server in self.servers:
            assert server.is_running(), server.log()[-2000:]
        status = None

        def ask():
            nonlocal status
            status = self.status()
        if client.failure_of(ask):
            return False
        return all(node.state == value_pb2.STATE_READY for node in status.participants)

    def stop(self):
        for its in self.interposers.values():
            its.stop()
        for channel in self._channels.values():
            channel.close()
        for server in self.servers:
            server.kill()
        self._folder.remove()

    def channel(self, server):
        """One connection per server, made when it is first asked for."""
        if server not in self._channels:
            self._channels[server] = client.channel_to(server.address)
        return self._channels[server]

    @property
    def stub(self):
        return client.coordinator_stub(self.channel(self.coordinator))

    def local(self, node):
        return client.participant_stub(self.channel(self.nodes[node]))

    def two_phase(self, node):
        return client.two_phase_stub(self.channel(self.nodes[node]))

    def execute(self, *operations, **fields):
        return self.stub.Execute(client.transaction(*operations, **fields),
                                 timeout=client.CALL_SECONDS)

    def begin(self, *operations, **fields):
        """As execute, without waiting: a future."""
        return self.stub.Execute.future(client.transaction(*operations, **fields),
                                        timeout=client.CALL_SECONDS)

    def query(self, database, sql, *params, **fields):
        request = coordinator_pb2.QueryRequest(database=database, sql=sql, params=params, **fields)
        return self.stub.Query(request, timeout=client.CALL_SECONDS)

    def rows(self, database, sql):
        """The first column of the result."""
        return [plain(row.values[0]) for row in self.query(database, sql).rows]

    def begin_waiting(self, count, *operations, **fields):
        """Transactions that fill the queue behind one that is held: one after the other, since the
        coordinator's mailbox has no more places than its queue."""
        futures = []
        for number in range(self.status().queue_length + 1, count + 1):
            futures.append(self.begin(*operations, **fields))
            self.wait_for_queue(number)
        return futures

    def wait_for_queue(self, length):
        processes.eventually(lambda: self.status().queue_length == length,
                             what=f"a queue of {length}")

    def wait_until_delivered(self):
        """Until no Commit or Rollback is on its way: a gate would hold it in place of another."""
        processes.eventually(lambda: self.status().rounds_in_flight == 0,
                             what="the end of all rounds")

    def status(self):
        return self.stub.GetClusterStatus(coordinator_pb2.GetClusterStatusRequest(),
                                          timeout=client.CALL_SECONDS)

    def logs(self):
        return "\n".join(server.log() for server in self.servers)


class Assertions(unittest.TestCase):
    """What the tests of this group share."""

    maxDiff = None

    def assert_refused(self, call, code, reason, field=None, **metadata):
        """`call` fails as the API says, with at least this metadata. Returns its Failure."""
        failure = client.failure_of(call)
        self.assertIsNotNone(failure, f"is not refused with {reason}")
        return self.assert_is(failure, code, reason, field, **metadata)

    def assert_is(self, failure, code, reason, field=None, **metadata):
        """The same for a call that has failed."""
        self.assertEqual((failure.code, failure.reason), (code, reason), str(failure))
        self.assertEqual(failure.domain, "lockstep")
        if reason == "REQUEST_INVALID":
            self.assertIsNotNone(failure.field, str(failure))
            if field is not ANY:
                self.assertEqual(failure.field, field, str(failure))
        for key, value in metadata.items():
            self.assertIn(key, failure.metadata, str(failure))
            if value is not ANY:
                self.assertEqual(failure.metadata[key], value, str(failure))
        self.assertEqual(failure.retry_seconds is not None, reason in RETRIED, str(failure))
        self.assertLessEqual(len(failure.details), MOST_DETAIL_BYTES)
        self.assertTrue(failure.message)
        self.assertNotIn(SECRET, str(failure))
        self.assertNotIn(SECRET.encode(), failure.details)
        return failure


class NodeTest(Assertions):
    """A test with a node that nobody else calls, no coordinator either: `node`, and a `channel`."""

    # Of the node.
    SETTINGS = {}

    @classmethod
    def setUpClass(cls):
        folder = processes.Folder()
        cls.addClassCleanup(folder.remove)
        cls.node = processes.participant(os.path.join(folder.path, "stock-1"), "stock-1",
                                         processes.free_port(), cls.SETTINGS)
        cls.addClassCleanup(cls.node.kill)
        cls.node.start()
        cls.channel = client.channel_to(cls.node.address)
        cls.addClassCleanup(cls.channel.close)


class WireTest(Assertions):
    """A test with a cluster that its class has for itself."""

    # What Cluster is made with.
    CLUSTER = {}

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(**cls.CLUSTER)
        cls.addClassCleanup(cls.cluster.stop)
        cls.cluster.start()

    @classmethod
    def tearDownClass(cls):
        logs = cls.cluster.logs()
        at = logs.find(SECRET)
        assert at == -1, f"a log has a parameter's value: {logs[max(0, at - 300):at + 100]}"
