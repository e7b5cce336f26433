"""A participant's address that passes each call on to it, unless a test does something else."""
import concurrent.futures
import functools
import threading

import grpc

import client

# Calls that may be held at once; others wait behind them.
MOST_HELD = 64
# A test that forgets to open a gate fails by then instead of hanging.
LONGEST_HOLD_SECONDS = 60


class Interposer(grpc.GenericRpcHandler):
    """`hooks["Prepare"]` is called as hook(request, forward) with the request's bytes, and returns
    the answer's: forward(request) asks the participant. A method without a hook is passed on."""

    def __init__(self, port, target):
        self.hooks = {}
        self.address = f"127.0.0.1:{port}"
        self._channel = client.channel_to(target)
        self._server = grpc.server(
            concurrent.futures.ThreadPoolExecutor(MOST_HELD), handlers=(self,), options=[
                # The coordinator's keepalive is no attack.
                ("grpc.http2.min_ping_interval_without_data_ms", 1000),
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 1000),
                ("grpc.http2.max_ping_strikes", 0), ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)])
        self._server.add_insecure_port(self.address)
        self._server.start()

    def stop(self):
        for hook in self.hooks.values():
            if isinstance(hook, Gate):
                hook.open()
        self._server.stop(None).wait()
        self._channel.close()

    def service(self, handler_call_details):
        return grpc.unary_unary_rpc_method_handler(
            functools.partial(self._answer, handler_call_details.method))

    def _answer(self, method, request, context):
        forward = functools.partial(self._forward, method, context)
        hook = self.hooks.get(method.rpartition("/")[2])
        return hook(request, forward) if hook else forward(request)

    def _forward(self, method, context, request):
        try:
            response, call = self._channel.unary_unary(method).with_call(
                request, timeout=context.time_remaining())
        except grpc.RpcError as error:
            context.set_trailing_metadata(error.trailing_metadata() or ())
            context.abort(error.code(), error.details())
        context.set_trailing_metadata(call.trailing_metadata())
        return response


class Gate:
    """A hook that holds calls until it is opened: on their way there or, with `answers`, back."""

    def __init__(self, answers=False):
        self._answers = answers
        self._opened = threading.Event()
        self.arrived = threading.Event()

    def __call__(self, request, forward):
        if self._answers:
            response = forward(request)
            self._hold()
            return response
        self._hold()
        return forward(request)

    def _hold(self):
        self.arrived.set()
        self._opened.wait(LONGEST_HOLD_SECONDS)

    def wait(self):
        """Until a call is held."""
        if not self.arrived.wait(client.CALL_SECONDS):
            raise AssertionError("no call arrived at the gate")

    def open(self):
        self._opened.set()
