"""A small order service on Lockstep: an order pays from a wallet and is recorded, both or neither."""

import datetime
import os
import sys
import time

import grpc

from google.rpc import error_details_pb2, status_pb2
from lockstep.v1 import coordinator_pb2, coordinator_pb2_grpc, value_pb2

SERVICE_CONFIG = os.path.join(os.path.dirname(__file__), "..", "service_config.json")
CALL_SECONDS = 10
MOST_ATTEMPTS = 20


def value(its):
    """A Python value as Lockstep's, by its type; None is NULL."""
    if its is None:
        return value_pb2.Value()
    if isinstance(its, int):
        return value_pb2.Value(int_value=its)
    if isinstance(its, float):
        return value_pb2.Value(real_value=its)
    if isinstance(its, bytes):
        return value_pb2.Value(blob_value=its)
    return value_pb2.Value(text_value=its)


def plain(its):
    """The other way."""
    kind = its.WhichOneof("kind")
    return None if kind is None else getattr(its, kind)


def statement(sql, *params, rows=None):
    """One statement; `rows` is the guard: how many rows it has to affect or return."""
    made = value_pb2.Statement(sql=sql, params=[value(its) for its in params])
    if rows is not None:
        made.expect.rows = rows
    return made


def operation(database, *statements):
    return coordinator_pb2.Operation(database=database, statements=statements)


class Refused(Exception):
    """Nothing happened, and the same request would not do better."""

    def __init__(self, info, message):
        super().__init__(message)
        self.reason = info.reason
        self.metadata = dict(info.metadata)


def details_of(error):
    """The ErrorInfo of a failed call and the pause before a retry in seconds; None for what is not
    there. Without an ErrorInfo the error is not Lockstep's: a lost connection, a client's deadline."""
    info, pause = None, None
    for key, packed in error.trailing_metadata() or ():
        if key != "grpc-status-details-bin":
            continue
        for detail in status_pb2.Status.FromString(packed).details:
            if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
                info = error_details_pb2.ErrorInfo()
                detail.Unpack(info)
            elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
                retry = error_details_pb2.RetryInfo()
                detail.Unpack(retry)
                pause = retry.retry_delay.ToTimedelta() / datetime.timedelta(seconds=1)
    return info, pause


class Orders:
    def __init__(self, channel):
        self.stub = coordinator_pb2_grpc.CoordinatorServiceStub(channel)

    def execute(self, request, first_attempt=1):
        """Runs a request that has a request_id, once, however often it has to be sent."""
        for attempt in range(first_attempt, first_attempt + MOST_ATTEMPTS):
            request.attempt = attempt
            try:
                return self.stub.Execute(request, timeout=CALL_SECONDS)
            except grpc.RpcError as error:
                info, pause = details_of(error)
                if info is not None and info.metadata["outcome"] != "UNKNOWN" and pause is None:
                    raise Refused(info, error.details()) from error
            # Aborted and worth a retry, or unknown: request_id makes sending it again safe, and
            # attempt keeps the try before from happening after this one was answered.
            time.sleep(pause or 0.1)
        raise TimeoutError(f"{request.request_id} is not decided after {MOST_ATTEMPTS} attempts")

    def resolve(self, request_id, attempt):
        """How a request ended, without sending it again: committed (True), aborted (False), or not
        known here (None), which does not mean aborted. No lower attempt can happen after that."""
        asked = coordinator_pb2.GetTransactionRequest(request_id=request_id, attempt=attempt)
        while True:
            try:
                outcome = self.stub.GetTransaction(asked, timeout=CALL_SECONDS).outcome
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.NOT_FOUND:
                    raise
                return None
            if outcome != coordinator_pb2.OUTCOME_IN_PROGRESS:
                return outcome == coordinator_pb2.OUTCOME_COMMITTED
            time.sleep(0.05)

    def query(self, database, sql, *params):
        request = coordinator_pb2.QueryRequest(
            database=database, sql=sql, params=[value(its) for its in params])
        answer = self.stub.Query(request, timeout=CALL_SECONDS)
        return [[plain(its) for its in row.values] for row in answer.rows]

    def set_up(self):
        self.execute(coordinator_pb2.ExecuteRequest(request_id="python-set-up-1", operations=[
            operation(
                "bank",
                statement("CREATE TABLE IF NOT EXISTS py_wallet(owner TEXT PRIMARY KEY, coins INTEGER,"
                          " rate REAL, photo BLOB, note TEXT)"),
                statement("INSERT INTO py_wallet VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                          "Anna", 100, 0.5, b"\x00\xff", None)),
            operation(
                "orders",
                statement("CREATE TABLE IF NOT EXISTS py_invoice(id TEXT PRIMARY KEY, owner TEXT,"
                          " coins INTEGER)"))]))

    def order_request(self, order, owner, coins):
        return coordinator_pb2.ExecuteRequest(request_id=f"python-order-{order}", operations=[
            operation(
                "bank",
                # The guard: a wallet that has too little is not found.
                statement("UPDATE py_wallet SET coins = coins - ? WHERE owner = ? AND coins >= ?"
                          " RETURNING coins", coins, owner, coins, rows=1)),
            operation(
                "orders",
                statement("INSERT INTO py_invoice VALUES (?, ?, ?)", order, owner, coins))])

    def place(self, order, owner, coins):
        """Returns what is left in the wallet, and whether the order had been placed before."""
        answer = self.execute(self.order_request(order, owner, coins))
        return plain(answer.results[0].statements[0].rows[0].values[0]), answer.deduplicated

    def place_hastily(self, order, owner, coins):
        """Gives up at once, and then finds out what became of it."""
        request = self.order_request(order, owner, coins)
        request.attempt = 1
        try:
            self.stub.Execute(request, timeout=0.001)
            return True
        except grpc.RpcError:
            happened = self.resolve(request.request_id, attempt=2)
        if happened is None:
            # It never arrived, or is older than what the coordinator keeps: its request_id tells.
            self.execute(request, first_attempt=2)
            happened = True
        return happened


def main(endpoint):
    with open(SERVICE_CONFIG, encoding="utf-8") as config:
        options = [("grpc.service_config", config.read()), ("grpc.enable_http_proxy", 0)]
    with grpc.insecure_channel(endpoint, options) as channel:
        orders = Orders(channel)
        orders.set_up()
        print("values:", orders.query("bank", "SELECT * FROM py_wallet WHERE owner = ?", "Anna")[0])
        print("order 1: %d coins left, placed before: %s" % orders.place("1", "Anna", 30))
        print("order 1: %d coins left, placed before: %s" % orders.place("1", "Anna", 30))
        try:
            orders.place("2", "Anna", 500)
        except Refused as refused:
            print("order 2: refused,", refused.reason, "wanted", refused.metadata["expected_rows"],
                  "row, found", refused.metadata["actual_rows"])
        happened = orders.place_hastily("3", "Anna", 5)
        print("order 3: resolved, placed:", happened)
        coins = orders.query("bank", "SELECT coins FROM py_wallet WHERE owner = 'Anna'")[0][0]
        spent = orders.query("orders", "SELECT sum(coins) FROM py_invoice")[0][0]
        print("wallet and invoices agree:", coins + spent == 100)
        return 0 if coins + spent == 100 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:7400"))
