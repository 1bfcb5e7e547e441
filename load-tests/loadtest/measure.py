"""The measurements: time under load, instructions, start and memory."""

import json
import re
import subprocess
import threading
from dataclasses import dataclass

from .http1 import ask, counted, expect, ready
from .machine import Failed, find, free_port
from .parts import BACKEND_CORE, PATH, PROXY_CORE

CONNECTIONS = 64
# Prints what wrk knows as one line of JSON.
LUA = """
done = function(summary, latency)
  local e = summary.errors
  print(string.format('{"requests":%d,"us":%d,"p50":%.0f,"p99":%.0f,"bad":%d,"errors":%d}', summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), e.status, e.connect + e.read + e.write + e.timeout))
end
"""


@dataclass
class Sample:
    """One contestant in one round."""

    cpu: float
    """Seconds per 100,000 requests, user and system, of the whole process tree."""
    user: float
    rate: float
    p50: float
    """Milliseconds."""
    p99: float
    rss: float
    """MiB under load."""


def under_load(field, contestant, warm, seconds):
    """Starts a contestant, proves that it does its work, loads it, and stops it."""
    port = free_port()
    token = contestant.bearer(field.keys)
    process = contestant.start(port, core=PROXY_CORE)
    try:
        ready(process, port, PATH, token, contestant.tls)
        prove(field, contestant, port)
        wrk(field, contestant, port, warm)
        before = process.cpu()
        # A refusal in the middle of the load: the filter is at work while it is measured.
        middle = threading.Timer(seconds / 2, lambda: None)
        failure = []
        if contestant.token:
            middle = threading.Timer(seconds / 2, lambda: probe(field, contestant, port, failure))
        middle.start()
        result = wrk(field, contestant, port, seconds)
        middle.join()
        after = process.cpu()
        rss = process.rss()
        if failure:
            raise failure[0]
        prove(field, contestant, port)
    finally:
        process.stop()
    user, system = (late - early for late, early in zip(after, before))
    share = 100_000 / result["requests"]
    rate = result["requests"] / result["us"] * 1e6
    return Sample((user + system) * share, user * share, rate, result["p50"] / 1e3, result["p99"] / 1e3, rss)


def probe(field, contestant, port, failure):
    try:
        refuses(field, contestant, port)
    except (Failed, OSError) as error:
        failure.append(error)


def prove(field, contestant, port):
    """Good answers carry the backend's body; bad and missing tokens are refused."""
    token = contestant.bearer(field.keys)
    expect(port, PATH, 200, token, contestant.tls, contestant.name)
    if contestant.token:
        refuses(field, contestant, port)


def refuses(field, contestant, port):
    expect(port, PATH, 401, field.keys.bad, contestant.tls, f"{contestant.name}, a stranger's token")
    expect(port, PATH, 401, None, contestant.tls, f"{contestant.name}, no token")
    if contestant.proof:
        contestant.proof(port)


def wrk(field, contestant, port, seconds):
    """Loads a port. An answer that is not 2xx, or a broken connection, fails the run."""
    script = field.write("report.lua", LUA)
    scheme = "https" if contestant.tls else "http"
    # The address needs no resolver; the Host field is the one the other client sends.
    command = ["taskset", "-c", BACKEND_CORE, find("wrk"), "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", script, "-H", "Host: localhost"]
    if token := contestant.bearer(field.keys):
        command += ["-H", f"Authorization: Bearer {token}"]
    command.append(f"{scheme}://127.0.0.1:{port}{PATH}")
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=seconds + 60)
    line = next((line for line in done.stdout.splitlines() if line.startswith("{")), None)
    if done.returncode != 0 or line is None:
        raise Failed(f"wrk on {contestant.name}: {done.stdout}{done.stderr}")
    result = json.loads(line)
    if result["bad"] or result["errors"] or not result["requests"]:
        raise Failed(f"{contestant.name}: {result['bad']} answers were not 2xx, {result['errors']} connections broke")
    return result


def instructions(field, contestant, few=1000, many=5000):
    """User-space instructions of a request: the difference of two runs under callgrind, so that start and stop fall out."""
    totals = [callgrind(field, contestant, number) for number in (few, many)]
    return (totals[1] - totals[0]) / (many - few)


def callgrind(field, contestant, number):
    port = free_port()
    token = contestant.bearer(field.keys)
    # One file for each process of the tree: nginx works in a child.
    tool = [find("valgrind"), "--tool=callgrind", f"--callgrind-out-file={field.folder}/callgrind.{port}.%p", "--trace-children=yes"]
    process = contestant.start(port, core=None, under=tool)
    try:
        ready(process, port, PATH, token, contestant.tls)
        counted(port, PATH, number, token, contestant.tls)
        if contestant.token:
            refuses(field, contestant, port)
    finally:
        process.stop()
    pages = [path.read_text(errors="replace") for path in field.folder.glob(f"callgrind.{port}.*")]
    totals = [re.search(r"^(?:totals|summary): (\d+)", page, re.MULTILINE) for page in pages]
    if not totals or not all(totals):
        raise Failed(f"callgrind said nothing of {contestant.name}")
    return sum(int(total[1]) for total in totals)


def start(field, contestant, times=5):
    """Seconds from exec to the first whole answer, and MiB of the idle process, sorted."""
    seconds, sizes = [], []
    for _ in range(times):
        port = free_port()
        token = contestant.bearer(field.keys)
        process = contestant.start(port, core=PROXY_CORE)
        try:
            seconds.append(ready(process, port, PATH, token, contestant.tls))
            sizes.append(process.rss())
            if contestant.token:
                status, _ = ask(port, PATH, field.keys.bad)
                if status != 401:
                    raise Failed(f"{contestant.name} answered a stranger's token with {status}")
        finally:
            process.stop()
    return sorted(seconds), sorted(sizes)
