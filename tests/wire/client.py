"""What a client needs: stubs, and the details of errors."""
import grpc
from google.rpc import error_details_pb2, status_pb2
from lockstep.v1 import (coordinator_pb2, coordinator_pb2_grpc, participant_pb2_grpc,
                         two_phase_commit_pb2_grpc)
from order_service import operation, statement

# A call that takes longer has failed: no test waits for ever.
CALL_SECONDS = 30
RECONNECT_MS = 100


def channel_to(address):
    """A connection of its own, without a limit on what is sent or received."""
    return grpc.insecure_channel(address, options=[
        ("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1),
        ("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1),
        # Servers come and go here: look for them often.
        ("grpc.initial_reconnect_backoff_ms", RECONNECT_MS),
        ("grpc.min_reconnect_backoff_ms", RECONNECT_MS),
        ("grpc.max_reconnect_backoff_ms", RECONNECT_MS)])


def coordinator_stub(channel):
    return coordinator_pb2_grpc.CoordinatorServiceStub(channel)


def participant_stub(channel):
    return participant_pb2_grpc.ParticipantServiceStub(channel)


def two_phase_stub(channel):
    return two_phase_commit_pb2_grpc.TwoPhaseCommitServiceStub(channel)


def on(database, *statements):
    """An operation; a statement may be its SQL alone."""
    return operation(database, *[statement(its) if isinstance(its, str) else its
                                 for its in statements])


def transaction(*operations, **fields):
    """A request for Execute."""
    return coordinator_pb2.ExecuteRequest(operations=operations, **fields)


class Failure:
    """A failed call: its code, and what stands in its details."""

    def __init__(self, error):
        self.code = error.code().name
        self.message = error.details()
        self.reason, self.domain, self.metadata = "", "", {}
        self.field, self.retry_seconds = None, None
        self.trailers = dict(error.trailing_metadata() or ())
        self.details = self.trailers.get("grpc-status-details-bin", b"")
        for detail in status_pb2.Status.FromString(self.details).details:
            self._take(detail)

    def _take(self, detail):
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = error_details_pb2.ErrorInfo.FromString(detail.value)
            self.reason, self.domain = info.reason, info.domain
            self.metadata = dict(info.metadata)
        elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            bad = error_details_pb2.BadRequest.FromString(detail.value)
            self.field = bad.field_violations[0].field
        elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            delay = error_details_pb2.RetryInfo.FromString(detail.value).retry_delay
            self.retry_seconds = delay.seconds + delay.nanos / 1e9

    def __str__(self):
        return (f"{self.code} {self.reason} {self.metadata} field={self.field} "
                f"retry={self.retry_seconds}: {self.message}")


def failure_of(call):
    """What `call` fails with; None if it does not."""
    try:
        call()
    except grpc.RpcError as error:
        return Failure(error)
    return None
