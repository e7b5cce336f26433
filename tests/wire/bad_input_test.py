"""Requests that no client of ours would send: the right error, nothing durable, and a server that
lives on with no more memory than before."""
import os
import socket
import ssl

import grpc
from lockstep.v1 import coordinator_pb2, value_pb2
import client
from client import CALL_SECONDS, on, statement, transaction
from cluster import ANY, WireTest

EXECUTE = "/lockstep.v1.CoordinatorService/Execute"
# What an allocator keeps for itself, and what the answers to later calls take.
SLACK_BYTES = 48 << 20
# A server closes such a connection at once; a test that waits longer has failed.
SOCKET_SECONDS = 20


def varint(number):
    """As protobuf writes a number."""
    its = bytearray()
    while number > 127:
        its.append(number & 127 | 128)
        number >>= 7
    return bytes([*its, number])


def field(number, wire_type, payload):
    """One field of a message, in bytes; `payload` is what stands behind the tag."""
    return varint(number << 3 | wire_type) + payload


def text(number, its):
    """A field of bytes, of text or with a message."""
    return field(number, 2, varint(len(its)) + its)


class BadInputTest(WireTest):

    CLUSTER = {"nodes": ("bank-1", "bank-2", "stock-1")}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.execute(on("bank", "CREATE TABLE t(a)", "INSERT INTO t VALUES ('whole')"))

    def tearDown(self):
        """Whatever a test sent: nothing of it is there, every server runs and answers."""
        self.assertEqual(self.cluster.rows("bank", "SELECT a FROM t"), ["whole"])
        for server in self.cluster.servers:
            self.assertTrue(server.is_running())
        self.cluster.execute(on("bank", "SELECT 1"), on("stock", "SELECT 1"))

    def raw(self, method, request, channel=None, **options):
        """What a call with these very bytes fails with."""
        channel = channel or self.cluster.channel(self.cluster.coordinator)
        call = channel.unary_unary(method)
        return client.failure_of(lambda: call(request, timeout=CALL_SECONDS, **options))

    def test_empty_requests_name_the_field_that_is_missing(self):
        for method, missing in (("Execute", "operations"), ("Query", "database"),
                                ("GetTransaction", "transaction_id"),
                                ("GetTableVersion", "database")):
            with self.subTest(method):
                failure = self.raw(f"/lockstep.v1.CoordinatorService/{method}", b"")
                self.assert_is(failure, "INVALID_ARGUMENT", "REQUEST_INVALID", field=missing)

    def test_a_request_above_its_limit_is_limit_exceeded_and_a_huge_one_is_refused_by_grpc(self):
        value = bytes(8 << 20)
        over = on("bank", statement("DELETE FROM t WHERE a IN (?, ?)", value, value))
        failure = self.assert_refused(lambda: self.cluster.execute(over), "RESOURCE_EXHAUSTED",
                                      "LIMIT_EXCEEDED", outcome="NOT_STARTED")
        self.assertIn("max_request_bytes", failure.message)
        self.assertIn(str(16 << 20), failure.message)
        huge = on("bank", statement("DELETE FROM t WHERE a IN (?, ?, ?, ?)", *[value] * 4))
        failure = client.failure_of(lambda: self.cluster.execute(huge))
        self.assertEqual(failure.code, "RESOURCE_EXHAUSTED", str(failure))
        self.assertIn("larger than max", failure.message)

    def test_huge_requests_leave_no_memory_behind(self):
        value = bytes(8 << 20)
        requests = [on("bank", statement("SELECT ?, ?", *[value] * count)) for count in (1, 2, 4)]
        before = None
        for _ in range(2):
            for _ in range(6):
                for its in requests:
                    self.assertIsNotNone(client.failure_of(lambda its=its:
                                                           self.cluster.execute(its)))
            now = [server.resident_bytes() for server in self.cluster.servers]
            if before is not None:
                for server, was, its in zip(self.cluster.servers, before, now):
                    self.assertLess(its, was + SLACK_BYTES, server.address)
            before = now

    def test_100_000_statements_are_limit_exceeded_with_both_numbers(self):
        failure = self.assert_refused(
            lambda: self.cluster.execute(on("bank", *["DELETE FROM t"] * 100_000)),
            "RESOURCE_EXHAUSTED", "LIMIT_EXCEEDED", outcome="NOT_STARTED")
        for part in ("100000", "1000", "max_statements"):
            self.assertIn(part, failure.message)

    def test_1_000_statements_run(self):
        self.cluster.execute(on("bank", *["SELECT 1"] * 1000))

    def test_a_value_that_is_not_set_is_null(self):
        response = self.cluster.execute(on("bank", value_pb2.Statement(
            sql="SELECT ? IS NULL", params=[value_pb2.Value()])))
        self.assertEqual(response.results[0].statements[0].rows[0].values[0].int_value, 1)

    def test_text_that_is_not_utf8_is_not_taken_for_a_request(self):
        broken = text(1, b"\xff\xfe")
        statements = {"in SQL": text(1, b"DELETE FROM t -- \xff"),
                      "in a value": text(1, b"DELETE FROM t WHERE a <> ?") + text(
                          2, text(3, b"\xc3\x28")),
                      "in a name of a parameter": text(1, b"DELETE FROM t") + text(3, broken)}
        requests = {where: text(4, text(1, b"bank") + text(2, its))
                    for where, its in statements.items()}
        requests["in a database"] = text(4, broken)
        requests["in a request_id"] = broken + text(4, text(1, b"bank"))
        requests["no protobuf at all"] = b"\x99\x99\x99DELETE FROM t"
        for where, request in requests.items():
            with self.subTest(where):
                # gRPC itself cannot parse it.
                self.assertEqual(self.raw(EXECUTE, request).code, "INTERNAL")

    def test_a_nul_in_sql_is_sql_invalid(self):
        for sql in ("DELETE FROM t\0", "\0", "SELECT '\0'; DELETE FROM t"):
            self.assert_refused(lambda sql=sql: self.cluster.execute(on("bank", sql)),
                                "INVALID_ARGUMENT", "SQL_INVALID", outcome="ABORTED")

    def test_a_database_that_is_named_twice_runs_in_the_requests_order(self):
        response = self.cluster.execute(
            on("bank", "INSERT INTO t VALUES ('twice')"), on("stock", "SELECT 1"),
            on("bank", "DELETE FROM t WHERE a = 'twice'"))
        self.assertEqual([its.database for its in response.results], ["bank", "stock", "bank"])
        self.assertEqual(response.results[2].statements[0].rows_affected, 1)

    def test_65_databases_are_limit_exceeded_and_unknown_ones_are_named(self):
        failure = self.assert_refused(
            lambda: self.cluster.execute(*[on(f"d{i}", "SELECT 1") for i in range(65)]),
            "RESOURCE_EXHAUSTED", "LIMIT_EXCEEDED", outcome="NOT_STARTED")
        self.assertIn("max_databases", failure.message)
        self.assert_refused(
            lambda: self.cluster.execute(on("bank", "DELETE FROM t"), on("BANK", "SELECT 1")),
            "NOT_FOUND", "DATABASE_UNKNOWN", database="BANK", operation="1")

    def test_fields_that_nobody_knows_are_no_reason_to_refuse(self):
        known = transaction(on("bank", "SELECT 1")).SerializeToString()
        for unknown in (text(500, b"from a later version"), field(501, 0, b"\x05")):
            self.assertIsNone(self.raw(EXECUTE, known + unknown))

    def test_metadata_of_9_kb_is_refused_and_of_4_kb_is_not(self):
        request = transaction(on("bank", "SELECT 1")).SerializeToString()
        # gRPC may close a connection behind its refusal, so this one is nobody else's.
        with client.channel_to(self.cluster.coordinator.address) as channel:
            failure = self.raw(EXECUTE, request, channel, metadata=(("x-large", "m" * 9000),))
        self.assertEqual(failure.code, "RESOURCE_EXHAUSTED", str(failure))
        self.assertIsNone(self.raw(EXECUTE, request, metadata=(("x-large", "m" * 4000),)))

    def test_a_method_or_service_that_is_not_there_is_unimplemented(self):
        for method in ("/lockstep.v1.CoordinatorService/Drop", "/nothing/Nothing", "/"):
            self.assertEqual(self.raw(method, b"").code, "UNIMPLEMENTED")

    def connections(self):
        for server in (self.cluster.coordinator, self.cluster.nodes["bank-1"]):
            with socket.create_connection(("127.0.0.1", server.port), SOCKET_SECONDS) as its:
                its.settimeout(SOCKET_SECONDS)
                yield its

    def test_http_1_and_garbage_are_closed(self):
        for sent in (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", os.urandom(1 << 16),
                     b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + os.urandom(1 << 16)):
            for connection in self.connections():
                try:
                    connection.sendall(sent)
                    while connection.recv(1 << 16):
                        pass
                except ConnectionError:
                    pass  # closed at once, with bytes of ours unread

    def test_tls_on_the_plaintext_port_fails_at_the_client(self):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        for connection in self.connections():
            with self.assertRaises((ssl.SSLError, ConnectionError)):
                context.wrap_socket(connection)
        secure = grpc.secure_channel(self.cluster.coordinator.address,
                                     grpc.ssl_channel_credentials())
        self.addCleanup(secure.close)
        failure = client.failure_of(lambda: client.coordinator_stub(secure).GetClusterStatus(
            coordinator_pb2.GetClusterStatusRequest(), timeout=CALL_SECONDS))
        self.assertEqual(failure.code, "UNAVAILABLE", str(failure))

    def test_300_000_names_of_parameters_do_not_keep_a_node_busy(self):
        sql = "SELECT " + ",".join(f":{i:06x}" for i in range(10_000))
        names = b"".join(text(3, text(1, b"%06x" % (299_999 - i))) for i in range(300_000))
        request = (text(4, text(1, b"bank") + text(2, text(1, sql.encode()) + names))
                   + text(5, field(1, 0, varint(5))))
        self.assert_is(self.raw(EXECUTE, request), "INVALID_ARGUMENT", "SQL_INVALID",
                       outcome="ABORTED", database=ANY)
