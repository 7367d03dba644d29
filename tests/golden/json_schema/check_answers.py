#!/usr/bin/env python3
"""Asks a running `jevons serve` for answers that fit the schemas of suite.json, and validates those that end with the Python
package `jsonschema` (formats included). Best with a tiny random model, whose answers are noise.

    check_answers.py http://127.0.0.1:8080 [ANSWERS]     ANSWERS per schema, default 6: two each at temperature 0.5, 1 and 2
"""
import json
import pathlib
import sys
import urllib.error
import urllib.request

import jsonschema

URL, COUNT = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 6


def post(path, body):
    try:
        with urllib.request.urlopen(URL + path, json.dumps(body).encode(), timeout=120) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def is_known_deviation(text, error):
    """A free name may be written twice (docs/constrained.md); jsonschema divides in floating point for multipleOf, and its
    dates begin with the year 1, those of RFC 3339 with 0."""
    names = []
    json.loads(text, object_pairs_hook=lambda pairs: names.append([k for k, _ in pairs]))
    return any(len(set(n)) < len(n) for n in names) or getattr(error, "validator", "") == "multipleOf" or (
        getattr(error, "validator", "") == "format" and text.startswith('"0000-'))


def main():
    sys.set_int_max_str_digits(0)
    bias = {}  # what ends strings and containers: noise would go on for ever
    for text in ('"', "}", "]"):
        bias[post("/tokenize", {"content": text})[1]["tokens"][0]] = 6
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    schemas = refused = valid = cut = bad = deviations = 0
    suite = json.loads((pathlib.Path(__file__).parent / "suite.json").read_text())
    for group in suite:
        form = {"type": "json_schema", "json_schema": {"name": "x", "schema": group["schema"], "strict": True}}
        for i in range(COUNT):
            status, reply = post("/v1/chat/completions", {
                "messages": [{"role": "user", "content": "hello"}], "thinking": {"type": "disabled"}, "response_format": form,
                "temperature": (0.5, 1, 2)[i % 3], "seed": i, "logit_bias": bias, "max_tokens": 400})
            if status != 200:
                refused += 1
                if status != 400 or not reply["error"]["param"].startswith("response_format"):
                    bad += 1
                    print(group["schema"], reply)
                break
            schemas += i == 0
            choice = reply["choices"][0]
            if choice["finish_reason"] != "stop":
                cut += 1
                continue
            text = choice["message"]["content"]
            try:
                jsonschema.Draft202012Validator(group["schema"], format_checker=checker).validate(json.loads(text))
                valid += 1
            except Exception as error:
                known = is_known_deviation(text, error)
                deviations, bad = deviations + known, bad + (not known)
                print("deviation" if known else "NOT VALID", group["schema"], text, str(error).split("\n")[0], sep="\n  ")
    print(f"{schemas} schemas answered, {refused} refused; {valid} answers valid, {cut} cut by max_tokens, "
          f"{deviations} known deviations, {bad} not valid")
    sys.exit(bad > 0)


main()
