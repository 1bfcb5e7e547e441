"""What strangers can make the gateway hold: clients that read nothing, idle connections, floods of control frames. nginx beside it."""

import argparse
import datetime
import json
import resource
import socket
import sys
import tempfile
import time
from pathlib import Path

from . import measure, stalled
from .http1 import ask, trusting
from .keys import Keys
from .machine import HERE, Failed, build, describe, find, free_port, install
from .parts import BACKEND_CORE, PROXY_CORE, Field
from .stalled import Http1, Http2
from .tollgate import Tollgate, definition

LARGE = 4 << 20
CONTESTANTS = ("Tollgate", "nginx")
SCENES = {
    "8 connections of HTTP/2, 100 unread streams each": lambda h1, h2, path: stalled.opened(lambda: Http2(h2, path, 100), 8),
    "20 connections of HTTP/2, 100 streams each, window 0": lambda h1, h2, path: stalled.opened(lambda: Http2(h2, path, 100, 0), 20),
    "400 connections of HTTP/1": lambda h1, h2, path: stalled.opened(lambda: Http1(h1, path), 400),
    "2,000 readers: 1,000 streams and 1,000 connections": lambda h1, h2, path: (
        stalled.opened(lambda: Http2(h2, path, 100), 10) + stalled.opened(lambda: Http1(h1, path), 1000)
    ),
}
GATE = "2,000 readers: 1,000 streams and 1,000 connections"
GATE_MIB = 128
FLOODS = {"PRIORITY": stalled.PRIORITY, "PING": stalled.PING, "SETTINGS": stalled.SETTINGS}


def main():
    parser = argparse.ArgumentParser(description="What strangers can make the gateway hold, beside nginx.")
    parser.add_argument("--no-build", action="store_true", help="measure the binary that is there")
    parser.add_argument("--idle", type=int, default=5000, help="idle TLS connections; 0 leaves them out")
    parser.add_argument("--soak", type=int, default=0, help="minutes of load under reloads, for the course of the memory; 0 leaves it out")
    parser.add_argument("--only", default="", help="only scenes whose name holds this")
    parser.add_argument("--output", type=Path, help="where the page goes; default: results/ with date and commit")
    arguments = parser.parse_args()
    install()
    if not arguments.no_build:
        build()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="tollgate-pressure-") as folder:
        try:
            return run(arguments, Path(folder))
        except Failed as failure:
            print(f"the run proves nothing: {failure}", file=sys.stderr)
            return 2


def run(arguments, folder):
    facts = describe()
    place = Place(folder)
    backend = place.backend()
    rows, missed = [], []
    try:
        for name, scene in SCENES.items():
            if arguments.only in name:
                for contestant in CONTESTANTS:
                    rows.append(say(held(place, contestant, name, scene)))
        missed += gate(rows)
        floods = [] if arguments.only else [say(flooded(place, contestant, name)) for name in FLOODS for contestant in CONTESTANTS]
        idle = [say(idled(place, contestant, arguments.idle)) for contestant in CONTESTANTS] if arguments.idle and not arguments.only else []
        course = soaked(place, arguments.soak) if arguments.soak else []
    finally:
        backend.stop()
    page = written(facts, rows, floods, idle, course, missed)
    now = datetime.datetime.now(datetime.timezone.utc)
    output = arguments.output or HERE / "results" / f"{now:%Y-%m-%d-%H%M}-{facts['Tollgate'].split()[0]}-pressure.md"
    output.write_text(page)
    print(page)
    return 1 if missed else 0


class Place(Field):
    """A backend with a small and a large answer, and the two contestants on a port for each version."""

    def __init__(self, folder):
        super().__init__(folder, Keys(folder))
        (folder / "large").write_bytes(b"x" * LARGE)
        # The backend's worker is nobody in particular.
        folder.chmod(0o755)
        self.gateway = Tollgate(self)

    def backend(self):
        conf = f"""
            worker_processes 1; daemon off; pid backend.pid; error_log stderr warn; worker_rlimit_nofile 60000;
            events {{ worker_connections 20000; }}
            http {{
              access_log off; keepalive_requests 1000000000; send_timeout 600s;
              server {{ listen 127.0.0.1:{self.backend_port} backlog=4096; default_type text/plain;
                location ~ /item$ {{ return 200 {"x" * 1024}; }}
                location ~ /large$ {{ alias {self.folder}/large; }} }}
            }}"""
        return self.process("backend", [find("nginx"), "-p", self.folder, "-c", self.write("backend.conf", conf)], BACKEND_CORE)

    def start(self, contestant, tls=None):
        """Ports for HTTP/1 and HTTP/2, and the process once it answers."""
        h1, h2 = free_port(), free_port()
        process = (self.tollgate if contestant == "Tollgate" else self.nginx)(h1, h2, tls)
        begun = time.monotonic()
        while True:
            process.check()
            try:
                if ask(h1, measure.PATH)[0] == 200:
                    return process, h1, h2
            except (OSError, Failed):
                pass
            if time.monotonic() - begun > 20:
                raise Failed(f"{contestant} did not answer; its log is {process.log.name}")
            time.sleep(0.01)

    def tollgate(self, h1, h2, tls):
        document = definition(6)
        document["paths"]["/large"] = {"get": {"responses": {"200": {"description": "ok"}}}}
        artifact = self.gateway.project("pressure", {"load.json": document})
        environment = self.gateway.environment(h1, False, False, "off")
        environment["listeners"].append({"address": f"127.0.0.1:{h2}", "h2c": True})
        if tls:
            identity = {"certificate": str(self.keys.certificate), "key": str(self.keys.key)}
            environment["listeners"].append({"address": f"127.0.0.1:{tls}", "tls": identity})
        # All clients of the test come from one address. They must not be cut off while they are measured.
        environment["limits"] |= {"connections_per_client": 10_000, "write_time": "10m", "idle_time": "10m"}
        self.admin = environment["admin"]["address"]
        return self.gateway.serve("pressure", environment, artifact, PROXY_CORE, ())

    def nginx(self, h1, h2, tls):
        identity = f"ssl_certificate {self.keys.certificate}; ssl_certificate_key {self.keys.key};"
        encrypted = f"listen 127.0.0.1:{tls} ssl http2 backlog=4096; {identity}" if tls else ""
        conf = f"""
            worker_processes 1; daemon off; pid proxy.pid; error_log stderr warn; worker_rlimit_nofile 60000;
            events {{ worker_connections 20000; }}
            http {{
              access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; send_timeout 600s; proxy_max_temp_file_size 0;
              upstream backend {{ server 127.0.0.1:{self.backend_port}; keepalive 128; keepalive_requests 1000000000; }}
              server {{
                listen 127.0.0.1:{h1} backlog=4096; listen 127.0.0.1:{h2} http2 backlog=4096; {encrypted}
                location / {{ proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; }}
              }}
            }}"""
        return self.process("nginx", [find("nginx"), "-p", self.folder, "-c", self.write("nginx.conf", conf)], PROXY_CORE)


def held(place, contestant, name, scene):
    """Resident memory before and under a scene, and what an ordinary caller feels of it."""
    process, h1, h2 = place.start(contestant)
    try:
        calm = ordinary(place, contestant, h1)
        before = process.rss()
        clients = scene(h1, h2, "/load/v1/large")
        after = stalled.settle(clients, process.rss)
        crowded = ordinary(place, contestant, h1)
        after = max(after, process.rss())
        for client in clients:
            client.close()
    finally:
        process.stop()
    return {"scene": name, "who": contestant, "before": before, "added": after - before, "p99": calm, "p99 then": crowded}


def ordinary(place, contestant, port, seconds=4):
    """99th percentile in milliseconds of ordinary requests; every one must be answered."""
    return measure.wrk(place, Ordinary(contestant), port, seconds)["p99"] / 1e3


class Ordinary:
    """Who is loaded, as `measure.wrk` wants to know it."""

    tls = False

    def __init__(self, name):
        self.name = name

    def bearer(self, keys):
        return None


def flooded(place, contestant, name):
    """How many control frames a connection may send."""
    process, _, h2 = place.start(contestant)
    try:
        before = process.rss()
        sent, ended = stalled.flood(h2, FLOODS[name], 10)
        return {"flood": name, "who": contestant, "sent": sent, "ended": ended, "added": process.rss() - before}
    finally:
        process.stop()


def idled(place, contestant, number):
    """Memory of idle TLS connections, and what is left of it after they are gone."""
    tls = free_port()
    process, _, _ = place.start(contestant, tls)
    context = trusting()
    try:
        before = process.rss()
        clients = []
        for _ in range(number):
            raw = socket.create_connection(("127.0.0.1", tls))
            clients.append(context.wrap_socket(raw, server_hostname="localhost"))
        time.sleep(1)
        full = process.rss()
        for client in clients:
            client.close()
        left = {}
        begun = time.monotonic()
        for after in (1, 5, 33):
            time.sleep(max(0, begun + after - time.monotonic()))
            left[after] = process.rss() - before
        return {"who": contestant, "number": number, "each": (full - before) * 1024 / number, "left": left}
    finally:
        process.stop()


def soaked(place, minutes):
    """Resident memory each minute under load, with a reload every 15 seconds."""
    process, h1, _ = place.start("Tollgate")
    host, _, port = place.admin.rpartition(":")
    course = []
    try:
        for _ in range(minutes):
            for _ in range(4):
                ordinary(place, "Tollgate", h1, 14)
                with socket.create_connection((host, int(port))) as admin:
                    admin.sendall(b"POST /reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    if b" 200 " not in admin.recv(4096):
                        raise Failed("a reload failed")
            course.append(process.rss())
            print(f"minute {len(course)}: {course[-1]:.1f} MiB", file=sys.stderr, flush=True)
    finally:
        process.stop()
    return course


def gate(rows):
    missed = []
    for row in rows:
        if row["scene"] == GATE and row["who"] == "Tollgate":
            if row["added"] >= GATE_MIB:
                missed.append(f"2,000 stalled readers add {row['added']:.0f} MiB, more than {GATE_MIB}")
            if row["p99 then"] > 2 * row["p99"]:
                missed.append(f"their p99 is {row['p99 then'] / row['p99']:.1f} times what it was, more than 2")
    return missed


def say(row):
    print(json.dumps(row), file=sys.stderr, flush=True)
    return row


def written(facts, rows, floods, idle, course, missed):
    lines = ["# What strangers can make the gateway hold", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += ["", "Every answer has 4 MiB and nobody takes it. An ordinary caller asks for 1 KiB on 64 connections meanwhile.", ""]
    lines += ["| clients | server | MiB before | MiB added | p99 before, ms | p99 then, ms |", "|---|---|--:|--:|--:|--:|"]
    for row in rows:
        lines.append(
            f"| {row['scene']} | {row['who']} | {row['before']:.1f} | {row['added']:.1f} | {row['p99']:.2f} | {row['p99 then']:.2f} |"
        )
    if floods:
        lines += ["", "One connection sends control frames for ten seconds.", "", "| frame | server | sent | ended after, s | MiB added |", "|---|---|--:|--:|--:|"]
        for row in floods:
            ended = "not ended" if row["ended"] is None else f"{row['ended']:.2f}"
            lines.append(f"| {row['flood']} | {row['who']} | {row['sent']:,} | {ended} | {row['added']:.1f} |")
    if idle:
        lines += ["", "Idle TLS connections, and the memory that is left after they were closed.", ""]
        lines += ["| server | connections | KiB each | MiB left after 1 s | 5 s | 33 s |", "|---|--:|--:|--:|--:|--:|"]
        for row in idle:
            left = " | ".join(f"{mib:.1f}" for mib in row["left"].values())
            lines.append(f"| {row['who']} | {row['number']:,} | {row['each']:.1f} | {left} |")
    if course:
        lines += ["", f"{len(course)} minutes of load with a reload every 15 seconds; MiB at the end of each minute:", ""]
        lines.append(", ".join(f"{mib:.1f}" for mib in course))
    lines += ["", "Gate: " + ("; ".join(missed) if missed else "kept.")]
    return "\n".join(lines) + "\n"
