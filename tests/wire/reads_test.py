"""Reads see what was answered, whatever is still on its way, and hold up nobody."""
from google.protobuf import duration_pb2
from lockstep.v1 import coordinator_pb2, participant_pb2
from order_service import plain, value
import client
from client import on
from cluster import WireTest
from interposer import Gate

SHORT = duration_pb2.Duration(nanos=300_000_000)
LONG_QUERY = ("WITH RECURSIVE r(n) AS (VALUES(1) UNION ALL SELECT n + 1 FROM r LIMIT 100000000)"
              " SELECT max(n) FROM r")


class ReadTest(WireTest):

    NODES = ("bank-1", "bank-2", "stock-1")
    CLUSTER = {"nodes": NODES, "interposed": NODES}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.execute(*[on(database, "CREATE TABLE t(a INTEGER PRIMARY KEY)")
                              for database in ("bank", "stock")])

    def setUp(self):
        self.key = self.cluster.rows("bank", "SELECT coalesce(max(a), 0) + 1 FROM t")[0]

    def hold_commits(self, *nodes):
        """The decision's Commits reach these nodes only when the gate is opened."""
        gate = Gate()
        self.addCleanup(self.cluster.wait_until_ready)
        self.cluster.wait_until_delivered()
        for node in nodes:
            hooks = self.cluster.interposers[node].hooks
            hooks["Commit"] = gate
            self.addCleanup(hooks.pop, "Commit", None)
        self.addCleanup(gate.open)
        return gate

    def insert(self):
        insert = f"INSERT INTO t VALUES ({self.key})"
        return self.cluster.execute(on("bank", insert), on("stock", insert))

    def local(self, node, **fields):
        request = participant_pb2.ParticipantServiceQueryRequest(
            sql="SELECT count(*) FROM t WHERE a = ?", params=[value(self.key)], **fields)
        return self.cluster.local(node).Query.future(request, timeout=client.CALL_SECONDS)

    def seen(self, response):
        return plain(response.rows[0].values[0]) == 1

    def test_a_read_waits_for_the_commit_of_what_was_answered_and_is_never_older(self):
        gate = self.hold_commits(*self.NODES)
        self.insert()  # answered: the decision is durable
        gate.wait()
        for database in ("bank", "stock"):
            sql = f"SELECT a FROM t WHERE a = {self.key}"
            self.assert_refused(lambda: self.cluster.query(database, sql, timeout=SHORT),
                                "DEADLINE_EXCEEDED", "TIMEOUT", database=database)
        its = self.cluster.stub.Query.future(coordinator_pb2.QueryRequest(
            database="bank", sql=f"SELECT a FROM t WHERE a = {self.key}"),
            timeout=client.CALL_SECONDS)
        self.assertFalse(its.done())
        gate.open()
        self.assertEqual(len(its.result().rows), 1)

    def test_every_read_after_an_answer_sees_it_while_commits_come_late(self):
        for _ in range(10):
            gate = self.hold_commits("bank-1", "stock-1")
            self.insert()
            reads = [self.cluster.stub.Query.future(coordinator_pb2.QueryRequest(
                database=database, sql=f"SELECT count(*) FROM t WHERE a = {self.key}"),
                timeout=client.CALL_SECONDS) for database in ("bank", "stock")]
            gate.open()
            for read in reads:
                self.assertTrue(self.seen(read.result()))
            self.key += 1

    def test_a_frozen_node_delays_the_read_until_it_can_see_what_was_answered(self):
        node = self.cluster.nodes["stock-1"]
        self.addCleanup(node.thaw)
        gate = self.hold_commits("stock-1")
        self.insert()
        gate.wait()
        node.freeze()
        read = self.cluster.stub.Query.future(coordinator_pb2.QueryRequest(
            database="stock", sql=f"SELECT count(*) FROM t WHERE a = {self.key}"),
            timeout=client.CALL_SECONDS)
        self.assertEqual(self.cluster.rows("bank", f"SELECT a FROM t WHERE a = {self.key}"),
                         [self.key])
        node.thaw()
        # Answered after the read has reached it; the Commit is still on its way.
        self.cluster.local("stock-1").CheckHealth(participant_pb2.CheckHealthRequest(),
                                                  timeout=client.CALL_SECONDS)
        self.assertFalse(read.done())
        gate.open()
        self.assertTrue(self.seen(read.result()))

    def test_a_read_of_a_frozen_node_is_timeout_with_its_name(self):
        node = self.cluster.nodes["stock-1"]
        self.addCleanup(self.cluster.wait_until_ready)
        self.addCleanup(node.thaw)
        node.freeze()
        self.assert_refused(lambda: self.cluster.query("stock", "SELECT 1", timeout=SHORT),
                            "DEADLINE_EXCEEDED", "TIMEOUT", database="stock", node_id="stock-1")
        request = coordinator_pb2.GetTableVersionRequest(database="stock", table="t")
        failure = client.failure_of(lambda: self.cluster.stub.GetTableVersion(request, timeout=0.3))
        self.assertEqual(failure.code, "DEADLINE_EXCEEDED", str(failure))

    def test_a_long_read_holds_up_no_writer(self):
        read = self.cluster.stub.Query.future(coordinator_pb2.QueryRequest(
            database="bank", sql=LONG_QUERY), timeout=client.CALL_SECONDS)
        self.addCleanup(read.cancel)
        for _ in range(10):
            self.insert()
            self.key += 1
        self.assertFalse(read.done(), "the query was too short to show anything")

    def test_a_participants_query_waits_for_its_version(self):
        gate = self.hold_commits("stock-1")
        version = self.insert().versions["stock"]
        gate.wait()
        read = self.local("stock-1", min_version=version)
        self.assertFalse(self.seen(self.local("stock-1").result()))  # not committed there yet
        self.assertFalse(read.done())
        gate.open()
        self.assertTrue(self.seen(read.result()))
        self.assertEqual(read.result().version, version)

    def test_a_participants_query_for_a_version_that_does_not_come_is_timeout(self):
        version = self.insert().versions["stock"]
        failure = client.failure_of(
            self.local("stock-1", min_version=version + 1, timeout=SHORT).result)
        self.assert_is(failure, "DEADLINE_EXCEEDED", "TIMEOUT", database="stock",
                       node_id="stock-1")
        self.assert_refused(
            lambda: self.cluster.query("stock", "SELECT 1", min_version=version + 1,
                                       timeout=SHORT), "DEADLINE_EXCEEDED", "TIMEOUT")

    def test_a_version_of_a_term_to_come_is_request_invalid(self):
        for version in (2 ** 63 - 1, 2 ** 62, 99 << 43 | 1):
            self.assert_refused(
                lambda its=version: self.cluster.query("stock", "SELECT 1", min_version=its),
                "INVALID_ARGUMENT", "REQUEST_INVALID", field="min_version")

    def test_a_negative_version_is_request_invalid(self):
        self.assert_is(client.failure_of(self.local("stock-1", min_version=-1).result),
                       "INVALID_ARGUMENT", "REQUEST_INVALID", field="min_version")
