"""Requests whose bytes were changed at random: each is answered, and the servers live on."""
import os
import random
import time

from google.protobuf import duration_pb2, timestamp_pb2
from lockstep.v1 import coordinator_pb2, participant_pb2, two_phase_commit_pb2, value_pb2
import client
import processes
from client import CALL_SECONDS, on, statement, transaction
from cluster import NodeTest, WireTest

SECONDS = float(os.environ.get("LOCKSTEP_FUZZ_SECONDS") or 3)


def requests():
    """One whole request of each method that clients may call."""
    insert = value_pb2.Statement(sql="INSERT INTO t VALUES (:a, :b)", named_params={
        "a": value_pb2.Value(int_value=1), "b": value_pb2.Value(blob_value=b"b")})
    insert.expect.rows = 1
    coordinator = "/lockstep.v1.CoordinatorService/"
    node = "/lockstep.v1.ParticipantService/"
    yield coordinator + "Execute", transaction(
        on("bank", insert, statement("SELECT ?, ?, ?", 1, 2.5, "three")), on("stock", "SELECT 1"),
        request_id="fuzz", attempt=1, timeout=duration_pb2.Duration(seconds=1),
        expire_time=timestamp_pb2.Timestamp(seconds=int(time.time()) + 1000))
    yield coordinator + "Query", coordinator_pb2.QueryRequest(
        database="bank", sql="SELECT a FROM t WHERE a = ?", params=[value_pb2.Value(int_value=1)],
        min_version=1, timeout=duration_pb2.Duration(nanos=1_000_000))
    yield coordinator + "GetTransaction", coordinator_pb2.GetTransactionRequest(
        transaction_id="1-1")
    yield coordinator + "GetTransaction", coordinator_pb2.GetTransactionRequest(
        request_id="fuzz", attempt=2)
    yield coordinator + "GetTableVersion", coordinator_pb2.GetTableVersionRequest(
        database="bank", table="t")
    yield coordinator + "GetClusterStatus", coordinator_pb2.GetClusterStatusRequest()
    yield node + "Execute", participant_pb2.ParticipantServiceExecuteRequest(
        statements=[insert], timeout=duration_pb2.Duration(seconds=1))
    yield node + "Query", participant_pb2.ParticipantServiceQueryRequest(
        sql="SELECT :a", named_params={"a": value_pb2.Value(text_value="x")}, min_version=1,
        timeout=duration_pb2.Duration(nanos=1_000_000))
    yield node + "GetVersion", participant_pb2.GetVersionRequest(table="t")
    yield node + "CheckHealth", participant_pb2.CheckHealthRequest()
    # Those of TwoPhaseCommitService that change no term: a Fence would end the coordinator.
    target = two_phase_commit_pb2.Target(cluster_id="wire", node_id="stock-1", term=1)
    two_phase = "/lockstep.v1.TwoPhaseCommitService/"
    yield two_phase + "Status", two_phase_commit_pb2.StatusRequest(target=target)
    yield two_phase + "Read", two_phase_commit_pb2.ReadRequest(
        target=target, sql="SELECT 1", least_round=1, version_of_table="t",
        timeout=duration_pb2.Duration(nanos=1_000_000))
    yield two_phase + "Prepare", two_phase_commit_pb2.PrepareRequest(
        target=two_phase_commit_pb2.Target(cluster_id="wire", node_id="bank-1", term=1), round=5)


def changed(its, chance):
    """The bytes with one to four changes."""
    its = bytearray(its)
    for _ in range(chance.randint(1, 4)):
        place = chance.randint(0, len(its))
        kind = chance.randint(0, 3)
        if kind == 0 and its:
            its[place % len(its)] = chance.randint(0, 255)
        elif kind == 1:
            its[place:place] = chance.randbytes(chance.randint(1, 8))
        elif kind == 2:
            del its[place:place + chance.randint(1, 8)]
        else:
            its += its[place:place + 200]
    return bytes(its)


def two_phase_requests(term, number):
    """Calls of a coordinator of this term about the round of this number."""
    its = two_phase_commit_pb2
    target = its.Target(cluster_id="wire", node_id="stock-1", term=term)
    its_round = term << 43 | number
    branch = its.Branch(
        transaction_id="5-1", seed=7, clock=timestamp_pb2.Timestamp(seconds=1_000_000_000),
        time_left=duration_pb2.Duration(seconds=1), operations=[its.BranchOperation(
            statements=[statement("INSERT INTO t VALUES (?, random(), datetime())", 1)])])
    return [("Prepare", its.PrepareRequest(target=target, round=its_round, want_rows=True,
                                           branches=[branch] * 3)),
            ("Commit", its.CommitRequest(target=target, round=its_round, cut=2)),
            ("Rollback", its.RollbackRequest(target=target, round=its_round)),
            ("Read", its.ReadRequest(target=target, sql="SELECT count(*) FROM t")),
            ("Fence", its.FenceRequest(target=target, log_id="log", database="stock", role=1,
                                       replicas=1, data_format=1, boot_id=1,
                                       earlier_boot_ids=range(1, term)))]


def seeded(test):
    """Random numbers of a seed, the one that LOCKSTEP_SEED gives if it does."""
    seed = int(os.environ.get("LOCKSTEP_SEED") or random.SystemRandom().randrange(2 ** 32))
    test.repeat_with = f"LOCKSTEP_SEED={seed} "
    return random.Random(seed)


class FuzzTest(WireTest):

    CLUSTER = {"nodes": ("bank-1", "bank-2", "stock-1")}

    def test_whatever_comes_is_answered_and_every_server_lives_on(self):
        chance = seeded(self)
        self.cluster.execute(*[on(database, "CREATE TABLE t(a, b, version)")
                               for database in ("bank", "stock")])
        whole = [(method, its.SerializeToString()) for method, its in requests()]
        sent, deadline = 0, time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            method, request = chance.choice(whole)
            server = (self.cluster.coordinator if "Coordinator" in method
                      else self.cluster.nodes["stock-1"])
            call = self.cluster.channel(server).unary_unary(method)
            request = changed(request, chance)
            failure = client.failure_of(lambda: call(request, timeout=CALL_SECONDS))
            where = f"call {sent} of {method}: {request.hex()}"
            if failure is not None and failure.code != "INTERNAL":  # gRPC's: bytes of no message
                self.assertTrue(failure.reason, f"{where}: {failure}")
                self.assertTrue(failure.code != "UNAVAILABLE" or failure.reason == "NOT_READY",
                                f"{where}: {failure}")
            sent += 1
        self.assertGreater(sent, 500)
        for server in self.cluster.servers:
            self.assertTrue(server.is_running(), server.log()[-2000:])
        self.cluster.wait_until_ready()
        self.cluster.execute(on("bank", "SELECT 1"), on("stock", "SELECT 1"))


class TwoPhaseFuzzTest(NodeTest):
    """A node without a coordinator: that would end at the first odd Fence."""

    SETTINGS = {"standalone": "true"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        client.participant_stub(cls.channel).Execute(
            participant_pb2.ParticipantServiceExecuteRequest(
                statements=[statement("CREATE TABLE t(a, b, c)")]),
            timeout=CALL_SECONDS, wait_for_ready=True)

    def report(self):
        """What the node says of itself, whatever term it has."""
        target = two_phase_commit_pb2.Target(cluster_id="wire", node_id="stock-1", term=2 ** 32 - 1)
        return client.two_phase_stub(self.channel).Status(
            two_phase_commit_pb2.StatusRequest(target=target), timeout=CALL_SECONDS).report

    def test_whatever_comes_to_two_phase_commit_a_node_lives_on_and_starts_again(self):
        chance = seeded(self)
        sent, deadline = 0, time.monotonic() + SECONDS
        rounds = 0
        while time.monotonic() < deadline:
            rounds += 1
            report = self.report()
            # A round that is held is ended first, as by a coordinator.
            number = (report.prepared.round if report.HasField("prepared")
                      else max(report.applied_round, report.tombstone)) & (1 << 43) - 1
            for method, whole in two_phase_requests(max(report.term, 1), number + rounds % 3):
                request = whole.SerializeToString()
                if chance.random() < 0.5:
                    request = changed(request, chance)
                call = self.channel.unary_unary(f"/lockstep.v1.TwoPhaseCommitService/{method}")
                failure = client.failure_of(lambda: call(request, timeout=CALL_SECONDS))
                where = f"call {sent} of {method}: {request.hex()}"
                self.assertTrue(self.node.is_running(), f"{where}: {self.node.log()[-2000:]}")
                if failure is not None and failure.code != "INTERNAL":
                    self.assertTrue(failure.reason, f"{where}: {failure}")
                sent += 1
        self.assertGreater(self.report().applied_round, 0)
        before = self.report()
        self.node.kill()
        self.node.start()
        after = processes.eventually(
            lambda: client.failure_of(self.report) is None and self.report(),
            what="a node that is back")
        self.assertEqual(after.term, before.term)
        self.assertGreaterEqual(after.applied_round, before.durable_round)
