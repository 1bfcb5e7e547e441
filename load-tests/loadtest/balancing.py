"""Four backends, of which one is slow: how long requests take by each strategy, here and in Envoy, and who gets them."""

import argparse
import asyncio
import datetime
import json
import multiprocessing
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from . import envoy
from .keys import Keys
from .machine import ENVOY, HERE, Failed, build, describe, find, free_port, install
from .parts import PATH, Field
from .tollgate import Tollgate, definition

SLOW, QUICK = 0.1, 0.002
STRATEGIES = ("round_robin", "least_requests", "ewma")
ENVOYS = {"round_robin": "ROUND_ROBIN", "least_requests": "LEAST_REQUEST"}


def listening(port, patience=30):
    end = time.monotonic() + patience
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise Failed(f"nobody listens on port {port}") from None
            time.sleep(0.02)


def serve(port, pause, count):
    """A backend that answers each request after a pause, and counts."""

    async def connection(reader, writer):
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                with count.get_lock():
                    count.value += 1
                await asyncio.sleep(pause)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def main():
        server = await asyncio.start_server(connection, "127.0.0.1", port, backlog=1024)
        await server.serve_forever()

    asyncio.run(main())


class Backends:
    """Four of them; the first is slow."""

    def __init__(self):
        self.ports = [free_port() for _ in range(4)]
        self.counts = [multiprocessing.Value("l", 0) for _ in self.ports]
        pauses = [SLOW] + [QUICK] * 3
        each = zip(self.ports, pauses, self.counts)
        self.all = [multiprocessing.Process(target=serve, args=arguments, daemon=True) for arguments in each]
        for one in self.all:
            one.start()
        for port in self.ports:
            listening(port)

    def taken(self):
        return [count.value for count in self.counts]

    def stop(self):
        for one in self.all:
            one.terminate()


def tollgate(field, backends, strategy):
    gateway, port = Tollgate(field), free_port()
    artifact = gateway.project("balancing", {"load.json": definition(1)})
    environment = gateway.environment(port, False, False, "off")
    urls = [f"http://127.0.0.1:{backend}" for backend in backends.ports]
    environment["endpoints"] = {"*": {"production": urls, "balance": {"strategy": strategy}}}
    return port, gateway.serve(f"balancing-{strategy}", environment, artifact, None, ())


def envoys(field, backends, strategy):
    port = free_port()
    conf = json.loads(envoy.configuration(port, backends.ports[0], field.keys, False, False))
    cluster = conf["static_resources"]["clusters"][0]
    cluster["lb_policy"] = ENVOYS[strategy]
    endpoints = [{"endpoint": {"address": envoy.address(backend)}} for backend in backends.ports]
    cluster["load_assignment"]["endpoints"] = [{"lb_endpoints": endpoints}]
    path = field.write(f"envoy-{strategy}.json", json.dumps(conf))
    command = [ENVOY, "-c", path, "--concurrency", "1", "--base-id", str(port), "--log-level", "error", "--disable-hot-restart"]
    return port, field.process(f"envoy-{strategy}", command, None)


def load(port, seconds, connections):
    """Requests a second and percentiles in milliseconds, by wrk."""
    command = [find("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", f"http://127.0.0.1:{port}{PATH}"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise Failed(f"requests failed:\n{said}")
    units = {"us": 0.001, "ms": 1, "s": 1000}

    def percentile(name):
        number, unit = re.search(rf"{name}%\s+([\d.]+)(us|ms|s)", said).groups()
        return float(number) * units[unit]

    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])
    return rate, percentile("50"), percentile("90"), percentile("99")


def measure(field, arguments, start, strategy):
    backends = Backends()
    port, process = start(field, backends, strategy)
    try:
        listening(port)
        load(port, 2, arguments.connections)
        before = backends.taken()
        found = load(port, arguments.seconds, arguments.connections)
        process.check()
        taken = [after - was for after, was in zip(backends.taken(), before)]
        if sum(taken) < 100:
            raise Failed("hardly a request arrived")
        return (*found, 100 * taken[0] / sum(taken))
    finally:
        process.stop()
        backends.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--no-build", action="store_true", help="measure the binary that is there")
    arguments = parser.parse_args()
    install()
    if not arguments.no_build:
        build()
    facts = describe()
    commit = facts["Tollgate"].split()[0]
    if arguments.no_build:
        facts["Tollgate"] += ", measured with a binary that was there before"
    rows = []
    with tempfile.TemporaryDirectory(prefix="tollgate-balancing-") as folder:
        field = Field(Path(folder), Keys(Path(folder)))
        for strategy in STRATEGIES:
            for name, start in (("Tollgate", tollgate), ("Envoy", envoys)):
                if start is envoys and strategy not in ENVOYS:
                    continue
                row = (f"{name}, {strategy}", *measure(field, arguments, start, strategy))
                print(row, file=sys.stderr, flush=True)
                rows.append(row)
    now = datetime.datetime.now(datetime.timezone.utc)
    page = [f"# One slow backend of four, {now:%Y-%m-%d %H:%M} UTC", ""]
    page += [f"- {name}: {value}" for name, value in facts.items()]
    page += [
        f"- {arguments.connections} connections of wrk for {arguments.seconds} s; one backend answers after {SLOW * 1000:.0f} ms, three after {QUICK * 1000:.0f} ms",
        "",
        "| | requests/s | p50 ms | p90 ms | p99 ms | share of the slow one, % |",
        "|---|---|---|---|---|---|",
    ]
    page += [f"| {name} | {rate:.0f} | {p50:.1f} | {p90:.1f} | {p99:.1f} | {share:.1f} |" for name, rate, p50, p90, p99, share in rows]
    text = "\n".join(page) + "\n"
    path = HERE / "results" / f"{now:%Y-%m-%d-%H%M}-{commit}-balancing.md"
    path.write_text(text)
    print(text)
    return 0
