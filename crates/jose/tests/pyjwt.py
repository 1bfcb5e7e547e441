"""The other side of pyjwt.rs: PyJWT on cryptography, which share no line with what is tested.

Reads {"tokens": [{"jwk": …, "token": …}], "algorithms": [NAME]} and writes {"read": [{"header": …, "claims": …, "forged": ERROR}],
"made": [{"algorithm": NAME, "jwk": …, "token": …}]}.
"""

import base64
import json
import sys

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

CURVES = {"ES256": ("P-256", ec.SECP256R1()), "ES384": ("P-384", ec.SECP384R1()), "ES512": ("P-521", ec.SECP521R1())}


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, length):
    return b64(value.to_bytes(length, "big"))


def read(jwk, token):
    key = jwt.PyJWK.from_dict(jwk).key
    head, body, signature = token.split(".")
    forged = ".".join([head, b64(b'{"sub":"mallory"}'), signature])
    try:
        jwt.decode(forged, key, algorithms=[jwk["alg"]])
        error = None
    except jwt.InvalidSignatureError as caught:
        error = type(caught).__name__
    return {"header": jwt.get_unverified_header(token), "claims": jwt.decode(token, key, algorithms=[jwk["alg"]]), "forged": error}


def pair(algorithm):
    """A new private key, and its public part as a JWK."""
    if algorithm in CURVES:
        name, curve = CURVES[algorithm]
        private = ec.generate_private_key(curve)
        point, length = private.public_key().public_numbers(), (curve.key_size + 7) // 8
        return private, {"kty": "EC", "crv": name, "x": number(point.x, length), "y": number(point.y, length)}
    if algorithm == "EdDSA":
        private = ed25519.Ed25519PrivateKey.generate()
        raw = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return private, {"kty": "OKP", "crv": "Ed25519", "x": b64(raw)}
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = private.public_key().public_numbers()
    return private, {"kty": "RSA", "n": number(public.n, 256), "e": number(public.e, 3)}


def make(algorithm):
    private, jwk = pair(algorithm)
    token = jwt.encode({"sub": "alice", "text": "päß"}, private, algorithm=algorithm, headers={"kid": "theirs"})
    return {"algorithm": algorithm, "jwk": {**jwk, "kid": "theirs", "alg": algorithm}, "token": token}


asked = json.load(sys.stdin)
json.dump({"read": [read(**one) for one in asked["tokens"]], "made": [make(name) for name in asked["algorithms"]]}, sys.stdout)
