"""The full identity chain: a cached token, a million revocations, a scope and a subscription. And that all of it was asked."""

import json
import random
import urllib.request

from .http1 import expect, ready
from .machine import Failed, free_port
from .tollgate import definition

ENTRIES = 1_000_000
BATCH = 10_000
SCOPE = "read"
REVOKED = "revoked-token"
SUBSCRIPTIONS = [{"name": "Load", "version": "1", "context": "/load/v1", "subscriptionTier": "Gold"}]


class Identity:
    """The gateway with the chain, on a journal that is filled once through the admin port and read at every start."""

    def __init__(self, field, gateway):
        self.field = field
        self.gateway = gateway
        self.artifact = None
        self.admin = None

    def start(self, port, core, under=()):
        if self.artifact is None:
            self.artifact = self.gateway.project("identity", {"load.json": secured()})
            self.fill()
        return self.run("identity", port, core, under)

    def run(self, name, port, core, under=()):
        environment = self.gateway.environment(port, jwt=True, tls=False, log="off")
        environment["chain"] += [{"revocation": {"max_age": "1h"}}, {"authorize": {"subscriptions": "required"}}]
        environment["stores"] = {"revocations": {"journal": str(self.field.folder / "revocations")}}
        self.admin = environment["admin"]["address"]
        return self.gateway.serve(name, environment, self.artifact, core, under)

    def fill(self):
        """Every kind of entry, so that none of the look-ups of a request finds an empty table; the revoked token is one of them."""
        dice = random.Random(20)
        port = free_port()
        process = self.run("filling", port, None)
        try:
            ready(process, port, "/load/v1/item", self.field.keys.full)
            for begin in range(0, ENTRIES, BATCH):
                batch = [entry(dice, begin + number) for number in range(BATCH)]
                if begin == 0:
                    batch[0] = {"jti": REVOKED}
                self.ask("/revocations", json.dumps(batch).encode())
            self.complete()
        finally:
            process.stop()

    def ask(self, path, body=None):
        with urllib.request.urlopen(urllib.request.Request(f"http://{self.admin}{path}", data=body), timeout=60) as answer:
            return json.load(answer)

    def complete(self):
        shown = self.ask("/revocation")
        if shown["entries"] < ENTRIES:
            raise Failed(f"the list of revocations holds {shown['entries']} entries, not {ENTRIES}")

    def prove(self, port):
        """Nothing of the chain is idle: each part refuses what only it can refuse, while the list is full."""
        keys, path = self.field.keys, "/load/v1/item"
        expect(port, path, 401, keys.revoked, what="a revoked token")
        expect(port, path, 403, keys.scopeless, what="a token without the scope")
        expect(port, path, 403, keys.unsubscribed, what="a token without the subscription")
        self.complete()


def entry(dice, number):
    """What key managers send most: ids and signatures of tokens; clients and subjects are few."""
    name = f"{dice.getrandbits(128):032x}"
    kind = number % 20
    if kind < 12:
        return {"jti": name}
    if kind < 18:
        return {"signature": name}
    return {"client": name} if kind == 18 else {"subject": name, "before": 1_700_000_000}


def secured():
    """The API of the other rows; every operation asks for the scope."""
    document = definition(6, open=False)
    flow = {"tokenUrl": "https://issuer.load.test/token", "scopes": {SCOPE: "anything"}}
    document["components"] = {"securitySchemes": {"oauth": {"type": "oauth2", "flows": {"clientCredentials": flow}}}}
    document["security"] = [{"oauth": [SCOPE]}]
    return document
