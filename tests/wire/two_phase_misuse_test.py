"""Calls of TwoPhaseCommitService that no coordinator makes, at one node, by hand."""
from google.protobuf import duration_pb2, timestamp_pb2
from lockstep.v1 import participant_pb2, two_phase_commit_pb2 as two_phase, value_pb2
from order_service import plain
import client
from client import CALL_SECONDS, statement
from cluster import ANY, NodeTest

TERM = 5
# The bits of a round that are its number.
NUMBER_BITS = 43
SLACK_BYTES = 48 << 20


def round_of(number, term=TERM):
    return term << NUMBER_BITS | number


class TwoPhaseMisuseTest(NodeTest):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.stub = client.two_phase_stub(cls.channel)
        cls.local = client.participant_stub(cls.channel)
        cls.number = 0
        cls.fence(wait_for_ready=True)
        cls.commit_of(cls.prepare("CREATE TABLE t(a)"))

    @classmethod
    def target(cls, **its):
        return two_phase.Target(**{"cluster_id": "wire", "node_id": "stock-1", "term": TERM, **its})

    @classmethod
    def fence(cls, wait_for_ready=False, **its):
        fields = {"target": cls.target(), "log_id": "log", "database": "stock",
                  "role": value_pb2.ROLE_MASTER, "replicas": 1, "data_format": 1, **its}
        return cls.stub.Fence(two_phase.FenceRequest(**fields), timeout=CALL_SECONDS,
                              wait_for_ready=wait_for_ready)

    @classmethod
    def prepare(cls, sql, number=None, **target):
        """The round that it prepared: the next one, if none is given."""
        if number is None:
            cls.number += 1
            number = round_of(cls.number)
        branch = two_phase.Branch(
            transaction_id="5-1", clock=timestamp_pb2.Timestamp(seconds=1), seed=1,
            operations=[two_phase.BranchOperation(statements=[statement(sql)])])
        cls.stub.Prepare(two_phase.PrepareRequest(target=cls.target(**target), round=number,
                                                  branches=[branch]), timeout=CALL_SECONDS)
        return number

    @classmethod
    def commit_of(cls, number, **target):
        cls.stub.Commit(two_phase.CommitRequest(target=cls.target(**target), round=number),
                        timeout=CALL_SECONDS)

    @classmethod
    def rollback_of(cls, number, **target):
        cls.stub.Rollback(two_phase.RollbackRequest(target=cls.target(**target), round=number),
                          timeout=CALL_SECONDS)

    @classmethod
    def report(cls):
        return cls.stub.Status(two_phase.StatusRequest(target=cls.target()),
                               timeout=CALL_SECONDS).report

    def rows(self):
        response = self.local.Query(participant_pb2.ParticipantServiceQueryRequest(
            sql="SELECT a FROM t"), timeout=CALL_SECONDS)
        return [plain(row.values[0]) for row in response.rows]

    def tearDown(self):
        self.assertTrue(self.node.is_running(), self.node.log()[-2000:])
        self.assertFalse(self.report().HasField("prepared"))
        self.assertEqual(self.rows(), [])

    def assert_says_who(self, failure):
        """Errors too have the boot id and the durable round (R22, R9)."""
        self.assertIn("lockstep-boot-id", failure.trailers)
        self.assertIn("lockstep-durable-round", failure.trailers)

    def test_a_commit_without_its_prepare_is_round_unknown(self):
        failure = self.assert_refused(lambda: self.commit_of(round_of(10_000)),
                                      "FAILED_PRECONDITION", "ROUND_UNKNOWN", node_id="stock-1",
                                      database="stock")
        self.assert_says_who(failure)

    def test_a_rollback_that_comes_first_refuses_the_prepare_behind_it(self):
        type(self).number += 1
        number = round_of(self.number)
        self.rollback_of(number)
        failure = self.assert_refused(lambda: self.prepare("INSERT INTO t VALUES (1)", number),
                                      "FAILED_PRECONDITION", "ROUND_UNKNOWN", node_id="stock-1")
        self.assert_says_who(failure)

    def test_an_older_term_is_term_outdated_in_every_call(self):
        old = round_of(1, term=TERM - 1)
        calls = (lambda: self.prepare("INSERT INTO t VALUES (1)", old, term=TERM - 1),
                 lambda: self.commit_of(old, term=TERM - 1),
                 lambda: self.rollback_of(old, term=TERM - 1),
                 lambda: self.fence(target=self.target(term=TERM - 1)),
                 lambda: self.stub.Read(two_phase.ReadRequest(
                     target=self.target(term=TERM - 1), sql="SELECT 1"), timeout=CALL_SECONDS),
                 lambda: self.stub.Status(two_phase.StatusRequest(
                     target=self.target(term=TERM - 1)), timeout=CALL_SECONDS))
        for call in calls:
            self.assert_says_who(self.assert_refused(
                call, "FAILED_PRECONDITION", "TERM_OUTDATED", node_id="stock-1",
                outcome="NOT_STARTED"))
        self.assertEqual(self.report().term, TERM)

    def test_another_cluster_or_node_is_refused_in_every_call(self):
        for its in ({"cluster_id": "another"}, {"node_id": "bank-1"}, {"cluster_id": ""}):
            path = f"target.{next(iter(its))}"
            for call in (lambda: self.prepare("INSERT INTO t VALUES (1)", **its),
                         lambda: self.commit_of(round_of(1), **its),
                         lambda: self.rollback_of(round_of(1), **its),
                         lambda: self.fence(target=self.target(**its))):
                failure = self.assert_refused(call, "INVALID_ARGUMENT", "REQUEST_INVALID",
                                              field=path)
                self.assertIn("stock-1", failure.message)

    def test_the_same_round_with_another_body_gets_the_first_ones_votes_and_runs_nothing(self):
        number = self.prepare("SELECT 1")
        self.prepare("INSERT INTO t VALUES ('another body')", number)
        self.commit_of(number)

    def test_a_second_round_beside_a_prepared_one_is_not_ready(self):
        number = self.prepare("INSERT INTO t VALUES (1)")
        self.assert_refused(lambda: self.prepare("INSERT INTO t VALUES (2)"), "UNAVAILABLE",
                            "NOT_READY", node_id="stock-1")
        self.rollback_of(number)

    def test_rounds_that_cannot_be_are_request_invalid(self):
        for number in (0, -1, -2 ** 63, 1, round_of(1, term=TERM + 1), 2 ** 63 - 1):
            self.assert_refused(lambda its=number: self.prepare("INSERT INTO t VALUES (1)", its),
                                "INVALID_ARGUMENT", "REQUEST_INVALID", field="round")
        for number in (0, -1, -2 ** 63, 2 ** 63 - 1):
            for call in (self.commit_of, self.rollback_of):
                self.assert_refused(lambda its=number, call=call: call(its), "INVALID_ARGUMENT",
                                    "REQUEST_INVALID", field="round")
        for number in (-1, -2 ** 63, 2 ** 63 - 1):
            self.assert_refused(
                lambda its=number: self.stub.Read(two_phase.ReadRequest(
                    target=self.target(), sql="SELECT 1", least_round=its), timeout=CALL_SECONDS),
                "INVALID_ARGUMENT", "REQUEST_INVALID", field="least_round")
        for term in (0, 2 ** 20, 2 ** 32 - 1):
            self.assertIn(client.failure_of(lambda its=term: self.commit_of(
                round_of(1), term=its)).reason, ("REQUEST_INVALID", "NOT_READY"))

    def test_a_cut_that_keeps_nothing_is_request_invalid(self):
        number = self.prepare("INSERT INTO t VALUES (1)")
        self.assert_refused(
            lambda: self.stub.Commit(two_phase.CommitRequest(
                target=self.target(), round=number, cut=0), timeout=CALL_SECONDS),
            "INVALID_ARGUMENT", "REQUEST_INVALID", field="cut")
        self.rollback_of(number)

    def test_a_fence_that_says_another_shape_is_refused_and_raises_no_term(self):
        higher = self.target(term=TERM + 1)
        for its in ({"role": 77}, {"role": value_pb2.ROLE_BACKUP}, {"database": "bank"},
                    {"log_id": "another"}, {"log_id": ""}, {"replicas": 0}, {"replicas": 2},
                    {"data_format": 99}):
            self.assert_refused(lambda its=its: self.fence(target=higher, **its),
                                "INVALID_ARGUMENT", "REQUEST_INVALID", field=next(iter(its)))
        self.assertEqual(self.report().term, TERM)

    def test_branches_that_mean_nothing_change_nothing(self):
        nan = value_pb2.Value(real_value=float("nan"))
        far = timestamp_pb2.Timestamp(seconds=2 ** 62, nanos=-5)
        sql = "INSERT INTO t VALUES (1)"
        wrong = {
            "no operation": two_phase.Branch(),
            "no statement": two_phase.Branch(operations=[two_phase.BranchOperation()]),
            "an empty statement": two_phase.Branch(operations=[two_phase.BranchOperation(
                operation=2 ** 32 - 1, statements=[value_pb2.Statement()])]),
            "NaN": two_phase.Branch(operations=[two_phase.BranchOperation(statements=[
                value_pb2.Statement(sql="SELECT ?", params=[nan])])]),
            "both kinds": two_phase.Branch(operations=[two_phase.BranchOperation(statements=[
                value_pb2.Statement(sql="SELECT ?", params=[nan], named_params={"a": nan})])]),
            "no time": two_phase.Branch(time_left=duration_pb2.Duration(seconds=-2 ** 62),
                                        operations=[two_phase.BranchOperation(
                                            statements=[statement(sql)])]),
            "no such year": two_phase.Branch(clock=far, operations=[two_phase.BranchOperation(
                statements=[statement(sql), statement("SELECT datetime()")])]),
        }
        for what, branch in wrong.items():
            with self.subTest(what):
                type(self).number += 1
                number = round_of(self.number)
                client.failure_of(lambda: self.stub.Prepare(two_phase.PrepareRequest(
                    target=self.target(), round=number, branches=[branch]),
                    timeout=CALL_SECONDS))
                self.rollback_of(number)

    def test_a_clock_that_is_no_time_is_request_invalid(self):
        for clock in (timestamp_pb2.Timestamp(seconds=2 ** 63 - 1),
                      timestamp_pb2.Timestamp(seconds=-2 ** 63),
                      timestamp_pb2.Timestamp(nanos=-1),
                      timestamp_pb2.Timestamp(nanos=10 ** 9)):
            type(self).number += 1
            request = two_phase.PrepareRequest(
                target=self.target(), round=round_of(self.number),
                branches=[two_phase.Branch(), two_phase.Branch(clock=clock)])
            self.assert_refused(lambda its=request: self.stub.Prepare(its, timeout=CALL_SECONDS),
                                "INVALID_ARGUMENT", "REQUEST_INVALID", field="branches[1].clock")

    def test_a_prepare_without_branches_is_request_invalid(self):
        self.assert_refused(
            lambda: self.stub.Prepare(two_phase.PrepareRequest(
                target=self.target(), round=round_of(10_001)), timeout=CALL_SECONDS),
            "INVALID_ARGUMENT", "REQUEST_INVALID", field="branches", node_id=ANY)

    def test_a_huge_request_to_a_node_is_limit_exceeded_and_leaves_no_memory_behind(self):
        huge = participant_pb2.ParticipantServiceExecuteRequest(
            statements=[statement("INSERT INTO t VALUES (?)", bytes(8 << 20))] * 8)
        before = None
        for _ in range(2):
            for _ in range(4):
                self.assert_refused(lambda: self.local.Execute(huge, timeout=CALL_SECONDS),
                                    "RESOURCE_EXHAUSTED", "LIMIT_EXCEEDED", outcome="NOT_STARTED")
            now = self.node.resident_bytes()
            if before is not None:
                self.assertLess(now, before + SLACK_BYTES)
            before = now

    def test_refused_calls_leave_no_memory_behind(self):
        large = "INSERT INTO t VALUES ('" + "x" * 90_000 + "')"
        before = None
        for _ in range(2):
            for _ in range(300):
                client.failure_of(lambda: self.prepare(large, round_of(1), term=TERM - 1))
                client.failure_of(lambda: self.commit_of(round_of(10_000)))
            now = self.node.resident_bytes()
            if before is not None:
                self.assertLess(now, before + SLACK_BYTES)
            before = now
