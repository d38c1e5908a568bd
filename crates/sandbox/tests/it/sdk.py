"""Microsoft's own SDK for Graph: case, search, estimate and purge, as its documentation has it.

Standard input says who signs in and how to move the tenant's clock; standard output is what the
SDK made of the answers.
"""

import asyncio
import json
import sys
import urllib.request

from azure.identity.aio import ClientSecretCredential
from kiota_abstractions.api_error import APIError
from msgraph import GraphServiceClient
from msgraph.generated.models.security.data_source_scopes import DataSourceScopes
from msgraph.generated.models.security.ediscovery_case import EdiscoveryCase
from msgraph.generated.models.security.ediscovery_estimate_operation import (
    EdiscoveryEstimateOperation,
)
from msgraph.generated.models.security.ediscovery_purge_data_operation import (
    EdiscoveryPurgeDataOperation,
)
from msgraph.generated.models.security.ediscovery_search import EdiscoverySearch
from msgraph.generated.models.security.purge_areas import PurgeAreas
from msgraph.generated.models.security.purge_type import PurgeType
from msgraph.generated.security.cases.ediscovery_cases.item.searches.item.microsoft_graph_security_purge_data.purge_data_post_request_body import (
    PurgeDataPostRequestBody,
)

given = json.load(sys.stdin)
about = given["description"]
app = about["credentials"]["oauth2"]


def advance(seconds):
    """Moves the tenant's clock."""
    control = about["control"]
    body = json.dumps({"advance_seconds": seconds}).encode()
    headers = {"Authorization": "Bearer " + control["token"]}
    request = urllib.request.Request(control["url"] + "/clock", body, headers)
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    direct.open(request).read()


async def main():
    result = {}
    credential = ClientSecretCredential(
        about["tenant_id"], app["client_id"], app["client_secret"]
    )
    client = GraphServiceClient(credential, ["https://graph.microsoft.com/.default"])
    cases = client.security.cases.ediscovery_cases
    made = await cases.post(EdiscoveryCase(display_name="Of the SDK"))
    listed = await cases.get()
    result["cases"] = sorted(case.display_name for case in listed.value)
    case = cases.by_ediscovery_case_id(made.id)
    search = await case.searches.post(
        EdiscoverySearch(
            display_name="wave",
            content_query=given["query"],
            data_source_scopes=DataSourceScopes.AllTenantMailboxes,
        )
    )
    one = case.searches.by_ediscovery_search_id(search.id)
    try:
        await one.last_estimate_statistics_operation.get()
    except APIError as error:
        result["before the first estimate"] = [error.response_status_code, error.error.code]
    await one.microsoft_graph_security_estimate_statistics.post()
    advance(600)
    last = await one.last_estimate_statistics_operation.get()
    result["estimate"] = [last.status.value, last.indexed_item_count]
    await one.microsoft_graph_security_purge_data.post(
        PurgeDataPostRequestBody(
            purge_type=PurgeType.PermanentlyDelete, purge_areas=PurgeAreas.Mailboxes
        )
    )
    advance(600)
    operations = (await case.operations.get()).value
    result["operations"] = [
        [type(operation).__name__, operation.status.value, operation.action.value]
        for operation in operations
    ]
    result["typed"] = [
        isinstance(operations[0], EdiscoveryPurgeDataOperation),
        isinstance(operations[1], EdiscoveryEstimateOperation),
    ]
    await one.microsoft_graph_security_estimate_statistics.post()
    advance(600)
    last = await one.last_estimate_statistics_operation.get()
    result["after the purge"] = [last.status.value, last.indexed_item_count]
    await one.delete()
    try:
        await one.get()
    except APIError as error:
        result["deleted search"] = [error.response_status_code, error.error.code]
    await credential.close()
    print(json.dumps(result))


asyncio.run(main())
