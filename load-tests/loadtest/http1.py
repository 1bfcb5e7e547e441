"""A client that knows exactly what it sent: readiness, correctness, and a counted number of requests."""

import socket
import ssl
import time

from .machine import Failed

BODY = b"x" * 1024


class Client:
    """One kept connection."""

    def __init__(self, port, tls=False, timeout=20):
        raw = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = trusting().wrap_socket(raw, server_hostname="localhost") if tls else raw
        self.buffer = b""

    def send(self, path, token=None):
        authorization = f"Authorization: Bearer {token}\r\n" if token else ""
        # The fields that wrk sends.
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{authorization}\r\n".encode())

    def answer(self):
        """Status and body; every answer in this test has a length."""
        while b"\r\n\r\n" not in self.buffer:
            self.more()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        fields = dict(line.lower().split(b":", 1) for line in lines[1:])
        length = int(fields.get(b"content-length", b"0"))
        while len(self.buffer) < length:
            self.more()
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return int(lines[0].split()[1]), body

    def more(self):
        received = self.socket.recv(65536)
        if not received:
            raise Failed("a connection was closed before its answer was whole")
        self.buffer += received

    def close(self):
        self.socket.close()


def trusting():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def ask(port, path, token=None, tls=False):
    client = Client(port, tls)
    try:
        client.send(path, token)
        return client.answer()
    finally:
        client.close()


def expect(port, path, status, token=None, tls=False, what="an answer"):
    """A good answer must carry the backend's body: a gateway that answers by itself has done no work."""
    got, body = ask(port, path, token, tls)
    if got != status or (status == 200 and body != BODY):
        raise Failed(f"{what}: expected {status}, got {got} with {len(body)} bytes: {body[:200]!r}")


def ready(process, port, path, token=None, tls=False, patience=120):
    """Seconds from the start of a process to its first whole answer."""
    while time.monotonic() - process.begun < patience:
        process.check()
        try:
            if ask(port, path, token, tls) == (200, BODY):
                return time.monotonic() - process.begun
        except (OSError, Failed):
            pass
        time.sleep(0.001)
    raise Failed(f"{process.name} did not answer within {patience} s; its log is {process.log.name}")


def counted(port, path, number, token=None, tls=False, connections=8):
    """Exactly so many requests, side by side on a few kept connections, every answer checked."""
    clients = [Client(port, tls, timeout=120) for _ in range(connections)]
    for _ in range(number // connections):
        for client in clients:
            client.send(path, token)
        for client in clients:
            status, body = client.answer()
            if status != 200 or body != BODY:
                raise Failed(f"a counted request was answered with {status} and {len(body)} bytes")
    for client in clients:
        client.close()
