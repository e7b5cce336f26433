"""Streams that clients leave open."""
import threading

import client
import processes
from cluster import NodeTest

WATCH = "/grpc.health.v1.Health/Watch"
REFLECT = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
CHANNELS = 10
STREAMS = 10_000
MOST_WATCHES = 1000
MOST_REFLECTIONS = 100
# What the watches that are let in may take: 1,000 of them, and the connections.
WATCHES_BYTES = 96 << 20


class StreamsTest(NodeTest):

    SETTINGS = {"standalone": "true"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.check = cls.channel.unary_unary("/grpc.health.v1.Health/Check")
        cls.is_serving()

    @classmethod
    def is_serving(cls):
        return cls.check(b"", timeout=client.CALL_SECONDS, wait_for_ready=True) == b"\x08\x01"

    def another_channel(self):
        its = client.channel_to(self.node.address)
        self.addCleanup(its.close)
        return its

    def test_of_10_000_watches_1_000_stay_and_the_others_are_told_why(self):
        before = self.node.resident_bytes()
        channels = [self.another_channel() for _ in range(CHANNELS)]
        watches = [channels[i % CHANNELS].unary_stream(WATCH)(b"", timeout=client.CALL_SECONDS)
                   for i in range(STREAMS)]
        open_now, refused = 0, 0
        for watch in watches:
            failure = client.failure_of(lambda its=watch: next(its))
            if failure is None:
                open_now += 1
                continue
            self.assertEqual(failure.code, "RESOURCE_EXHAUSTED", str(failure))
            self.assertIn(str(MOST_WATCHES), failure.message)
            refused += 1
        # A refused one counts until it is gone, so a few less may be let in.
        self.assertLessEqual(open_now, MOST_WATCHES)
        self.assertGreater(open_now, MOST_WATCHES // 2)
        self.assertEqual(open_now + refused, STREAMS)
        self.assertLess(self.node.resident_bytes(), before + WATCHES_BYTES)
        self.assertTrue(self.is_serving())
        for watch in watches:
            watch.cancel()
        # Their places are free again.
        its = self.another_channel().unary_stream(WATCH)
        processes.eventually(lambda: client.failure_of(
            lambda: next(its(b"", timeout=client.CALL_SECONDS))) is None, what="a free place")

    def test_reflection_streams_are_bounded_too(self):
        reflect = self.another_channel().stream_stream(REFLECT)
        never = threading.Event()
        self.addCleanup(never.set)

        def silence():
            never.wait(client.CALL_SECONDS)
            yield from ()
        streams = [reflect(silence()) for _ in range(2 * MOST_REFLECTIONS)]

        def refused():
            return sum(its.done() for its in streams) >= MOST_REFLECTIONS
        processes.eventually(refused, what="100 streams that are refused")
        codes = [its.code().name for its in streams if its.done()]
        self.assertEqual(codes, ["RESOURCE_EXHAUSTED"] * MOST_REFLECTIONS)
        for its in streams:
            its.cancel()
        self.assertTrue(self.is_serving())
