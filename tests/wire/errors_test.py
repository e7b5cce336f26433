"""Each reason that a request alone can bring about, as a client gets it."""
import time

from google.protobuf import duration_pb2, timestamp_pb2
from lockstep.v1 import coordinator_pb2, participant_pb2, value_pb2
from client import CALL_SECONDS, on, statement
from cluster import ANY, WireTest

CREATE = "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT UNIQUE, c INTEGER CHECK (c < 10))"


class RefusalTest(WireTest):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.execute(*[on(database, CREATE, "INSERT INTO t VALUES (1, 'one', 1)")
                              for database in ("bank", "stock")])

    def refused(self, code, reason, *operations, **metadata):
        """Execute is refused, and nothing of it remains."""
        failure = self.assert_refused(lambda: self.cluster.execute(*operations), code, reason,
                                      **metadata)
        self.assertEqual(self.cluster.rows("bank", "SELECT count(*) FROM t"), [1])
        return failure

    def aborted(self, code, reason, sql, **metadata):
        """As refused, by the second statement of an operation behind another database's."""
        return self.refused(code, reason, on("stock", "UPDATE t SET c = 2"),
                            on("bank", "INSERT INTO t VALUES (2, 'two', 2)", sql),
                            outcome="ABORTED", transaction_id=ANY, database="bank", node_id=ANY,
                            operation="1", statement="1", **metadata)

    def test_an_empty_request_is_request_invalid_and_names_the_field(self):
        self.refused("INVALID_ARGUMENT", "REQUEST_INVALID", field="operations",
                     outcome="NOT_STARTED")

    def test_each_missing_or_contradictory_field_is_named_by_its_path(self):
        both = value_pb2.Statement(sql="SELECT ?", params=[value_pb2.Value()],
                                   named_params={"a": value_pb2.Value()})
        nan = statement("SELECT ?", float("nan"))
        guard = value_pb2.Statement(sql="SELECT 1", expect=value_pb2.RowExpectation())
        wrong = {
            "operations[0].database": [on("", "SELECT 1")],
            "operations[1].statements": [on("bank", "SELECT 1"), on("bank")],
            "operations[0].statements[1].sql": [on("bank", "SELECT 1", "")],
            "operations[0].statements[0].named_params": [on("bank", both)],
            "operations[0].statements[0].params[0]": [on("bank", nan)],
            "operations[0].statements[0].expect": [on("bank", guard)],
        }
        for field, operations in wrong.items():
            with self.subTest(field):
                self.refused("INVALID_ARGUMENT", "REQUEST_INVALID", *operations, field=field,
                             outcome="NOT_STARTED")

    def test_what_belongs_to_a_request_id_is_named_too(self):
        ask = on("bank", "SELECT 1")
        wrong = {
            "request_id": {"request_id": "a" * 65},
            "attempt": {"attempt": 3},
            "expire_time": {"expire_time": timestamp_pb2.Timestamp(seconds=1)},
            "timeout": {"timeout": duration_pb2.Duration()},
        }
        for field, fields in wrong.items():
            with self.subTest(field):
                self.assert_refused(lambda its=fields: self.cluster.execute(ask, **its),
                                    "INVALID_ARGUMENT", "REQUEST_INVALID", field=field,
                                    outcome="NOT_STARTED")

    def test_a_malformed_transaction_id_is_request_invalid(self):
        request = coordinator_pb2.GetTransactionRequest(transaction_id="yesterday")
        self.assert_refused(lambda: self.cluster.stub.GetTransaction(request),
                            "INVALID_ARGUMENT", "REQUEST_INVALID", field="transaction_id")

    def test_sql_that_cannot_run_is_sql_invalid_with_sqlites_code(self):
        for sql in ("SELEC 1", "SELECT * FROM nowhere", "SELECT nothing FROM t"):
            with self.subTest(sql):
                self.aborted("INVALID_ARGUMENT", "SQL_INVALID", sql, sqlite_code="1",
                             sqlite_extended_code="1")
        for sql in ("SELECT 1; SELECT 2", "SELECT ?", statement("SELECT ?", 1, 2), "-- nothing"):
            with self.subTest(sql):
                self.aborted("INVALID_ARGUMENT", "SQL_INVALID", sql)

    def test_an_unknown_database_is_database_unknown(self):
        self.refused("NOT_FOUND", "DATABASE_UNKNOWN", on("bank", "UPDATE t SET c = 3"),
                     on("nowhere", "SELECT 1"), outcome="NOT_STARTED", database="nowhere",
                     operation="1")
        self.assert_refused(lambda: self.cluster.query("nowhere", "SELECT 1"), "NOT_FOUND",
                            "DATABASE_UNKNOWN", database="nowhere")

    def test_an_unknown_table_is_table_unknown(self):
        request = coordinator_pb2.GetTableVersionRequest(database="bank", table="nowhere")
        self.assert_refused(lambda: self.cluster.stub.GetTableVersion(request), "NOT_FOUND",
                            "TABLE_UNKNOWN", database="bank", node_id=ANY)
        request = participant_pb2.GetVersionRequest(table="nowhere")
        self.assert_refused(lambda: self.cluster.local("bank-2").GetVersion(request), "NOT_FOUND",
                            "TABLE_UNKNOWN", database="bank", node_id="bank-2")

    def test_what_is_not_for_clients_is_statement_not_allowed(self):
        for sql in ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT s", "ATTACH 'x' AS x", "VACUUM",
                    "PRAGMA user_version = 1", "INSERT OR ROLLBACK INTO t VALUES (1, 'x', 1)",
                    "DELETE FROM lockstep_state"):
            with self.subTest(sql):
                self.aborted("PERMISSION_DENIED", "STATEMENT_NOT_ALLOWED", sql)

    def test_a_constraint_is_constraint_violation_with_its_name_and_extended_code(self):
        violations = {"INSERT INTO t VALUES (1, 'x', 1)": ("1555", "t.a"),
                      "INSERT INTO t VALUES (3, 'one', 1)": ("2067", "t.b"),
                      "INSERT INTO t VALUES (3, 'x', 11)": ("275", "c < 10")}
        for sql, (code, name) in violations.items():
            with self.subTest(sql):
                failure = self.aborted("FAILED_PRECONDITION", "CONSTRAINT_VIOLATION", sql,
                                       sqlite_code="19", sqlite_extended_code=code)
                self.assertIn(name, failure.message)

    def test_a_guard_is_guard_failed_with_both_numbers(self):
        self.aborted("FAILED_PRECONDITION", "GUARD_FAILED",
                     statement("UPDATE t SET c = 1 WHERE a = 77", rows=1), expected_rows="1",
                     actual_rows="0")

    def test_a_request_id_with_another_body_is_request_id_reused(self):
        self.cluster.execute(on("bank", "SELECT 1"), request_id="reused")
        self.assert_refused(
            lambda: self.cluster.execute(on("bank", "DELETE FROM t"), request_id="reused"),
            "INVALID_ARGUMENT", "REQUEST_ID_REUSED", outcome="NOT_STARTED")

    def test_a_lower_attempt_is_attempt_outdated(self):
        insert = on("bank", "INSERT INTO t VALUES (1, 'x', 1)")
        self.assert_refused(lambda: self.cluster.execute(insert, request_id="again", attempt=5),
                            "FAILED_PRECONDITION", "CONSTRAINT_VIOLATION", outcome="ABORTED")
        self.assert_refused(lambda: self.cluster.execute(insert, request_id="again", attempt=4),
                            "ABORTED", "ATTEMPT_OUTDATED", outcome="NOT_STARTED")

    def test_a_request_after_its_expire_time_is_request_expired(self):
        past = timestamp_pb2.Timestamp(seconds=int(time.time()) - 1)
        self.assert_refused(
            lambda: self.cluster.execute(on("bank", "DELETE FROM t"), request_id="late",
                                         expire_time=past),
            "FAILED_PRECONDITION", "REQUEST_EXPIRED", outcome="NOT_STARTED")

    def test_a_local_transaction_on_a_replica_is_node_is_replicated(self):
        request = participant_pb2.ParticipantServiceExecuteRequest(
            statements=[statement("DELETE FROM t")])
        self.assert_refused(lambda: self.cluster.local("bank-1").Execute(request),
                            "FAILED_PRECONDITION", "NODE_IS_REPLICATED", outcome="NOT_STARTED",
                            database="bank", node_id="bank-1")

    def test_text_that_is_not_utf8_is_result_not_text_with_its_column(self):
        failure = self.aborted("FAILED_PRECONDITION", "RESULT_NOT_TEXT",
                               "SELECT 1, CAST(x'ff' AS TEXT) AS broken")
        self.assertIn("column 1 (broken)", failure.message)

    def test_an_unknown_transaction_is_transaction_unknown(self):
        for fields in ({"transaction_id": "1-999999"}, {"request_id": "never-seen"}):
            with self.subTest(fields):
                request = coordinator_pb2.GetTransactionRequest(**fields)
                self.assert_refused(lambda its=request: self.cluster.stub.GetTransaction(its),
                                    "NOT_FOUND", "TRANSACTION_UNKNOWN")

    def test_errors_of_a_query_say_where_too(self):
        self.assert_refused(lambda: self.cluster.query("bank", "SELECT * FROM nowhere"),
                            "INVALID_ARGUMENT", "SQL_INVALID", database="bank", node_id="bank-1",
                            sqlite_code="1", sqlite_extended_code="1")
        self.assert_refused(lambda: self.cluster.query("bank", "DELETE FROM t"),
                            "PERMISSION_DENIED", "STATEMENT_NOT_ALLOWED", database="bank")
        self.assert_refused(lambda: self.cluster.query("bank", ""), "INVALID_ARGUMENT",
                            "REQUEST_INVALID", field="sql")


class HugeErrorTest(WireTest):
    """What is quoted in an error is cut: above 8 KiB the client would see another error."""

    CLUSTER = {"nodes": ("bank-1",)}
    NAME = "n\u00e4me" * 19_000  # 95 kB: below the limit of an SQL text

    def refused(self, call, code, reason, **metadata):
        failure = self.assert_refused(call, code, reason, **metadata)
        self.assertLessEqual(len(failure.message.encode()), 1024)

    def test_a_name_of_100_kb_in_sql(self):
        for sql in (f'SELECT * FROM "{self.NAME}"', f'SELECT "{self.NAME}".x', self.NAME,
                    f'CREATE TABLE x(a CHECK ("{self.NAME}"))'):
            self.refused(lambda its=sql: self.cluster.execute(on("bank", its)),
                         "INVALID_ARGUMENT", "SQL_INVALID", outcome="ABORTED")

    def test_a_name_of_100_kb_of_a_constraint(self):
        self.cluster.execute(on(
            "bank", f'CREATE TABLE c(a, CONSTRAINT "{self.NAME}" CHECK (a > 1))'))
        self.refused(lambda: self.cluster.execute(on("bank", "INSERT INTO c VALUES (0)")),
                     "FAILED_PRECONDITION", "CONSTRAINT_VIOLATION", outcome="ABORTED")

    def test_a_name_of_100_kb_of_a_database_or_a_table(self):
        self.refused(lambda: self.cluster.execute(on(self.NAME, "SELECT 1")), "NOT_FOUND",
                     "DATABASE_UNKNOWN", database=ANY)
        request = coordinator_pb2.GetTableVersionRequest(database="bank", table=self.NAME)
        self.refused(lambda: self.cluster.stub.GetTableVersion(request), "NOT_FOUND",
                     "TABLE_UNKNOWN")

    def test_a_name_of_100_kb_of_a_parameter_or_a_column(self):
        named = value_pb2.Statement(sql="SELECT :a", named_params={
            "a": value_pb2.Value(), self.NAME: value_pb2.Value()})
        self.refused(lambda: self.cluster.execute(on("bank", named)), "INVALID_ARGUMENT",
                     "SQL_INVALID")
        self.refused(lambda: self.cluster.execute(
            on("bank", f"SELECT CAST(x'ff' AS TEXT) AS \"{self.NAME}\"")), "FAILED_PRECONDITION",
                     "RESULT_NOT_TEXT")
        nan = value_pb2.Statement(sql="SELECT :a", named_params={
            self.NAME: value_pb2.Value(real_value=float("nan"))})
        failure = self.assert_refused(lambda: self.cluster.execute(on("bank", nan)),
                                      "INVALID_ARGUMENT", "REQUEST_INVALID", field=ANY)
        self.assertLessEqual(len(failure.field), 256)

    def test_a_transaction_id_of_100_kb(self):
        request = coordinator_pb2.GetTransactionRequest(transaction_id=self.NAME)
        self.refused(lambda: self.cluster.stub.GetTransaction(request, timeout=CALL_SECONDS),
                     "INVALID_ARGUMENT", "REQUEST_INVALID", field="transaction_id")

