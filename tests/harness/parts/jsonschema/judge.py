"""Judges bodies by the schemas of a document, and compresses them.

The question: `{"components": {...}, "cases": [{"component": "name", "body": "text"}]}`. The answer is a list: `valid` (null when this validator
cannot say, for a pattern that Python has not), and `gzip` and `twice`, the body as one and as two members, in base64.
"""

import base64
import gzip
import json
import sys

from jsonschema import Draft202012Validator


def packed(data):
    return gzip.compress(data, mtime=0)


def judge(validators, components, case):
    name, body = case["component"], case["body"].encode()
    if name not in validators:
        validators[name] = Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": {"schemas": components}})
    try:
        valid = validators[name].is_valid(json.loads(body))
    except Exception:
        valid = None
    half = len(body) // 2
    twice = packed(body[:half]) + packed(body[half:])
    return {"valid": valid, "gzip": base64.b64encode(packed(body)).decode(), "twice": base64.b64encode(twice).decode()}


def main():
    question = json.load(sys.stdin)
    validators = {}
    json.dump([judge(validators, question["components"], case) for case in question["cases"]], sys.stdout)


main()
