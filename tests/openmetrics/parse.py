"""Reads metrics in the text format that is named, and prints a line of JSON for each family."""

import json
import sys

from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics

parse = {"text": parser, "openmetrics": openmetrics}[sys.argv[1]].text_string_to_metric_families

for family in parse(sys.stdin.read()):
    samples = [[sample.name, sample.labels, str(sample.value)] for sample in family.samples]
    print(json.dumps({"name": family.name, "type": family.type, "help": family.documentation, "samples": samples}))
