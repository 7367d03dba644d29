#!/usr/bin/env python3
"""Validates texts that the grammar engine produced, with the Python package `jsonschema` (formats included).

    JEVONS_GRAMMAR_WALKS=/tmp/walks build/release/text_test --gtest_filter=JsonSchema.RandomTextsAreJson
    check_walks.py /tmp/walks
"""
import json
import sys

import jsonschema


def main():
    data = open(sys.argv[1], "rb").read()
    at = texts = bad = 0
    schemas = set()
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    sys.set_int_max_str_digits(0)
    while at < len(data):
        end = data.index(b"\n", at)
        schema, size = data[at:end].split(b"\t")
        text = data[end + 1 : end + 1 + int(size)].decode()
        at = end + 2 + int(size)
        texts += 1
        schemas.add(schema)
        try:
            jsonschema.Draft202012Validator(json.loads(schema), format_checker=checker).validate(json.loads(text))
        except Exception as error:
            bad += 1
            print(schema.decode(), text, str(error).split("\n")[0], sep="\n  ")
    print(f"{texts} texts of {len(schemas)} schemas, {bad} not valid")
    sys.exit(bad > 0)


main()
