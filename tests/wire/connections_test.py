"""More connections than a server may have files open."""
import socket

import client
from client import on
from cluster import WireTest
import processes

CONNECTIONS = 1000
SLACK_BYTES = 32 << 20
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
GARBAGE = bytes(range(256))
FEW_FILES = 120  # less would not be enough for the server itself


class ConnectionsTest(WireTest):

    CLUSTER = {"nodes": ("stock-1", "orders-1")}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.execute(on("stock", "CREATE TABLE t(a)"))

    def test_connections_that_come_with_garbage_and_go_leave_nothing_behind(self):
        for server in self.cluster.servers:
            before, files = server.resident_bytes(), server.open_files()
            for number in range(CONNECTIONS):
                with socket.create_connection(("127.0.0.1", server.port)) as connection:
                    connection.sendall(GARBAGE if number % 2 else PREFACE)
            # It may have opened a file of its own.
            processes.eventually(lambda: server.open_files() < files + 10,
                                 what="closed connections")
            processes.eventually(lambda: server.resident_bytes() < before + SLACK_BYTES,
                                 what="the memory of before")
        self.cluster.execute(on("stock", "SELECT 1"))

    def restart(self, server, open_files):
        server.kill()
        server.start(open_files)
        channel = client.channel_to(server.address)
        self.addCleanup(channel.close)
        channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=client.CALL_SECONDS,
                                                            wait_for_ready=True)

    def test_a_server_allows_itself_as_many_files_as_the_system_lets_it(self):
        for server in (self.cluster.coordinator, self.cluster.nodes["stock-1"]):
            self.restart(server, f"{FEW_FILES}:1000")
            self.assertEqual(server.open_files_limit(), 1000)

    def test_a_server_that_can_accept_no_connection_ends_and_a_new_start_serves_again(self):
        for server in (self.cluster.coordinator, self.cluster.nodes["stock-1"]):
            self.restart(server, f"{FEW_FILES}:{FEW_FILES}")
            connections = []
            self.addCleanup(lambda its=connections: [connection.close() for connection in its])
            while len(connections) < 2 * FEW_FILES and server.is_running():
                try:
                    connections.append(socket.create_connection(("127.0.0.1", server.port), 1))
                except OSError:
                    break  # it has ended
            self.assertEqual(server.wait_for_exit(), 1)
            self.assertIn("cannot accept connections any more", server.log())
            for connection in connections:
                connection.close()
            server.start()
            processes.eventually(lambda: client.failure_of(lambda: self.cluster.execute(
                on("stock", "INSERT INTO t VALUES (1)"))) is None, what="a server that is back")
