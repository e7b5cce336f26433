"""Each reason that needs something to go wrong beside the request, as a client gets it."""
from google.protobuf import duration_pb2
from lockstep.v1 import coordinator_pb2, participant_pb2, two_phase_commit_pb2
import client
import processes
from client import on, statement, transaction
from cluster import ANY, SECRET, NodeTest, WireTest
from interposer import Gate

ENDLESS = ("WITH RECURSIVE r(n) AS (VALUES(1) UNION ALL SELECT n + 1 FROM r)"
           " SELECT max(n), ? FROM r")


def insert(key):
    """Into a table with a column for the key and one for a value that nobody may repeat."""
    return statement("INSERT INTO t VALUES (?, ?)", key, SECRET)


def milliseconds(number):
    return duration_pb2.Duration(nanos=number * 1_000_000)


class FaultTest(WireTest):

    QUEUE = 8
    CLUSTER = {"nodes": ("bank-1", "bank-2", "stock-1"), "interposed": ("bank-2", "stock-1"),
               "settings": {"queue_transactions": QUEUE},
               "node_settings": {"statement_budget": "200ms"}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.execute(*[on(database, "CREATE TABLE t(a, b)")
                              for database in ("bank", "stock")])

    def hook(self, node, method, its):
        hooks = self.cluster.interposers[node].hooks
        hooks[method] = its
        self.addCleanup(self.cluster.wait_until_ready)
        self.addCleanup(hooks.pop, method, None)
        if isinstance(its, Gate):
            self.addCleanup(its.open)
        return its

    def test_a_transaction_that_waits_too_long_is_timeout_and_aborted(self):
        gate = self.hook("stock-1", "Prepare", Gate())
        first = self.cluster.begin(on("stock", insert("first")))
        gate.wait()
        failure = self.assert_refused(
            lambda: self.cluster.execute(on("stock", insert("second")),
                                         timeout=milliseconds(50)),
            "DEADLINE_EXCEEDED", "TIMEOUT", outcome="ABORTED", transaction_id=ANY)
        self.assertIn("50ms", failure.message)
        gate.open()
        first.result()
        self.assertEqual(self.cluster.rows("stock", "SELECT a FROM t WHERE a <> 'x'"), ["first"])

    def test_a_statement_beyond_its_budget_is_statement_too_long_running(self):
        self.assert_refused(
            lambda: self.cluster.execute(on("bank", "DELETE FROM t"),
                                         on("stock", statement(ENDLESS, SECRET))),
            "DEADLINE_EXCEEDED", "STATEMENT_TOO_LONG_RUNNING", outcome="ABORTED",
            transaction_id=ANY, database="stock", node_id="stock-1", operation="1", statement="0")

    def test_a_vote_that_does_not_come_is_participant_unavailable(self):
        def lose(_request, _forward):
            raise ConnectionError("the test loses this call")
        self.hook("stock-1", "Prepare", lose)
        self.assert_refused(
            lambda: self.cluster.execute(on("bank", insert("half")),
                                         on("stock", insert("half"))),
            "UNAVAILABLE", "PARTICIPANT_UNAVAILABLE", outcome="ABORTED", transaction_id=ANY,
            database="stock", node_id="stock-1")
        self.assertEqual(self.cluster.rows("bank", "SELECT count(*) FROM t WHERE a = 'half'"), [0])

    def test_a_full_queue_is_queue_full_with_its_limit(self):
        gate = self.hook("stock-1", "Prepare", Gate())
        waiting = [self.cluster.begin(on("stock", insert("x")))]
        gate.wait()
        waiting += self.cluster.begin_waiting(self.QUEUE, on("stock", insert("x")))
        failure = self.assert_refused(
            lambda: self.cluster.execute(on("stock", insert("refused"))),
            "RESOURCE_EXHAUSTED", "QUEUE_FULL", outcome="NOT_STARTED")
        self.assertIn(str(self.QUEUE), failure.message)
        self.assertIn("queue_transactions", failure.message)
        gate.open()
        for its in waiting:
            its.result()
        self.assertEqual(self.cluster.rows("stock", "SELECT count(*) FROM t WHERE a = 'refused'"),
                         [0])

    def test_replicas_with_other_digests_are_replicas_disagree_with_their_names(self):
        def falsify(request, forward):
            response = two_phase_commit_pb2.PrepareResponse.FromString(forward(request))
            response.votes[0].digest ^= 1
            return response.SerializeToString()
        self.hook("bank-2", "Prepare", falsify)
        failure = self.assert_refused(
            lambda: self.cluster.execute(on("bank", insert("one of two"))),
            "ABORTED", "REPLICAS_DISAGREE", outcome="ABORTED", transaction_id=ANY, database="bank")
        for node in ("bank-1", "bank-2"):
            self.assertIn(node, failure.message)
        self.assertEqual(self.cluster.rows("bank", "SELECT count(*) FROM t WHERE a LIKE 'one%'"),
                         [0])

    def test_a_vote_that_means_nothing_is_invariant_broken(self):
        def shrug(request, forward):
            response = two_phase_commit_pb2.PrepareResponse.FromString(forward(request))
            response.votes[0].Clear()
            response.votes[0].vote = two_phase_commit_pb2.VOTE_NO
            return response.SerializeToString()
        self.hook("stock-1", "Prepare", shrug)
        self.assert_refused(lambda: self.cluster.execute(on("stock", insert("no vote"))),
                            "DATA_LOSS", "INVARIANT_BROKEN", outcome="ABORTED",
                            transaction_id=ANY, database="stock", node_id="stock-1")


class NotReadyTest(NodeTest):

    def test_a_node_that_met_no_coordinator_is_not_ready(self):
        request = participant_pb2.ParticipantServiceExecuteRequest(
            statements=[statement("CREATE TABLE t(a)")])
        self.assert_refused(
            lambda: client.participant_stub(self.channel).Execute(
                request, timeout=client.CALL_SECONDS, wait_for_ready=True),
            "UNAVAILABLE", "NOT_READY", outcome="NOT_STARTED", database="stock", node_id="stock-1")


class CoordinatorStopTest(WireTest):

    CLUSTER = {"nodes": ("stock-1", "orders-1"), "interposed": ("stock-1",),
               "settings": {"shutdown_timeout": "2s"}}

    def test_what_is_not_decided_is_outcome_unknown_and_what_comes_is_shutting_down(self):
        gate = Gate()
        self.cluster.interposers["stock-1"].hooks["Prepare"] = gate
        pending = self.cluster.begin(on("stock", statement("SELECT ?", SECRET)))
        gate.wait()
        self.cluster.coordinator.terminate()
        request = transaction(on("orders", "SELECT 1"))

        def refused():
            failure = client.failure_of(lambda: self.cluster.stub.Execute(request))
            return failure and failure.reason and failure
        self.assert_is(processes.eventually(refused, what="a coordinator that refuses"),
                       "UNAVAILABLE", "SHUTTING_DOWN", outcome="NOT_STARTED")
        self.assert_is(client.failure_of(pending.result), "UNAVAILABLE", "OUTCOME_UNKNOWN",
                       outcome="UNKNOWN", transaction_id=ANY)
        self.assertEqual(self.cluster.coordinator.wait_for_exit(), 0)


class CoordinatorDiskTest(WireTest):

    CLUSTER = {"nodes": ("stock-1",), "settings": {"least_free_bytes": "1024GiB"}}

    def test_a_coordinator_without_free_space_is_disk_full_with_the_numbers(self):
        failure = self.assert_refused(
            lambda: self.cluster.execute(on("stock", "CREATE TABLE t(a)")),
            "RESOURCE_EXHAUSTED", "DISK_FULL", outcome="NOT_STARTED")
        for part in ("least_free_bytes", str(1 << 40)):
            self.assertIn(part, failure.message)
        self.assertEqual(self.cluster.rows("stock", "SELECT count(*) FROM sqlite_schema"
                                                    " WHERE name = 't'"), [0])


class StoppedNodeTest(WireTest):

    CLUSTER = {"nodes": ("stock-1",)}

    def test_a_read_of_a_node_that_is_gone_is_participant_unavailable(self):
        self.cluster.nodes["stock-1"].kill()
        request = coordinator_pb2.QueryRequest(database="stock", sql="SELECT 1")

        def unavailable():
            failure = client.failure_of(lambda: self.cluster.stub.Query(request))
            return failure if failure and failure.reason == "PARTICIPANT_UNAVAILABLE" else None
        self.assert_is(processes.eventually(unavailable), "UNAVAILABLE", "PARTICIPANT_UNAVAILABLE",
                       database="stock", node_id="stock-1")
