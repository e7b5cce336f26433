"""A queue that is full refuses, and takes no more memory for it."""
from lockstep.v1 import participant_pb2
import client
import processes
from client import on, statement
from cluster import WireTest
from interposer import Gate

QUEUE = 500
REFUSED = 5000
STATEMENT_BYTES = 10_000
SLACK_BYTES = 24 << 20


class FullQueueTest(WireTest):

    CLUSTER = {"nodes": ("stock-1", "orders-1"), "interposed": ("stock-1",),
               "settings": {"queue_transactions": QUEUE, "default_timeout": "30s"}}

    def test_memory_is_flat_while_a_full_queue_refuses_and_all_that_waited_is_done_after(self):
        self.cluster.execute(on("stock", "CREATE TABLE t(a)"))
        gate = Gate()
        self.cluster.interposers["stock-1"].hooks["Prepare"] = gate
        self.addCleanup(gate.open)
        insert = on("stock", statement("INSERT INTO t VALUES (length(?))",
                                       "x" * STATEMENT_BYTES))
        waiting = [self.cluster.begin(insert)]
        gate.wait()
        waiting += self.cluster.begin_waiting(QUEUE, insert)
        full = self.cluster.coordinator.resident_bytes()
        for _ in range(REFUSED // QUEUE):
            for its in [self.cluster.begin(insert) for _ in range(QUEUE)]:
                self.assert_is(client.failure_of(its.result), "RESOURCE_EXHAUSTED", "QUEUE_FULL",
                               outcome="NOT_STARTED")
        self.assertLess(self.cluster.coordinator.resident_bytes(), full + SLACK_BYTES)
        # What needs another node is refused too, as the queue is one; reads are not.
        self.assertEqual(self.cluster.query("orders", "SELECT 1").node_id, "orders-1")
        gate.open()
        for its in waiting:
            its.result()
        self.assertEqual(self.cluster.rows("stock", "SELECT count(*) FROM t"), [QUEUE + 1])


class QueueBytesTest(WireTest):

    CLUSTER = {"nodes": ("stock-1",), "interposed": ("stock-1",),
               "settings": {"queue_bytes": "1MiB", "default_timeout": "30s"}}

    def test_queue_bytes_refuse_what_does_not_fit_now_and_what_never_will(self):
        self.cluster.execute(on("stock", "CREATE TABLE t(a)"))
        half = on("stock", statement("INSERT INTO t VALUES (length(?))", bytes(600_000)))
        gate = Gate()
        self.cluster.interposers["stock-1"].hooks["Prepare"] = gate
        self.addCleanup(gate.open)
        waiting = [self.cluster.begin(half)]
        gate.wait()
        waiting.append(self.cluster.begin(half))
        self.cluster.wait_for_queue(1)
        failure = self.assert_refused(lambda: self.cluster.execute(half), "RESOURCE_EXHAUSTED",
                                      "QUEUE_FULL", outcome="NOT_STARTED")
        for part in ("queue_bytes", str(1 << 20), "600"):
            self.assertIn(part, failure.message)
        never = on("stock", statement("INSERT INTO t VALUES (length(?))", bytes(1_200_000)))
        failure = self.assert_refused(lambda: self.cluster.execute(never), "RESOURCE_EXHAUSTED",
                                      "LIMIT_EXCEEDED", outcome="NOT_STARTED")
        self.assertIn("queue_bytes", failure.message)
        gate.open()
        for its in waiting:
            its.result()
        self.assertEqual(self.cluster.rows("stock", "SELECT count(*) FROM t"), [2])


class WaitingBytesTest(WireTest):
    """What waits is held once, and what only waits for another's end not at all."""

    MEGABYTE = 1 << 20
    CLUSTER = {"nodes": ("stock-1",), "interposed": ("stock-1",),
               "settings": {"default_timeout": "30s"}}

    def setUp(self):
        # Started anew: what an earlier test took is not given back at once.
        self.cluster.coordinator.kill()
        self.cluster.coordinator.start()
        self.cluster.wait_until_ready()
        self.cluster.execute(on("stock", "CREATE TABLE IF NOT EXISTS t(a)"))
        self.gate = Gate()
        self.cluster.interposers["stock-1"].hooks["Prepare"] = self.gate
        self.addCleanup(self.gate.open)
        self.insert = on("stock", statement("INSERT INTO t VALUES (length(?))",
                                            bytes(self.MEGABYTE)))

    def test_tries_that_join_one_in_flight_take_no_memory_for_their_statements(self):
        tries = [self.cluster.begin(self.insert, request_id="joined")]
        self.gate.wait()
        before = self.cluster.coordinator.resident_bytes()
        for _ in range(10):
            tries += [self.cluster.begin(self.insert, request_id="joined") for _ in range(20)]
            self.cluster.status()  # behind them
        self.assertLess(self.cluster.coordinator.resident_bytes(), before + SLACK_BYTES)
        self.gate.open()
        self.assertEqual(len({its.result().transaction_id for its in tries}), 1)

    def test_what_waits_is_held_once(self):
        first = self.cluster.begin(self.insert)
        self.gate.wait()
        before = self.cluster.coordinator.resident_bytes()
        waiting = self.cluster.begin_waiting(100, self.insert)
        self.assertLess(self.cluster.coordinator.resident_bytes(),
                        before + 100 * self.MEGABYTE + SLACK_BYTES)
        self.gate.open()
        for its in [first, *waiting]:
            its.result()


class QueuePlacesTest(WireTest):

    CLUSTER = {"nodes": ("stock-1",), "node_settings": {"queue_places": 3}}

    def test_queue_places_of_a_node_refuse_clients_and_not_the_coordinator(self):
        self.cluster.execute(on("stock", "CREATE TABLE t(a)"))
        request = participant_pb2.ParticipantServiceQueryRequest(
            sql="SELECT 1", min_version=2 ** 62)
        calls = [self.cluster.local("stock-1").Query.future(request) for _ in range(4)]
        refused = processes.eventually(lambda: [its for its in calls if its.done()])[0]
        failure = self.assert_is(client.failure_of(refused.result), "RESOURCE_EXHAUSTED",
                                 "QUEUE_FULL", outcome="NOT_STARTED", node_id="stock-1")
        self.assertIn("3 places", failure.message)
        self.assertIn("queue_places", failure.message)
        self.cluster.execute(on("stock", "INSERT INTO t VALUES (1)"))
        self.assertEqual(self.cluster.rows("stock", "SELECT a FROM t"), [1])
        self.assertEqual(sum(its.done() for its in calls), 1)
        for its in calls:
            its.cancel()
