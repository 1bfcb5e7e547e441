"""The contestants: how each is configured and started. Access logs are off, one worker thread, kept connections to the backend."""

from dataclasses import dataclass

from . import envoy
from .identity import Identity
from .machine import ENVOY, ROOT, Process, find, free_port
from .tollgate import Tollgate

BACKEND_CORE, PROXY_CORE = 0, 1
PATH = "/load/v1/item"


@dataclass
class Contestant:
    """One row of the table."""

    name: str
    start: callable
    """From its port, its core and the words before its command, a Process."""
    tls: bool = False
    token: bool = False
    """Sends a token; a bad one must be refused."""
    carries: bool = False
    """Sends a token that nobody looks at."""
    full: bool = False
    """The token has an id, a client and a subscription."""
    proof: callable = None
    """From its port: what else must be refused."""

    def bearer(self, keys):
        token = keys.full if self.full else keys.good
        return token if self.token or self.carries else None


class Field:
    """Folder, keys and backend that every contestant shares."""

    def __init__(self, folder, keys):
        self.folder = folder
        self.keys = keys
        self.backend_port = free_port()

    def backend(self):
        conf = f"""
            worker_processes 1; daemon off; pid backend.pid; error_log stderr warn;
            events {{ worker_connections 1024; }}
            http {{
              access_log off; keepalive_requests 1000000000;
              server {{ listen 127.0.0.1:{self.backend_port} backlog=1024; default_type text/plain; return 200 {"x" * 1024}; }}
            }}"""
        return self.process("backend", [find("nginx"), "-p", self.folder, "-c", self.write("backend.conf", conf)], BACKEND_CORE)

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def process(self, name, command, core=PROXY_CORE, environment=None):
        return Process(name, command, self.folder, core, environment)

    def contestants(self):
        """Every row, the reference first."""
        gateway = Tollgate(self)
        identity = Identity(self, gateway)
        return [
            Contestant("bare Pingora", lambda port, **how: self.bare(port, **how)),
            Contestant("bare Pingora, requests with a token", lambda port, **how: self.bare(port, **how), carries=True),
            Contestant("Tollgate", lambda port, **how: gateway.start("pass", port, **how)),
            Contestant("Tollgate, access log on", lambda port, **how: gateway.start("logged", port, log="access.log", **how)),
            Contestant("Tollgate, five limits", lambda port, **how: gateway.start("limits", port, limits=True, **how)),
            Contestant("Tollgate, jwt (cached token)", lambda port, **how: gateway.start("jwt", port, jwt=True, **how), token=True),
            Contestant("bare Pingora, requests with a full token", lambda port, **how: self.bare(port, **how), carries=True, full=True),
            Contestant("Tollgate, identity chain", lambda port, **how: identity.start(port, **how), token=True, full=True, proof=identity.prove),
            Contestant("nginx", lambda port, **how: self.nginx(port, **how)),
            Contestant("HAProxy", lambda port, **how: self.haproxy(port, **how)),
            Contestant("Envoy", lambda port, **how: self.envoy(port, **how)),
            Contestant("nginx, five limits", lambda port, **how: self.nginx(port, limits=True, **how)),
            Contestant("HAProxy, three limits", lambda port, **how: self.haproxy(port, limits=True, **how)),
            Contestant("Envoy, five limits", lambda port, **how: self.envoy(port, limits=True, **how)),
            Contestant("Envoy, jwt (cached token)", lambda port, **how: self.envoy(port, jwt=True, **how), token=True),
            Contestant("bare Pingora, TLS", lambda port, **how: self.bare(port, tls=True, **how), tls=True),
            Contestant("Tollgate, TLS", lambda port, **how: gateway.start("tls", port, tls=True, **how), tls=True),
            Contestant("nginx, TLS", lambda port, **how: self.nginx(port, tls=True, **how), tls=True),
            Contestant("HAProxy, TLS", lambda port, **how: self.haproxy(port, tls=True, **how), tls=True),
            Contestant("Envoy, TLS", lambda port, **how: self.envoy(port, tls=True, **how), tls=True),
        ]

    def bare(self, port, tls=False, core=PROXY_CORE, under=()):
        identity = [self.keys.certificate, self.keys.key] if tls else []
        binary = ROOT / "target/release/bare-pingora"
        command = [*under, binary, f"127.0.0.1:{port}", f"127.0.0.1:{self.backend_port}", *identity]
        return self.process("bare-pingora", command, core)

    def nginx(self, port, tls=False, limits=False, core=PROXY_CORE, under=()):
        identity = f"ssl_certificate {self.keys.certificate}; ssl_certificate_key {self.keys.key};" if tls else ""
        keys = ["$server_name", "$uri", "$binary_remote_addr", "$request_method", "$http_host"] if limits else []
        zones = " ".join(f"limit_req_zone {key} zone=z{at}:1m rate=900000r/s;" for at, key in enumerate(keys))
        limit = " ".join(f"limit_req zone=z{at} burst=900000 nodelay;" for at in range(len(keys)))
        # Callgrind loses the count of a worker that its master ends.
        master = "off" if under else "on"
        conf = f"""
            worker_processes 1; master_process {master}; daemon off; pid proxy.pid; error_log stderr warn;
            events {{ worker_connections 1024; }}
            http {{
              access_log off; keepalive_requests 1000000000; {zones}
              upstream backend {{ server 127.0.0.1:{self.backend_port}; keepalive 128; keepalive_requests 1000000000; }}
              server {{
                listen 127.0.0.1:{port} {"ssl" if tls else ""} backlog=1024; {identity}
                location / {{ {limit} proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; }}
              }}
            }}"""
        return self.process("nginx", [*under, find("nginx"), "-p", self.folder, "-c", self.write("nginx.conf", conf)], core)

    def haproxy(self, port, tls=False, limits=False, core=PROXY_CORE, under=()):
        identity = f"ssl crt {self.keys.both}" if tls else ""
        # As many counters as a request can have in this release.
        keys = ["str(api)", "path", "src"] if limits else []
        kinds = ["string len 32", "string len 128", "ip"]
        tables = "".join(
            f"backend t{at}\n    stick-table type {kinds[at]} size 100k expire 10s store http_req_rate(1s)\n" for at in range(len(keys))
        )
        track = "".join(
            f"    http-request track-sc{at} {key} table t{at}\n    http-request deny deny_status 429 if {{ sc_http_req_rate({at}) gt 900000 }}\n"
            for at, key in enumerate(keys)
        )
        conf = f"""
global
    nbthread 1
    maxconn 2000
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    http-reuse always
frontend front
    bind 127.0.0.1:{port} {identity}
{track}    default_backend back
{tables}backend back
    server one 127.0.0.1:{self.backend_port}
"""
        return self.process("haproxy", [*under, find("haproxy"), "-db", "-f", self.write("haproxy.cfg", conf)], core)

    def envoy(self, port, tls=False, jwt=False, limits=False, core=PROXY_CORE, under=()):
        conf = self.write("envoy.json", envoy.configuration(port, self.backend_port, self.keys, tls, jwt, limits))
        command = [ENVOY, "-c", conf, "--concurrency", "1", "--base-id", str(port), "--log-level", "error", "--disable-hot-restart"]
        return self.process("envoy", [*under, *command], core)
