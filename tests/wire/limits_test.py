"""Each limit of the API is a setting, and is refused by its name before anything is durable."""
from concurrent import futures
import itertools

from google.protobuf import duration_pb2
from lockstep.v1 import participant_pb2
import client
import processes
from client import on, statement
from cluster import WireTest
from interposer import Gate

ENDLESS = "WITH RECURSIVE r(n) AS (VALUES(1) UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r"
LARGE_SORT = ("WITH RECURSIVE r(n) AS (VALUES(1) UNION ALL SELECT n + 1 FROM r LIMIT 3000)"
              " SELECT length(b) FROM (SELECT n, zeroblob(8000000) AS b FROM r ORDER BY b, n)")
FILL = ("WITH RECURSIVE r(n) AS (VALUES(1) UNION ALL SELECT n + 1 FROM r LIMIT 64)"
        " INSERT INTO big SELECT zeroblob(100000) FROM r")


class LimitTest(WireTest):

    CLUSTER = {
        "nodes": ("bank-1", "bank-2", "stock-1", "orders-1"),
        "interposed": ("stock-1",),
        "settings": {"max_request_bytes": "3MiB", "max_statements": 5, "max_databases": 2,
                     "max_sql_bytes": "1KiB", "max_value_bytes": "1MiB", "max_timeout": "5s",
                     "max_result_bytes": "100KiB", "max_remembered_attempts": 2},
        # Lower ones than the coordinator's, where both have one, would refuse what it lets through.
        "node_settings": {"max_result_rows": 10, "max_result_bytes": "64KiB",
                          "statement_budget": "300ms", "query_budget": "300ms",
                          "max_changed_bytes": "1MiB", "max_working_bytes": "32MiB"},
    }

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.execute(*[on(database, "CREATE TABLE t(a)", "CREATE TABLE big(b)")
                              for database in ("bank", "stock")])

    @classmethod
    def applied(cls, node):
        health = cls.cluster.local(node).CheckHealth(participant_pb2.CheckHealthRequest())
        return health.applied_round

    def exceeds(self, setting, limit, asked, *operations, outcome="NOT_STARTED", **fields):
        """Execute is refused by this limit, and no round is applied anywhere."""
        self.cluster.wait_until_delivered()
        before = {node: self.applied(node) for node in self.cluster.nodes}
        failure = self.assert_refused(lambda: self.cluster.execute(*operations, **fields),
                                      "RESOURCE_EXHAUSTED", "LIMIT_EXCEEDED", outcome=outcome)
        for part in (setting, limit, asked):
            self.assertIn(str(part), failure.message)
        self.assertEqual({node: self.applied(node) for node in self.cluster.nodes}, before)

    def test_max_request_bytes(self):
        part = bytes(1 << 20)
        self.exceeds("max_request_bytes", 3 << 20, "the request has 3145",
                     on("bank", statement("SELECT ?, ?, ?", part, part, part)))

    def test_max_statements(self):
        self.exceeds("max_statements", "limit of 5", "has 6 statements",
                     on("bank", *["DELETE FROM t"] * 3), on("stock", *["DELETE FROM t"] * 3))

    def test_max_databases(self):
        self.exceeds("max_databases", "limit of 2", "has 3 databases",
                     *[on(name, "DELETE FROM t") for name in ("bank", "stock", "orders")])

    def test_max_sql_bytes(self):
        self.exceeds("max_sql_bytes", "limit of 1024", "sql has 1025",
                     on("bank", "DELETE FROM t " + " " * 1011))

    def test_max_value_bytes(self):
        self.exceeds("max_value_bytes", f"limit of {1 << 20}", f"params[0] has {(1 << 20) + 1}",
                     on("bank", statement("INSERT INTO t VALUES (?)", bytes((1 << 20) + 1))))

    def test_max_timeout(self):
        self.exceeds("max_timeout", "limit of 5s", "timeout is 6s", on("bank", "DELETE FROM t"),
                     timeout=duration_pb2.Duration(seconds=6))

    def test_max_result_rows(self):
        rows = "WITH RECURSIVE r(n) AS (VALUES(1) UNION ALL SELECT n + 1 FROM r LIMIT {})" \
               " SELECT n FROM r"
        self.cluster.execute(on("bank", rows.format(10)))
        self.exceeds("max_result_rows", "more than 10", "rows", on("bank", "DELETE FROM t"),
                     on("stock", rows.format(11)), outcome="ABORTED")

    def test_max_result_bytes_of_a_node(self):
        self.exceeds("max_result_bytes", 64 << 10, "the rows take",
                     on("bank", "DELETE FROM t", "SELECT zeroblob(65536)"), outcome="ABORTED")

    def test_max_result_bytes_of_the_coordinator(self):
        large = "SELECT zeroblob(60000)"
        self.exceeds("max_result_bytes", 100 << 10, "results take 1200", on("bank", large),
                     on("stock", large), outcome="ABORTED")

    def test_max_changed_bytes(self):
        self.exceeds("max_changed_bytes", 1 << 20, "changed pages",
                     on("bank", "DELETE FROM t"), on("stock", FILL), outcome="ABORTED")

    def test_a_value_that_a_statement_makes_is_bounded_too(self):
        self.exceeds("max_value_bytes", 8 << 20, "too big", on("bank", "DELETE FROM t"),
                     on("stock", "INSERT INTO t VALUES (zeroblob(1000000000))"), outcome="ABORTED")

    def test_max_working_bytes(self):
        self.cluster.execute(on("bank", "DELETE FROM t"))
        self.exceeds("max_working_bytes", 33 << 20, "more memory", on("stock", "DELETE FROM t"),
                     on("bank", LARGE_SORT), outcome="ABORTED")
        failure = self.assert_refused(lambda: self.cluster.query("bank", LARGE_SORT),
                                      "RESOURCE_EXHAUSTED", "LIMIT_EXCEEDED")
        for part in ("max_working_bytes", str(32 << 20)):
            self.assertIn(part, failure.message)

    def test_parallel_sorts_of_large_values_do_not_take_a_node_to_gigabytes(self):
        with futures.ThreadPoolExecutor(8) as clients:
            calls = [clients.submit(client.failure_of,
                                    lambda: self.cluster.query("bank", LARGE_SORT))
                     for _ in range(16)]
            reasons = {call.result().reason for call in calls}
        # Eight at once on a busy machine may come to the end of their time first.
        self.assertLessEqual(reasons, {"LIMIT_EXCEEDED", "STATEMENT_TOO_LONG_RUNNING"})
        self.assertIn("LIMIT_EXCEEDED", reasons)
        self.assertLess(self.cluster.nodes["bank-1"].peak_resident_bytes(), 512 << 20)

    def test_views_in_views_are_refused_and_the_node_lives(self):
        self.cluster.execute(on("bank", "CREATE VIEW nv0 AS SELECT 1 AS a"))
        # A transaction has at most 5 statements: what is deep is made by one that doubles it.
        for i in range(1, 41):
            self.cluster.execute(on("bank", *[
                f"CREATE VIEW nv{i} AS SELECT x.a FROM nv{i - 1} x, nv{i - 1} y"]))
        for call in (lambda: self.cluster.query("bank", "SELECT * FROM nv40"),
                     lambda: self.cluster.execute(on("bank", "DELETE FROM t",
                                                     "INSERT INTO t SELECT a FROM nv40"))):
            failure = client.failure_of(call)
            self.assertIn(failure.reason, ("LIMIT_EXCEEDED", "STATEMENT_TOO_LONG_RUNNING"))
        self.cluster.execute(on("bank", "DELETE FROM t"))

    def test_a_function_on_large_values_ends_with_the_budget(self):
        for sql in ("SELECT instr(zeroblob(4000000), zeroblob(2000000) || x'01')",
                    "SELECT trim(hex(zeroblob(1000000)),"
                    " replace(hex(zeroblob(1000000)), '0', '1') || '0')"):
            self.assert_refused(lambda its=sql: self.cluster.execute(on("bank", its)),
                                "DEADLINE_EXCEEDED", "STATEMENT_TOO_LONG_RUNNING",
                                outcome="ABORTED")

    def test_a_match_that_outlasts_the_budget_is_not_committed(self):
        like = "SELECT replace(hex(zeroblob(4000000)), '0', 'a') LIKE ?"
        failure = client.failure_of(lambda: self.cluster.execute(
            on("bank", "DELETE FROM t", statement(like, "%" + "a" * 98 + "b"))))
        self.assertEqual(failure.reason, "STATEMENT_TOO_LONG_RUNNING")
        self.assert_refused(lambda: self.cluster.execute(
            on("bank", statement("SELECT 'a' LIKE ?", "%" + "a" * 100))),
            "INVALID_ARGUMENT", "SQL_INVALID", outcome="ABORTED")

    def test_query_budget(self):
        failure = self.assert_refused(lambda: self.cluster.query("bank", ENDLESS),
                                      "DEADLINE_EXCEEDED", "STATEMENT_TOO_LONG_RUNNING")
        for part in ("query_budget", "300ms"):
            self.assertIn(part, failure.message)

    def test_max_remembered_attempts(self):
        fails = on("bank", "SELECT * FROM nowhere")
        for i in range(2):
            self.assert_refused(
                lambda its=f"attempt {i}": self.cluster.execute(fails, request_id=its, attempt=1),
                "INVALID_ARGUMENT", "SQL_INVALID")
        failure = client.failure_of(
            lambda: self.cluster.execute(fails, request_id="one more", attempt=1))
        self.assertEqual((failure.code, failure.reason), ("RESOURCE_EXHAUSTED", "LIMIT_EXCEEDED"))
        self.assertIn("max_remembered_attempts", failure.message)
        self.assertIsNotNone(failure.retry_seconds)

    def test_statement_budget_and_a_runaway_statement_harms_nobody_in_its_round(self):
        # One round: what waits while stock-1 is held goes out together.
        gate = Gate()
        hooks = self.cluster.interposers["stock-1"].hooks
        hooks["Prepare"] = gate
        self.addCleanup(gate.open)
        first = self.cluster.begin(on("stock", "SELECT 1"))
        gate.wait()
        others = [self.cluster.begin(on("stock", f"INSERT INTO t VALUES ('before {i}')"))
                  for i in range(3)]
        runaway = self.cluster.begin(on("stock", "DELETE FROM t", ENDLESS))
        others += [self.cluster.begin(on("stock", f"INSERT INTO t VALUES ('behind {i}')"))
                   for i in range(3)]
        self.cluster.wait_for_queue(7)
        hooks.pop("Prepare")
        gate.open()
        failure = client.failure_of(runaway.result)
        self.assert_is(failure, "DEADLINE_EXCEEDED", "STATEMENT_TOO_LONG_RUNNING",
                       outcome="ABORTED", statement="1")
        for part in ("statement_budget", "300ms"):
            self.assertIn(part, failure.message)
        first.result()
        # The version of a database is the round: they were in one.
        self.assertEqual(len({its.result().versions["stock"] for its in others}), 1)
        self.assertEqual(self.cluster.rows("stock", "SELECT count(*) FROM t"), [6])


class KeptAnswersTest(WireTest):

    CLUSTER = {"nodes": ("stock-1",), "settings": {"max_kept_answer_bytes": "1KiB"}}

    def test_max_kept_answer_bytes_refuses_new_request_ids_and_nothing_else(self):
        self.cluster.execute(on("stock", "CREATE TABLE t(a)"))
        large = on("stock", statement("INSERT INTO t VALUES (?) RETURNING a", "x" * 5000))
        kept = self.cluster.execute(large, request_id="kept")

        new_ids = itertools.count()

        def refused():
            return client.failure_of(lambda: self.cluster.execute(
                on("stock", "SELECT 1"), request_id=f"new {next(new_ids)}"))
        failure = processes.eventually(refused, what="a request_id that is refused")
        self.assertEqual((failure.code, failure.reason), ("RESOURCE_EXHAUSTED", "LIMIT_EXCEEDED"))
        for part in ("max_kept_answer_bytes", "1024"):
            self.assertIn(part, failure.message)
        self.assertEqual(failure.metadata["outcome"], "NOT_STARTED")
        again = self.cluster.execute(large, request_id="kept")
        self.assertTrue(again.deduplicated)
        self.assertEqual(again.transaction_id, kept.transaction_id)
        self.cluster.execute(on("stock", "INSERT INTO t VALUES (1)"))
        self.assertEqual(self.cluster.rows("stock", "SELECT count(*) FROM t"), [2])
