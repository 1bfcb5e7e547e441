"""Clients that ask and take nothing, and clients that send what means nothing: HTTP/1 and HTTP/2 by hand."""

import select
import socket
import struct
import time

from .machine import Failed

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, PRIORITY, SETTINGS, PING, WINDOW_UPDATE = 1, 2, 4, 6, 8
INITIAL_WINDOW_SIZE = 4


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def literal(name, value):
    """RFC 7541 §6.2.2, without Huffman coding."""
    return b"\0" + bytes((len(name),)) + name + bytes((len(value),)) + value


def request(path):
    fields = ((b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"localhost"), (b":path", path.encode()))
    return b"".join(literal(name, value) for name, value in fields)


class Http1:
    """Asks for something large and reads no more than its first line."""

    waits = True

    def __init__(self, port, path):
        self.socket = socket.socket()
        # A small window: what waits, waits in the server.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(("127.0.0.1", port))
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    def take(self):
        """Nothing beyond the first line; so it soon has what it will ever have."""
        if self.waits:
            line = self.socket.recv(12)
            if line != b"HTTP/1.1 200":
                raise Failed(f"an unread answer began with {line!r}")
            self.waits = False
        return True

    def close(self):
        self.socket.close()


class Http2:
    """Asks for something large on many streams of one connection. It reads the connection and opens no stream's window again."""

    def __init__(self, port, path, streams, window=None):
        self.socket = socket.create_connection(("127.0.0.1", port))
        settings = b"" if window is None else struct.pack(">HI", INITIAL_WINDOW_SIZE, window)
        block = request(path)
        asked = b"".join(frame(HEADERS, 0x5, 1 + 2 * number, block) for number in range(streams))
        self.socket.sendall(PREFACE + frame(SETTINGS, 0, 0, settings) + frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 30)) + asked)
        self.socket.setblocking(False)
        # What each stream's window lets through, or the head of each answer at least.
        self.left = streams * (65_535 if window is None else 9)

    def take(self):
        """Reads what is there; whether every stream has sent what it may."""
        try:
            while received := self.socket.recv(1 << 20):
                self.left -= len(received)
        except BlockingIOError:
            return self.left <= 0
        raise Failed("a connection with unread streams was ended")

    def close(self):
        self.socket.close()


def settle(clients, measure, patience=120):
    """Lets the clients take what they take until they have it and the measure stands still."""
    last, still = measure(), 0
    begun = time.monotonic()
    while still < 6:
        if time.monotonic() - begun > patience:
            raise Failed("the clients did not get what they should")
        whole = all([client.take() for client in clients])
        time.sleep(0.25)
        now = measure()
        still = still + 1 if whole and abs(now - last) < 0.3 else 0
        last = now
    return last


def flood(port, kind, seconds):
    """How many frames of a kind a connection takes, and after how long it was ended; None when it was not."""
    payload = {PRIORITY: struct.pack(">IB", 0, 15), PING: b"12345678", SETTINGS: b""}[kind]
    stream = 1 if kind == PRIORITY else 0
    piece = frame(kind, 0, stream, payload) * 1000
    client = socket.create_connection(("127.0.0.1", port))
    client.sendall(PREFACE + frame(SETTINGS, 0, 0))
    client.setblocking(False)
    begun, sent = time.monotonic(), 0
    left = piece
    while time.monotonic() - begun < seconds:
        readable, writable, _ = select.select([client], [client], [], 0.5)
        try:
            if readable and not client.recv(1 << 20):
                return sent, time.monotonic() - begun
            if writable:
                done = client.send(left)
                sent += done // (len(piece) // 1000)
                left = left[done:] or piece
        except BlockingIOError:
            continue
        except OSError:
            return sent, time.monotonic() - begun
    client.close()
    return sent, None


def opened(make, number):
    """So many clients; the run proves nothing when one cannot connect."""
    try:
        return [make() for _ in range(number)]
    except OSError as error:
        raise Failed(f"a client could not connect: {error}") from error
