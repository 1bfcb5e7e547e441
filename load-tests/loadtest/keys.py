"""Keys, a certificate and tokens, made for this run with the openssl command."""

import base64
import json
import subprocess
import time

from .identity import REVOKED, SUBSCRIPTIONS


class Keys:
    """Everything secret in this test; it lives in the run's folder only."""

    issuer = "https://issuer.load.test"

    def __init__(self, folder):
        self.folder = folder
        self.key, self.certificate, self.both = (folder / name for name in ("server.key", "server.pem", "server.both.pem"))
        self.signer, self.stranger = folder / "signer.key", folder / "stranger.key"
        self.public = folder / "signer.pub"
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "2"]
        self.openssl("req", "-x509", "-nodes", *curve, "-keyout", self.key, "-out", self.certificate, *subject)
        self.both.write_bytes(self.certificate.read_bytes() + self.key.read_bytes())
        for path in (self.signer, self.stranger):
            self.openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", path)
        self.openssl("pkey", "-in", self.signer, "-pubout", "-out", self.public)
        self.good = self.token(self.signer)
        self.bad = self.token(self.stranger)
        subscribed = {"azp": "client", "subscribedAPIs": SUBSCRIPTIONS}
        self.full = self.token(self.signer, jti="good", **subscribed)
        self.revoked = self.token(self.signer, jti=REVOKED, **subscribed)
        self.scopeless = self.token(self.signer, jti="scopeless", **subscribed | {"scope": "other"})
        self.unsubscribed = self.token(self.signer, jti="unsubscribed", azp="client", subscribedAPIs=[])
        self.jwks = {"keys": [{"kty": "RSA", "kid": "load", "alg": "RS256", "use": "sig", "n": self.modulus(), "e": "AQAB"}]}

    def openssl(self, *arguments, given=None):
        done = subprocess.run(["openssl", *map(str, arguments)], input=given, check=True, capture_output=True)
        return done.stdout

    def token(self, key, **more):
        """RS256, six claims and more, valid for a day."""
        now = int(time.time())
        claims = {"iss": self.issuer, "sub": "load", "aud": "load", "iat": now, "exp": now + 86400, "scope": "read write"} | more
        head = {"alg": "RS256", "typ": "JWT", "kid": "load"}
        signed = b".".join(encode(json.dumps(part, separators=(",", ":")).encode()) for part in (head, claims))
        return (signed + b"." + encode(self.openssl("dgst", "-sha256", "-sign", key, given=signed))).decode()

    def modulus(self):
        text = self.openssl("rsa", "-in", self.signer, "-noout", "-modulus").decode().strip().partition("=")[2]
        return encode(bytes.fromhex(text)).decode()


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")
