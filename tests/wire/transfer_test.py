"""Money that is not there does not move: a guard ends the transaction everywhere."""
from lockstep.v1 import participant_pb2
from order_service import plain
from client import CALL_SECONDS, on, statement
from cluster import WireTest

CREATE = "CREATE TABLE account(owner TEXT PRIMARY KEY, coins INTEGER)"


class TransferTest(WireTest):

    NODES = ("bank-1", "bank-2", "stock-1")
    CLUSTER = {"nodes": NODES}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.execute(*[on(database, CREATE, "INSERT INTO account VALUES ('Anna', 100)")
                              for database in ("bank", "stock")])

    def transfer(self, coins):
        """From Anna's account at the bank to hers in the stock, credited first."""
        return self.cluster.execute(
            on("stock", statement("UPDATE account SET coins = coins + ?", coins)),
            on("bank", statement("UPDATE account SET coins = coins - ? WHERE coins >= ?", coins,
                                 coins, rows=1)))

    def coins(self):
        """On every node by itself, once nothing is on its way any more."""
        self.cluster.wait_until_delivered()
        request = participant_pb2.ParticipantServiceQueryRequest(sql="SELECT coins FROM account")
        return [plain(self.cluster.local(node).Query(request, timeout=CALL_SECONDS)
                      .rows[0].values[0]) for node in self.NODES]

    def test_a_transfer_that_would_overdraw_aborts_everywhere(self):
        self.assertEqual(self.coins(), [100, 100, 100])
        self.assert_refused(lambda: self.transfer(101), "FAILED_PRECONDITION", "GUARD_FAILED",
                            outcome="ABORTED", database="bank", expected_rows="1",
                            actual_rows="0")
        self.assertEqual(self.coins(), [100, 100, 100])
        self.transfer(100)
        self.assertEqual(self.coins(), [0, 0, 200])
