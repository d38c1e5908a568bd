"""Clients that others wrote, unmodified, against the sandbox's proxy under the real names.

Reads a JSON object on stdin: the sandbox's description, a certificate with its key, and the
control endpoint. Prints one JSON object: what each flow gave. Uses msal, azure-identity, requests.
"""

import json
import sys
import threading
import time

import msal
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import (
    CertificateCredential,
    ClientAssertionCredential,
    ClientSecretCredential,
    DeviceCodeCredential,
    UsernamePasswordCredential,
)

given = json.load(sys.stdin)
about = given["description"]
oauth2 = about["credentials"]["oauth2"]
basic = about["credentials"]["basic"]
tenant, tenant_id = about["tenant"], about["tenant_id"]
authority = "https://login.microsoftonline.com/" + tenant
EXCHANGE = "https://outlook.office365.com"
COMPLIANCE = "https://ps.compliance.protection.outlook.com"
PUBLIC = "fb78d390-0c51-40cd-8e17-fdbfab77341b"
out = {}


def app(credential, client_id=oauth2["client_id"], authority=authority):
    return msal.ConfidentialClientApplication(
        client_id, authority=authority, client_credential=credential
    )


def brief(result):
    if "access_token" in result:
        return "token"
    return [result["error"], result.get("error_codes")]


def control(method, path, body=None):
    session = requests.Session()
    session.trust_env = False
    answer = session.request(
        method,
        about["control"]["url"] + path,
        json=body,
        headers={"Authorization": "Bearer " + about["control"]["token"]},
    )
    answer.raise_for_status()
    return answer.json()


scopes = [EXCHANGE + "/.default"]
secret = app(oauth2["client_secret"])
result = secret.acquire_token_for_client(scopes)
out["msal secret"] = brief(result)
token = result["access_token"]
out["msal secret, compliance"] = brief(secret.acquire_token_for_client([COMPLIANCE + "/.default"]))
out["msal wrong secret"] = brief(app("wrong").acquire_token_for_client(scopes))
out["msal unknown app"] = brief(
    app("x", "11111111-2222-4333-8444-555555555555").acquire_token_for_client(scopes)
)
try:
    app("x", authority="https://login.microsoftonline.com/nowhere.example")
    out["msal unknown tenant"] = "built"
except ValueError:
    out["msal unknown tenant"] = "refused"
certificate = {"private_key": given["key"], "public_certificate": given["certificate"]}
out["msal certificate"] = brief(app(certificate).acquire_token_for_client(scopes))
thumbprint = {"private_key": given["key"], "thumbprint": given["thumbprint"]}
out["msal thumbprint"] = brief(app(thumbprint).acquire_token_for_client(scopes))
forged = {"private_key": given["other_key"], "thumbprint": given["thumbprint"]}
out["msal forged certificate"] = brief(app(forged).acquire_token_for_client(scopes))
assertion = {"client_assertion": given["assertion"]}
out["msal assertion"] = brief(app(assertion).acquire_token_for_client(scopes))

public = msal.PublicClientApplication(PUBLIC, authority=authority)
user = public.acquire_token_by_username_password(
    basic["username"], basic["password"], scopes
)
out["msal password"] = brief(user)
accounts = public.get_accounts()
out["msal accounts"] = len(accounts)
for resource in (COMPLIANCE, "https://graph.microsoft.com"):
    silent = public.acquire_token_silent([resource + "/.default"], account=accounts[0])
    out["msal silent " + resource] = brief(silent or {"error": "none"})
out["msal wrong password"] = brief(
    public.acquire_token_by_username_password(basic["username"], "wrong", scopes)
)
for name in ("mfa", "expired", "blocked", "nobody"):
    out["msal " + name] = brief(
        public.acquire_token_by_username_password(name + "@" + tenant, basic["password"], scopes)
    )
control("POST", "/control/settings", {"device_interval": 1})
flow = public.initiate_device_flow(scopes)
threading.Timer(
    1.5, lambda: control("POST", "/control/device-code/approve", {"user_code": flow["user_code"]})
).start()
out["msal device code"] = brief(public.acquire_token_by_device_flow(flow))


def azure(make):
    try:
        make().get_token(scopes[0])
        return "token"
    except ClientAuthenticationError as error:
        text = str(error)
        return text[text.index("AADSTS") :].split(":")[0]


client_id = oauth2["client_id"]
out["azure secret"] = azure(
    lambda: ClientSecretCredential(tenant_id, client_id, oauth2["client_secret"])
)
out["azure wrong secret"] = azure(lambda: ClientSecretCredential(tenant_id, client_id, "wrong"))
pem = (given["key"] + given["certificate"]).encode()
out["azure certificate"] = azure(
    lambda: CertificateCredential(tenant_id, client_id, certificate_data=pem)
)
out["azure assertion"] = azure(
    lambda: ClientAssertionCredential(tenant_id, client_id, lambda: given["assertion"])
)
out["azure password"] = azure(
    lambda: UsernamePasswordCredential(
        PUBLIC, basic["username"], basic["password"], tenant_id=tenant_id
    )
)


def approve(uri, code, expires):
    threading.Timer(
        1.0, lambda: control("POST", "/control/device-code/approve", {"user_code": code})
    ).start()


out["azure device code"] = azure(
    lambda: DeviceCodeCredential(PUBLIC, tenant_id=tenant_id, prompt_callback=approve)
)

session = requests.Session()
session.headers.update({"Authorization": "Bearer " + token, "Content-Type": "application/json"})
url = EXCHANGE + "/adminapi/beta/" + tenant_id + "/InvokeCommand"


def invoke(name, **parameters):
    body = {"CmdletInput": {"CmdletName": name, "Parameters": parameters}}
    return session.post(url, json=body)


entry = "stranger@evil.example"
added = invoke("New-TenantAllowBlockListItems", ListType="Sender", Entries=[entry], Block=True, NoExpiration=True)
out["requests add"] = added.status_code
rows = invoke("Get-TenantAllowBlockListItems", ListType="Sender", Block=True).json()["value"]
out["requests list"] = [row["Value"] for row in rows]
out["requests remove"] = invoke(
    "Remove-TenantAllowBlockListItems", ListType="Sender", Entries=[entry]
).status_code
rows = invoke("Get-TenantAllowBlockListItems", ListType="Sender", Block=True).json()["value"]
out["requests list after"] = [row["Value"] for row in rows]
try:
    session.get("https://example.com/", timeout=10)
    out["requests stranger"] = "passed on"
except requests.exceptions.ProxyError:
    out["requests stranger"] = "refused"
json.dump(out, sys.stdout)
