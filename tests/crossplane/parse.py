"""Reads paths of nginx configurations, one a line, and answers each with its directives as a line of JSON."""

import json
import sys

import crossplane


def directive(parsed):
    tree = {"directive": parsed["directive"], "args": parsed["args"]}
    if "block" in parsed:
        tree["block"] = [directive(inner) for inner in parsed["block"]]
    return tree


for path in sys.stdin:
    payload = crossplane.parse(path.rstrip("\n"), single=True)
    errors = [str(error["error"]) for error in payload["errors"]]
    directives = [directive(parsed) for parsed in payload["config"][0]["parsed"]]
    print(json.dumps({"errors": errors, "directives": directives}), flush=True)
