"""Values of parameters stand in no message and in no log."""
from lockstep.v1 import participant_pb2, value_pb2
from order_service import value
import client
from client import on, statement
from cluster import SECRET, WireTest

# Each in a form that no other text of a message could have by chance.
TEXT = SECRET
BLOB = b"bl0bmarker\xff"
INTEGER = 7340912655183
REAL = 73409.12655183
MARKS = (TEXT, "bl0bmarker", BLOB.hex(), BLOB.hex().upper(), str(INTEGER), str(REAL))

SCHEMA = ("CREATE TABLE t(a INTEGER PRIMARY KEY, b UNIQUE, c CHECK (c <> 's3cret' || 'marker'),"
          " d NOT NULL DEFAULT 1)",
          "CREATE TABLE strict_t(a INTEGER, b REAL, c BLOB) STRICT",
          "CREATE TABLE child(p REFERENCES t(b) DEFERRABLE INITIALLY DEFERRED)",
          "CREATE VIRTUAL TABLE ft USING fts5(body)",
          "CREATE VIRTUAL TABLE rt USING rtree(id, x1, x2)",
          "INSERT INTO ft VALUES ('word')")
# Statements that fail with a value in their hands, by the number of their parameters.
FAILING = (
    ("INSERT INTO t VALUES (?, 1, 1, 1)", TEXT),
    ("INSERT INTO t VALUES (1, 1, ?, 1)", TEXT),
    ("INSERT INTO t VALUES (1, ?, 1, NULL)", TEXT),
    ("INSERT INTO strict_t VALUES (?, 1, x'')", TEXT),
    ("INSERT INTO strict_t(c) VALUES (?)", INTEGER),
    ("INSERT INTO child VALUES (?)", TEXT),
    ("SELECT * FROM ft WHERE ft MATCH ?", TEXT + '"'),
    ("SELECT * FROM ft WHERE ft MATCH ?", TEXT + " : x"),
    ("SELECT * FROM ft WHERE ft MATCH ?", "x AND AND " + TEXT),
    ("SELECT * FROM ft WHERE ft MATCH ?", "*" + TEXT),
    ("SELECT * FROM ft WHERE ft MATCH 'word' AND rank MATCH ?", TEXT + "(1)"),
    ("SELECT * FROM ft WHERE ft MATCH 'word' AND rank MATCH ?", TEXT),
    ("INSERT INTO ft(ft) VALUES (?)", TEXT),
    ("INSERT INTO ft(ft, rank) VALUES ('rank', ?)", TEXT),
    ("INSERT INTO ft(ft, rank) VALUES (?, 1)", TEXT),
    ("INSERT INTO rt VALUES (?, 2, 1)", TEXT),
    ("INSERT INTO rt VALUES (?, 2, 1)", INTEGER),
    ("SELECT json(?)", TEXT),
    ("SELECT json_extract('{}', ?)", TEXT),
    ("SELECT json_extract('{}', '$.' || ? || '[')", TEXT),
    ("SELECT json_set('{}', ?, 1)", TEXT),
    ("SELECT json_object('a', ?)", BLOB),
    ("SELECT 1 WHERE 'x' LIKE 'y' ESCAPE ?", TEXT),
    ("SELECT CAST(? AS TEXT)", BLOB),
    ("SELECT ? FROM nowhere", TEXT),
    ("SELECT zeroblob(?)", INTEGER),
    ("SELECT abs(?)", -(2 ** 63)),
    ("SELECT sum(column1) FROM (VALUES (9223372036854775807), (?))", INTEGER),
    ("SELECT load_extension(?)", TEXT),
    ("SELECT ? LIMIT ?", REAL, TEXT),
    ("SELECT ?, ?", TEXT),
)


class SecretsTest(WireTest):

    CLUSTER = {"nodes": ("bank-1", "bank-2", "stock-1"),
               "settings": {"log_level": "debug", "slow_transaction_threshold": "1ms"},
               "node_settings": {"log_level": "debug"}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.execute(on("bank", *SCHEMA), on("stock", *SCHEMA))

    def assert_no_mark(self, text, where):
        for mark in MARKS:
            at = text.find(mark)
            self.assertEqual(at, -1, f"{where}: {text[max(0, at - 200):at + 100]}")

    def failures(self):
        """What everything that can be tried with a marked value fails with."""
        for sql, *params in FAILING:
            its = statement(sql, *params)
            yield sql, lambda its=its: self.cluster.execute(on("bank", its))
            yield sql, lambda sql=sql, params=params: self.cluster.query(
                "bank", sql, *[value(param) for param in params])
            request = participant_pb2.ParticipantServiceExecuteRequest(statements=[its])
            yield sql, lambda request=request: self.cluster.local("stock-1").Execute(request)
        guard = statement("UPDATE t SET b = ?", TEXT, rows=3)
        yield "a guard", lambda: self.cluster.execute(on("bank", guard))
        huge = statement("SELECT ?", TEXT * 1_000_000)
        yield "a large value", lambda: self.cluster.execute(on("bank", huge))
        both = value_pb2.Statement(sql="SELECT ?", params=[value(TEXT)],
                                   named_params={"a": value(TEXT)})
        yield "both kinds", lambda: self.cluster.execute(on("bank", both))
        reused = on("bank", statement("SELECT ?", TEXT))
        yield "a request_id", lambda: self.cluster.execute(reused, request_id="one")
        other = on("bank", statement("SELECT ?", TEXT + TEXT))
        yield "another body", lambda: self.cluster.execute(other, request_id="one")

    def test_no_value_is_in_a_message_or_its_details_or_a_log(self):
        failed = 0
        for what, call in self.failures():
            failure = client.failure_of(call)
            if failure is None:
                continue
            failed += 1
            self.assert_no_mark(str(failure), what)
            self.assert_no_mark(failure.details.decode("latin-1"), what)
        self.assertGreater(failed, 2 * len(FAILING), "too few of them fail")
        self.assert_no_mark(self.cluster.logs(), "a log")
