#!/usr/bin/env python3
"""Writes suite.json from the cases of the JSON-Schema-Test-Suite (draft 2020-12).

The cases come with the source package of `jsonschema` 4.17.3 on PyPI, folder json/ (MIT licence, Copyright (c) 2012
Julian Berman). Usage: make.py .../jsonschema-4.17.3/json/tests/draft2020-12

Every verdict of the suite is checked once more with the Python package `jsonschema`, formats included; a case on which
both disagree is left out, so the file holds what two sources agree on. Schemas that need the network or another
document are left out, and so are instances that no JSON text of moderate size can hold.
"""
import json
import pathlib
import sys

import jsonschema

SKIP = {"refRemote", "anchor", "id", "dynamicRef", "vocabulary", "content", "defs", "unknownKeyword", "format"}
FORMATS = ["date", "time", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri"]


def main():
    root = pathlib.Path(sys.argv[1])
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    files = [p for p in sorted(root.glob("*.json")) if p.stem not in SKIP]
    files += [root / "optional" / "format" / f"{f}.json" for f in FORMATS]
    groups = []
    for path in files:
        for case in json.loads(path.read_text()):
            schema = case["schema"]
            if "http" in json.dumps({k: v for k, v in schema.items() if k != "$schema"} if isinstance(schema, dict) else 0):
                continue
            if isinstance(schema, dict):
                schema.pop("$schema", None)
            validator = jsonschema.Draft202012Validator(schema, format_checker=checker)
            tests = []
            for test in case["tests"]:
                text = json.dumps(test["data"], ensure_ascii=False)
                if len(text) < 2000:
                    if validator.is_valid(test["data"]) == test["valid"]:
                        tests.append({"data": test["data"], "valid": test["valid"]})
            if tests:
                groups.append({"file": path.stem, "name": case["description"], "schema": schema, "tests": tests})
    out = pathlib.Path(__file__).parent / "suite.json"
    out.write_text("[\n" + ",\n".join(json.dumps(g, ensure_ascii=False, separators=(",", ":")) for g in groups) + "\n]\n")
    print(len(groups), "schemas,", sum(len(g["tests"]) for g in groups), "instances")


main()
