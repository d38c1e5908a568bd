"""Requests that schemathesis makes up from the OpenAPI document, with an administrator's token.

Reads from standard input where the service is, a token, how many examples an operation gets, and
one call of each operation that must succeed; half of the examples take its parts, and half of those
wait for the end of what they start. Every answer must be documented, in status, media type and
schema, and none may be a 5xx. Prints the counts as JSON: of all requests, and of the made-up ones
apart from the calls that were given.
"""

import json
import logging
import re
import sys
from collections import Counter
from urllib.parse import parse_qsl, unquote

import hypothesis
import requests
import schemathesis
from hypothesis import strategies
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
# What would end the run for all others comes last.
LAST = {"freeze": 1, "unfreeze": 2}
# How long a run that is made up is waited for, in seconds of the service's clock.
WAITS = [0, 5]


@schemathesis.serializer("message/rfc822")
def mail(context, value):
    """A mail is sent as it is."""
    return value if isinstance(value, bytes) else str(value).encode()


def parts(template, call):
    """Path parameters and query of a call."""
    path, _, query = call["path"].partition("?")
    names = re.findall(r"{(\w+)}", template)
    pattern = re.sub(r"{\w+}", "([^/]+)", template)
    values = re.fullmatch(pattern, path).groups()
    return dict(zip(names, map(unquote, values))), dict(parse_qsl(query))


def main():
    given = json.load(sys.stdin)
    logging.disable(logging.CRITICAL)
    document = requests.get(given["url"] + "/api/v1/openapi.json", timeout=60).json()
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=given["url"])
    headers = {"Authorization": "Bearer " + given["token"]}
    session = requests.Session()
    operations = [result.ok() for result in schema.get_all_operations()]
    operations.sort(key=lambda one: LAST.get(one.definition.raw["operationId"], 0))
    counts, made_up, failures = {}, {}, []
    for operation in operations:
        name = operation.definition.raw["operationId"]
        call = given["calls"][name]
        path, query = parts(operation.path, call)
        counted, strange_ones = counts[name], made_up[name] = Counter(), Counter()

        def send(case, *counters):
            response = case.call(headers=headers, session=session, timeout=120)
            for counter in (counted, *counters):
                counter[str(response.status_code)] += 1
            case.validate_response(response, checks=CHECKS)

        good = operation.Case(path_parameters=path, query=query)
        if call.get("body") is not None:
            good.body, good.media_type = call["body"], "application/json"
        elif "text" in call:
            good.body, good.media_type = call["text"].encode(), "message/rfc822"

        @hypothesis.settings(
            max_examples=given["count"],
            deadline=None,
            database=None,
            derandomize=True,
            phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(
            case=operation.as_strategy(),
            known=strategies.booleans(),
            wait=strategies.sampled_from(WAITS),
        )
        def strange(case, known, wait):
            if known and path:
                case.path_parameters = path
            if known and isinstance(case.body, dict) and call.get("body"):
                # Names that exist lead further than names that are made up.
                for member in ("command", "connection", "Site", "list_type", "expires"):
                    if member in call["body"]:
                        case.body[member] = call["body"][member]
            if "wait" in query and known:
                # The result of a run has a schema of its own.
                case.query = {**(case.query or {}), "wait": wait}
            elif "wait" in (case.query or {}):
                case.query["wait"] = 0
            send(case, strange_ones)

        try:
            send(good)
            strange()
            # An operation without parameters has fewer different requests than are wanted.
            while operation.method == "get" and counted.total() < given["count"]:
                send(good)
        except BaseException as error:  # one defect must not hide another
            failures.append(f"{name}: {str(error)[:2000]}")
        if not any(status.startswith("2") for status in counted):
            failures.append(f"{name}: no 2xx in {dict(counted)}")
    json.dump({"counts": counts, "made_up": made_up, "failures": failures}, sys.stdout)


main()
