"""Calls an emulator: call.py URL, with a JSON list of [service, operation, parameters] on standard input.

Prints the JSON list of the answers.
"""

import json
import sys

import boto3
from botocore.config import Config

clients = {}
answers = []
for service, operation, parameters in json.load(sys.stdin):
    if service not in clients:
        clients[service] = boto3.client(
            service,
            endpoint_url=sys.argv[1],
            region_name="eu-west-1",
            aws_access_key_id="000000000001",
            aws_secret_access_key="secret",
            config=Config(retries={"max_attempts": 1}),
        )
    answer = getattr(clients[service], operation)(**parameters)
    answer.pop("ResponseMetadata", None)
    answers.append(answer)
json.dump(answers, sys.stdout, default=str)
