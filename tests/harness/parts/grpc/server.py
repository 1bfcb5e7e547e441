"""A gRPC server that tells what it saw. Messages are plain bytes, so that nothing needs generated code.

Listens on the port that it is told, any when that is 0. Prints its ports, a line of JSON: `{"plain": 1234, "tls": 1235}`; the second only when it got a certificate and a key.
"""

import asyncio
import contextlib
import json
import sys

import authorizer
import grpc

# What calls came to that wait: by the metadata `call`, `waits` or `cancelled`.
ENDED = {}
# Metadata and time left of the last call, by method.
SEEN = {}
# Calls of `Chat` that are open now, and the most there were.
OPEN = {"now": 0, "most": 0}
# What checks are told: 1 for serving, 2 for not.
HEALTH = {"status": 1}


def look(method, context):
    """Notes what came with a call, and gives it as a dictionary."""
    metadata = {key: value.hex() if isinstance(value, bytes) else value for key, value in context.invocation_metadata()}
    left = context.time_remaining()
    SEEN[method] = {"metadata": metadata, "left": left}
    return metadata


async def fail(metadata, context):
    """Ends a call with a status when it is told to."""
    code = int(metadata.get("fail-with", "0"))
    if code:
        status = next(status for status in grpc.StatusCode if status.value[0] == code)
        await context.abort(status, "as it was told: 50 % of ü")


async def unary(request, context):
    metadata = look("Unary", context)
    await context.send_initial_metadata((("served-by", "python"), ("initial-bin", b"\x00\xff")))
    context.set_trailing_metadata((("served", "1"), ("trailing-bin", b"\x01\xfe"), ("x-jwt-assertion", "secret")))
    await fail(metadata, context)
    return request


@contextlib.contextmanager
def noted(metadata):
    """Notes that a call which waits for ever was called off, wherever that meets it."""
    try:
        yield
    finally:
        if "then-wait" in metadata:
            ENDED[metadata.get("call", "")] = "cancelled"


async def forever(metadata):
    ENDED[metadata.get("call", "")] = "waits"
    await asyncio.Event().wait()


async def wait(_, context):
    """Never answers."""
    metadata = look("Wait", context) | {"then-wait": ""}
    with noted(metadata):
        await forever(metadata)


async def count(request, context):
    """As many messages as the request says, each of as many bytes; then waits when it is told to."""
    metadata = look("Count", context)
    number, size = (int(word) for word in request.split())
    with noted(metadata):
        for _ in range(number):
            yield bytes(size)
        if "then-wait" in metadata:
            await forever(metadata)


async def total(requests, context):
    await fail(look("Total", context), context)
    number = size = 0
    async for request in requests:
        number, size = number + 1, size + len(request)
    return b"%d %d" % (number, size)


async def chat(requests, context):
    """Answers each message by itself; waits after the first when it is told to."""
    metadata = look("Chat", context)
    OPEN["now"] += 1
    OPEN["most"] = max(OPEN["most"], OPEN["now"])
    try:
        with noted(metadata):
            async for request in requests:
                yield request
                if "then-wait" in metadata:
                    await forever(metadata)
    finally:
        OPEN["now"] -= 1


async def check(request, context):
    """`grpc.health.v1.Health/Check`: the server as a whole and `demo.Echo` are what `Turn` said last, everything else is unknown."""
    service = request[2:].decode()
    if service not in ("", "demo.Echo"):
        await context.abort(grpc.StatusCode.NOT_FOUND, "there is no such service")
    return bytes([8, HEALTH["status"]])


async def turn(request, _):
    """Makes the server well (1) or ill (2)."""
    HEALTH["status"] = int(request)
    return request


async def seen(_, __):
    """What happened so far; tests ask for it directly."""
    return json.dumps({"seen": SEEN, "ended": ENDED, "most": OPEN["most"]}).encode()


OPTIONS = [
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", 8 << 20),
    # Of a burst, it would refuse at random what is over a thousand.
    ("grpc.server.max_pending_requests", 100_000),
    ("grpc.server.max_pending_requests_hard_limit", 100_000),
]


def handler(service):
    return grpc.method_handlers_generic_handler(
        service,
        {
            "Unary": grpc.unary_unary_rpc_method_handler(unary),
            "Wait": grpc.unary_unary_rpc_method_handler(wait),
            "Count": grpc.unary_stream_rpc_method_handler(count),
            "Total": grpc.stream_unary_rpc_method_handler(total),
            "Chat": grpc.stream_stream_rpc_method_handler(chat),
            "Seen": grpc.unary_unary_rpc_method_handler(seen),
            "Turn": grpc.unary_unary_rpc_method_handler(turn),
        },
    )


def health():
    return grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": grpc.unary_unary_rpc_method_handler(check)})


async def main(port, certificate=None, key=None):
    server = grpc.aio.server(options=OPTIONS)
    server.add_generic_rpc_handlers((handler("demo.Echo"), handler("demo.Other"), health(), authorizer.handler()))
    ports = {"plain": server.add_insecure_port(f"127.0.0.1:{port}")}
    if certificate:
        with open(key, "rb") as private, open(certificate, "rb") as chain:
            credentials = grpc.ssl_server_credentials([(private.read(), chain.read())])
        ports["tls"] = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    print(json.dumps(ports), flush=True)
    await server.wait_for_termination()


asyncio.run(main(*sys.argv[1:]))
