"""The gateway as a contestant: projects, environments, artifacts."""

import json
import shutil
import subprocess

from .machine import ROOT, Failed, free_port

BINARY = ROOT / "target/release/tollgate"
REAL = ROOT.parent / "shared/cases/02-openapi/real"


# What nobody reaches: each is counted, none refuses.
FIVE_LIMITS = {
    "policies": {
        "api": {"requests": 900_000_000_000_000, "per": "1h"},
        "operation": {"requests": 900_000_000_000_000, "per": "1m"},
        "address": {"requests": 4_000_000_000, "per": "1m", "algorithm": "sliding"},
        "spike": {"requests": 900_000, "per": "1s", "algorithm": "gcra"},
        "host": {"requests": 900_000_000_000_000, "per": "1d"},
    },
    "limits": [
        {"policy": "api", "key": ["api"]},
        {"policy": "operation", "key": ["api", "operation"]},
        {"policy": "address", "key": ["client.address"]},
        {"policy": "spike", "key": ["api"]},
        {"policy": "host", "key": ["header.host"]},
    ],
}


class Tollgate:
    """Builds projects into the run's folder and starts the gateway on them."""

    def __init__(self, field):
        self.field = field

    def start(self, name, port, jwt=False, tls=False, log="off", limits=False, artifact=None, core=1, under=()):
        artifact = artifact or self.project("jwt" if jwt else "pass", {"load.json": definition(6, open=not jwt)})
        environment = self.environment(port, jwt, tls, log)
        if limits:
            environment["chain"] = [{"throttle": FIVE_LIMITS}]
        return self.serve(name, environment, artifact, core, under)

    def serve(self, name, environment, artifact, core, under):
        config = self.field.write(f"{name}.gateway.json", json.dumps(environment))
        return self.field.process(f"tollgate-{name}", [*under, BINARY, "run", artifact, "--config", config], core)

    def environment(self, port, jwt, tls, log):
        """JSON is YAML."""
        keys = self.field.keys
        listener = {"address": f"127.0.0.1:{port}"}
        if tls:
            listener["tls"] = {"certificate": str(keys.certificate), "key": str(keys.key)}
        environment = {
            "listeners": [listener],
            "admin": {"address": f"127.0.0.1:{free_port()}"},
            "access_log": {"to": str(self.field.folder / log) if log != "off" else "off"},
            "process": {"threads": 1, "grace": "1s"},
            # All clients of the test come from one address and never reconnect.
            "limits": {"requests_per_connection": 4_000_000_000},
        }
        if jwt:
            issuer = {"issuer": keys.issuer, "any_audience": True, "keys": [{"pem": str(keys.public)}]}
            environment["chain"] = [{"jwt": {"issuers": [issuer]}}]
        return environment

    def project(self, name, definitions):
        """Builds a project of these definitions; path of the artifact."""
        folder = self.field.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "api_definitions").mkdir(parents=True)
        for file, text in definitions.items():
            (folder / "api_definitions" / file).write_text(text if isinstance(text, str) else json.dumps(text))
        artifact = self.field.folder / f"{name}.toll"
        endpoint = f"http://127.0.0.1:{self.field.backend_port}"
        command = [BINARY, "build", folder, "-o", artifact, "--endpoint", endpoint]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"{name} does not build:\n{done.stderr[-4000:]}")
        return artifact


def definition(operations, open=True):
    """An API of so many operations; `/item` is one of them, the others lie around it in the order of names."""
    paths = {"/item": {"get": {"responses": {"200": {"description": "ok"}}}}}
    for number in range(operations - 1):
        paths[f"/{'abcdefghijklmnopqrstuvwxyz'[number % 26]}{number}/{{id}}/part"] = {
            "get": {
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
                "responses": {"200": {"description": "ok"}},
            }
        }
    document = {"openapi": "3.0.3", "info": {"title": "Load", "version": "1"}, "x-wso2-basePath": "/load/v1", "paths": paths}
    if open:
        document["x-wso2-disable-security"] = True
    return document


def real():
    """The real API descriptions with one open API beside them; nothing when they are not there."""
    if not REAL.is_dir():
        return None
    definitions = {"load.json": definition(6)}
    for path in sorted(REAL.glob("*.json")):
        document = json.loads(path.read_text())
        document["x-wso2-disable-security"] = True
        # Several of them claim the root.
        document["x-wso2-basePath"] = f"/real/{len(definitions)}"
        definitions[path.name] = document
    return definitions
