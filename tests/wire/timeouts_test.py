"""What a timeout, a deadline and a client that goes away mean."""
from google.protobuf import duration_pb2
from lockstep.v1 import coordinator_pb2
import client
import processes
from client import on, transaction
from cluster import ANY, WireTest
from interposer import Gate

TEN_YEARS = 10 * 365 * 24 * 3600


class TimeoutTest(WireTest):

    CLUSTER = {"nodes": ("stock-1", "orders-1"), "interposed": ("stock-1",),
               "settings": {"default_timeout": "700ms"}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.execute(*[on(database, "CREATE TABLE t(a UNIQUE)")
                              for database in ("stock", "orders")])

    def hold(self, method="Prepare", answers=False):
        gate = Gate(answers)
        self.cluster.wait_until_delivered()
        self.cluster.interposers["stock-1"].hooks[method] = gate
        self.addCleanup(self.cluster.wait_until_ready)
        self.addCleanup(self.cluster.interposers["stock-1"].hooks.pop, method, None)
        self.addCleanup(gate.open)
        return gate

    def insert(self, key):
        return (on("stock", f"INSERT INTO t VALUES ('{key}')"),
                on("orders", f"INSERT INTO t VALUES ('{key}')"))

    def count(self, key):
        """How many rows of this key each database has."""
        return [self.cluster.rows(database, f"SELECT count(*) FROM t WHERE a = '{key}'")[0]
                for database in ("stock", "orders")]

    def outcome_of(self, **fields):
        """How a transaction ended, once it has."""
        request = coordinator_pb2.GetTransactionRequest(**fields)

        def ended():
            outcome = self.cluster.stub.GetTransaction(request, timeout=client.CALL_SECONDS).outcome
            return None if outcome == coordinator_pb2.OUTCOME_IN_PROGRESS else outcome
        return coordinator_pb2.Outcome.Name(processes.eventually(ended))

    def test_zero_and_negative_are_request_invalid(self):
        for timeout in (duration_pb2.Duration(), duration_pb2.Duration(seconds=-1),
                        duration_pb2.Duration(nanos=-1), duration_pb2.Duration(seconds=-2 ** 63)):
            self.assert_refused(
                lambda its=timeout: self.cluster.execute(*self.insert("zero"), timeout=its),
                "INVALID_ARGUMENT", "REQUEST_INVALID", field="timeout", outcome="NOT_STARTED")
            request = coordinator_pb2.QueryRequest(database="stock", sql="SELECT 1",
                                                   timeout=timeout)
            self.assert_refused(lambda its=request: self.cluster.stub.Query(its),
                                "INVALID_ARGUMENT", "REQUEST_INVALID", field="timeout")
        self.assertEqual(self.count("zero"), [0, 0])

    def test_ten_years_are_limit_exceeded_with_both_times(self):
        for seconds in (TEN_YEARS, 61, 2 ** 63 - 1):
            failure = self.assert_refused(
                lambda its=seconds: self.cluster.execute(
                    *self.insert("years"), timeout=duration_pb2.Duration(seconds=its)),
                "RESOURCE_EXHAUSTED", "LIMIT_EXCEEDED", outcome="NOT_STARTED")
            self.assertIn("limit of 1m (max_timeout)", failure.message)
        self.assertEqual(self.count("years"), [0, 0])

    def test_one_millisecond_is_committed_or_aborted_and_the_answer_is_true(self):
        for i in range(20):
            key = f"one ms {i}"
            failure = client.failure_of(lambda its=key: self.cluster.execute(
                *self.insert(its), timeout=duration_pb2.Duration(nanos=1_000_000)))
            if failure is not None:
                self.assert_is(failure, "DEADLINE_EXCEEDED", "TIMEOUT", outcome="ABORTED")
            self.assertEqual(self.count(key), [0, 0] if failure else [1, 1], str(failure))

    def test_a_deadline_of_ten_years_is_as_none(self):
        self.cluster.stub.Execute(transaction(*self.insert("deadline")), timeout=TEN_YEARS)
        self.assertEqual(self.count("deadline"), [1, 1])

    def test_without_a_timeout_or_deadline_the_default_counts(self):
        gate = self.hold()
        first = self.cluster.begin(on("stock", "SELECT 1"))
        gate.wait()
        failure = client.failure_of(
            lambda: self.cluster.stub.Execute(transaction(*self.insert("default"))))
        self.assert_is(failure, "DEADLINE_EXCEEDED", "TIMEOUT", outcome="ABORTED",
                       transaction_id=ANY)
        self.assertIn("700ms", failure.message)
        gate.open()
        client.failure_of(first.result)
        self.assertEqual(self.count("default"), [0, 0])

    def test_what_is_not_in_a_round_leaves_the_queue_and_what_is_in_one_is_decided(self):
        gate = self.hold()
        its_round = self.cluster.begin(*self.insert("in a round"),
                                       timeout=duration_pb2.Duration(seconds=20))
        gate.wait()
        self.assert_refused(
            lambda: self.cluster.execute(*self.insert("queued"),
                                         timeout=duration_pb2.Duration(nanos=50_000_000)),
            "DEADLINE_EXCEEDED", "TIMEOUT", outcome="ABORTED", transaction_id=ANY)
        self.assertEqual(self.cluster.status().queue_length, 0)
        gate.open()
        its_round.result()
        self.assertEqual(self.count("in a round"), [1, 1])
        self.assertEqual(self.count("queued"), [0, 0])

    def test_a_round_whose_time_ends_before_its_votes_is_aborted_everywhere(self):
        gate = self.hold(answers=True)
        self.assert_refused(
            lambda: self.cluster.execute(*self.insert("late vote"),
                                         timeout=duration_pb2.Duration(nanos=200_000_000)),
            "UNAVAILABLE", "PARTICIPANT_UNAVAILABLE", outcome="ABORTED", node_id="stock-1")
        gate.open()
        self.cluster.wait_until_ready()
        self.assertEqual(self.count("late vote"), [0, 0])

    def test_a_client_that_goes_away_changes_nothing_about_what_is_in_a_round(self):
        gate = self.hold()
        call = self.cluster.begin(*self.insert("gone"), request_id="gone",
                                  timeout=duration_pb2.Duration(seconds=20))
        gate.wait()
        call.cancel()
        gate.open()
        self.assertEqual(self.outcome_of(request_id="gone"), "OUTCOME_COMMITTED")
        self.assertEqual(self.count("gone"), [1, 1])

    def test_a_client_that_goes_away_after_the_decision_changes_nothing(self):
        gate = self.hold("Commit")
        call = self.cluster.begin(*self.insert("decided"), request_id="decided")
        gate.wait()
        call.cancel()
        gate.open()
        self.assertEqual(self.outcome_of(request_id="decided"), "OUTCOME_COMMITTED")
        self.assertEqual(self.count("decided"), [1, 1])

    def test_a_deadline_that_has_passed_at_the_client_is_told_by_the_outcome(self):
        gate = self.hold()
        request = transaction(*self.insert("deadline passed"), request_id="passed",
                              timeout=duration_pb2.Duration(seconds=20))
        self.assertEqual(client.failure_of(
            lambda: self.cluster.stub.Execute(request, timeout=0.3)).code, "DEADLINE_EXCEEDED")
        gate.open()
        outcome = self.outcome_of(request_id="passed")
        self.assertEqual(self.count("deadline passed"),
                         [1, 1] if outcome == "OUTCOME_COMMITTED" else [0, 0])
