"""`envoy.service.auth.v3.Authorization/Check`: decides as the field `authorization` of the asked request says.

The messages are read and written by hand, so that nothing needs generated code. Field numbers are those of Envoy.
"""

import asyncio
import json

import grpc


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def fields(data):
    """The fields of a message, each with its last value; those of a map are gathered in a list."""
    found, at = {}, 0
    while at < len(data):
        tag, at = varint(data, at)
        if tag & 7 == 0:
            value, at = varint(data, at)
        elif tag & 7 == 2:
            length, at = varint(data, at)
            value, at = data[at : at + length], at + length
        else:
            raise ValueError(f"wire type {tag & 7}")
        found.setdefault(tag >> 3, []).append(value)
    return found


def inner(data, *numbers):
    """The bytes of what is nested so deep; empty when it is not there."""
    for number in numbers:
        data = fields(data).get(number, [b""])[-1]
    return data


def pairs(entries):
    return {inner(entry, 1).decode(): inner(entry, 2).decode() for entry in entries}


def number(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def part(field, value):
    """A field: a number, text, or bytes."""
    if isinstance(value, int):
        return number(field << 3) + number(value)
    value = value.encode() if isinstance(value, str) else value
    return number(field << 3 | 2) + number(len(value)) + value


def option(name, value):
    return part(1, part(1, name) + part(2, value))


def status(code):
    return part(1, part(1, code) if code else b"")


def told(request):
    """What the question says of the request, and its fields."""
    attributes = inner(request, 1)
    http = fields(inner(attributes, 4, 2))
    text = {name: http.get(field, [b""])[-1].decode() for name, field in (("id", 1), ("method", 2), ("path", 4), ("host", 5), ("body", 11))}
    headers = pairs(http.get(3, []))
    return headers, text | {
        "address": inner(attributes, 1, 1, 1, 2).decode(),
        "raw": http.get(12, [b""])[-1].hex(),
        "context": pairs(fields(attributes).get(10, [])),
        "names": sorted(headers),
    }


def allow(said):
    ok = part(2, option("x-user", "ada")) + part(2, option("x-told", json.dumps(said))) + part(2, option("x-unlisted", "1"))
    ok += part(5, "x-debug") + part(5, "host") + part(6, option("x-quota", "7"))
    ok += part(7, part(1, "by") + part(2, "a&b")) + part(8, "secret")
    return status(0) + part(3, ok)


def deny():
    fields = part(2, option("www-authenticate", "Basic")) + part(2, option("x-unlisted", "1"))
    return status(7) + part(2, part(1, part(1, 418)) + fields + part(3, "no tea for you"))


async def check(request, context):
    headers, said = told(request)
    wish = headers.get("authorization", "")
    if wish == "wait":
        await asyncio.Event().wait()
    if wish == "abort":
        await context.abort(grpc.StatusCode.UNAVAILABLE, "as it was told")
    answers = {"allow": allow(said), "deny": deny(), "garbage": b"\xff\xff\xff", "both": status(0) + part(2, b"") + part(3, b"")}
    return answers.get(wish, status(16))


def handler():
    return grpc.method_handlers_generic_handler(
        "envoy.service.auth.v3.Authorization", {"Check": grpc.unary_unary_rpc_method_handler(check)}
    )
