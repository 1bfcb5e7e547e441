"""Makes the calls that it reads from standard input, all at the same time, and prints what became of each.

The question: `{"target": "127.0.0.1:1", "ca": "path or null", "name": "localhost", "channels": 1, "compress": false, "calls": [...]}`; a
call has `method` and `kind`, and may have `messages` (texts, or numbers of zero bytes), `metadata`, `timeout` in seconds, `pause` between
messages, `hold` (seconds between the last message and the end of the requests), `cancel_after` messages received, and `times`. A call with `gather`
sends its second message when so many calls have their first answer.
"""

import asyncio
import json
import sys
import time

import grpc

OPTIONS = [
    ("grpc.max_receive_message_length", 8 << 20),
    ("grpc.max_send_message_length", 8 << 20),
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),
]


def plain(metadata):
    return [[key, value.hex() if isinstance(value, bytes) else value] for key, value in metadata or ()]


def message(wanted):
    return bytes(wanted) if isinstance(wanted, int) else wanted.encode()


class Gathering:
    """A crowd that goes on when it is complete."""

    def __init__(self):
        self.number = 0
        self.complete = asyncio.Event()

    def come(self, wanted):
        self.number += 1
        if self.number >= wanted:
            self.complete.set()


async def requests(call, gathering):
    for number, wanted in enumerate(call["messages"]):
        if number and call.get("pause"):
            await asyncio.sleep(call["pause"])
        if number == 1 and call.get("gather"):
            await gathering.complete.wait()
        yield message(wanted)
    if call.get("hold"):
        await asyncio.sleep(call["hold"])


def begin(channel, call, metadata, gathering):
    timeout = call.get("timeout")
    method, kind = call["method"], call["kind"]
    if kind == "unary":
        return channel.unary_unary(method)(message(call["messages"][0]), timeout=timeout, metadata=metadata)
    if kind == "server":
        return channel.unary_stream(method)(message(call["messages"][0]), timeout=timeout, metadata=metadata)
    if kind == "client":
        return channel.stream_unary(method)(requests(call, gathering), timeout=timeout, metadata=metadata)
    return channel.stream_stream(method)(requests(call, gathering), timeout=timeout, metadata=metadata)


async def make(channel, call, gathering):
    pairs = ((key, bytes.fromhex(value) if key.endswith("-bin") else value) for key, value in call.get("metadata", ()))
    begun = time.monotonic()
    running = begin(channel, call, tuple(pairs), gathering)
    got = []
    try:
        if call["kind"] in ("unary", "client"):
            got.append(await running)
        else:
            async for answer in running:
                got.append(answer)
                if len(got) == 1 and call.get("gather"):
                    gathering.come(call["gather"])
                if len(got) == call.get("cancel_after"):
                    running.cancel()
    except (grpc.aio.AioRpcError, asyncio.CancelledError):
        pass
    code = await running.code()
    return {
        "status": code.value[0],
        "details": await running.details() or "",
        "initial": plain(await running.initial_metadata()) if code.value[0] != 1 else [],
        "trailing": plain(await running.trailing_metadata()) if code.value[0] != 1 else [],
        "messages": [one.decode() if 0 < len(one) < 4096 and one.strip(b"\0") else len(one) for one in got],
        "seconds": time.monotonic() - begun,
    }


async def main(question):
    options = list(OPTIONS)
    target, ca = question["target"], question.get("ca")
    compression = grpc.Compression.Gzip if question.get("compress") else None
    if ca:
        options.append(("grpc.ssl_target_name_override", question.get("name", "localhost")))
        with open(ca, "rb") as roots:
            credentials = grpc.ssl_channel_credentials(roots.read())

        def channel():
            return grpc.aio.secure_channel(target, credentials, options=options, compression=compression)
    else:

        def channel():
            return grpc.aio.insecure_channel(target, options=options, compression=compression)

    channels = [channel() for _ in range(question.get("channels", 1))]
    calls = [call for call in question["calls"] for _ in range(call.get("times", 1))]
    gathering = Gathering()
    made = [make(channels[number % len(channels)], call, gathering) for number, call in enumerate(calls)]
    print(json.dumps(await asyncio.gather(*made)))
    for one in channels:
        await one.close()


asyncio.run(main(json.load(sys.stdin)))
