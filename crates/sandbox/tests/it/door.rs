//! The door: tokens, roles, binding, envelopes, paging.

use std::time::Duration;

use base64::Engine;
use sandbox::{
    cmdlet::Kind,
    options::{DeniedBody, DetailsForm, HiddenParameter, Redirect},
    tenant::CMDLETS,
};
use serde_json::{Value, json};

use crate::lab::{Lab, Reply, send};

const GET: &str = "Get-TenantAllowBlockListItems";

fn senders() -> Value {
    json!({"ListType": "Sender"})
}

#[tokio::test]
async fn a_call_is_answered_in_the_envelope() {
    let lab = Lab::new().await;
    let token = lab.exchange_token().await;
    let reply = lab.block(&token, "bad@evil.example").await.unwrap();
    assert_eq!(reply.status, 200, "{:?}", reply.bytes);
    let body = reply.json();
    let about = lab.running.description();
    assert_eq!(
        body["@odata.context"],
        format!(
            "{}/adminapi/beta/{}/$metadata#Collection(Exchange.GenericHashTable)",
            about.exchange, about.tenant
        )
    );
    assert_eq!(body["@adminapi.warnings"], json!([]));
    assert_eq!(body["value"][0]["Value"], "bad@evil.example");
    assert_eq!(reply.header("x-mailcordon-simulated"), "true");
    assert!(uuid::Uuid::try_parse(reply.header("request-id")).is_ok());
    assert!(
        reply
            .header("x-calculatedbetarget")
            .ends_with("prod.outlook.com")
    );
    assert!(reply.header("date").ends_with("GMT"));
    assert_eq!(lab.listed(&token).await, ["bad@evil.example"]);
    // The name in any case, the path in any case, a GUID for the tenant.
    let url = format!(
        "{}/AdminApi/beta/{}/invokecommand",
        about.exchange, about.tenant_id
    );
    let reply = lab
        .invoke_at(&url, &token, &[], &GET.to_lowercase(), senders())
        .await
        .unwrap();
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn select_keeps_the_named_properties() {
    let lab = Lab::new().await;
    let token = lab.exchange_token().await;
    lab.block(&token, "bad@evil.example").await.unwrap();
    let url = format!("{}?$select=Value,Action", lab.invoke_url());
    let body = lab
        .invoke_at(&url, &token, &[], GET, senders())
        .await
        .unwrap()
        .json();
    let names: Vec<&String> = body["value"][0].as_object().unwrap().keys().collect();
    assert!(
        names
            .iter()
            .all(|name| name.starts_with("Value") || name.starts_with("Action"))
    );
    assert_eq!(body["value"][0]["Action"], "Block");
}

#[tokio::test]
async fn tokens_that_do_not_fit_are_401_without_a_body() {
    let lab = Lab::new().await;
    let about = lab.running.description().clone();
    let compliance = lab.app_token("containment", &about.compliance).await;
    let no_role = lab.app_token("no-app-role", &about.exchange).await;
    let good = lab.exchange_token().await;
    let forged = format!("{}x", &good[..good.len() - 1]);
    for (token, word) in [
        (compliance.as_str(), "audience"),
        (no_role.as_str(), "permissions"),
        (forged.as_str(), "signature"),
        ("", "missing"),
    ] {
        let reply = lab.invoke(token, GET, senders()).await;
        assert_eq!((reply.status, reply.bytes.len()), (401, 0));
        assert!(reply.header("x-ms-diagnostics").contains(word), "{word}");
        assert!(reply.header("www-authenticate").starts_with("Bearer "));
    }
    let reply = send("POST", &lab.invoke_url(), &[], "{}".to_owned())
        .await
        .unwrap();
    assert_eq!(reply.status, 401);
    let elsewhere = format!(
        "{}/adminapi/beta/other.example/InvokeCommand",
        about.exchange
    );
    let reply = lab
        .invoke_at(&elsewhere, &good, &[], GET, senders())
        .await
        .unwrap();
    assert_eq!(reply.status, 401);
    lab.running.advance(Duration::from_hours(1));
    let reply = lab.invoke(&good, GET, senders()).await;
    assert_eq!(reply.status, 401);
    assert!(reply.header("x-ms-diagnostics").contains("expired"));
}

#[tokio::test]
async fn real_names_are_audiences_too_and_a_trailing_slash_is_nothing() {
    let lab = Lab::new().await;
    for audience in [
        "https://outlook.office365.com",
        "https://outlook.office.com",
        "https://outlook.office365.com/",
    ] {
        let token = lab.app_token("containment", audience).await;
        assert_eq!(
            lab.invoke(&token, GET, senders()).await.status,
            200,
            "{audience}"
        );
    }
}

#[tokio::test]
async fn a_claims_challenge_wants_a_token_that_answers_it() {
    let lab = Lab::new().await;
    let about = lab.running.description().clone();
    let token = lab.exchange_token().await;
    lab.running.challenge_tokens();
    let reply = lab.invoke(&token, GET, senders()).await;
    let header = reply.header("www-authenticate").to_owned();
    let claims = header
        .split("claims=\"")
        .nth(1)
        .unwrap()
        .trim_end_matches('"');
    let claims = base64::engine::general_purpose::STANDARD
        .decode(claims)
        .unwrap();
    let claims = String::from_utf8(claims).unwrap();
    assert_eq!(
        lab.invoke(&lab.exchange_token().await, GET, senders())
            .await
            .status,
        401
    );
    let scope = format!("{}/.default", about.exchange);
    let value = lab
        .ask_token(&[
            ("grant_type", "client_credentials"),
            ("client_id", &about.credentials.oauth2.client_id),
            ("client_secret", &about.credentials.oauth2.client_secret),
            ("scope", &scope),
            ("claims", &claims),
        ])
        .await
        .json();
    let token = value["access_token"].as_str().unwrap();
    assert_eq!(lab.invoke(token, GET, senders()).await.status, 200);
}

#[tokio::test]
async fn roles_decide_which_cmdlets_exist() {
    let lab = Lab::new().await;
    let exchange = lab.running.description().exchange.clone();
    let none = lab.app_token("no-directory-role", &exchange).await;
    let reply = lab.invoke(&none, GET, senders()).await;
    assert_eq!(reply.status, 403);
    let text = String::from_utf8(reply.bytes.to_vec()).unwrap();
    let id = lab.running.app("no-directory-role").unwrap();
    assert!(text.starts_with(&format!(
        "The role assigned to application {id} isn't supported"
    )));

    let reader = lab.app_token("security-reader", &exchange).await;
    assert_eq!(lab.invoke(&reader, GET, senders()).await.status, 200);
    let reply = lab.block(&reader, "x@evil.example").await.unwrap();
    assert_denied(&reply);
    assert_denied(
        &lab.invoke(&lab.exchange_token().await, "Get-Nothing", json!({}))
            .await,
    );

    lab.running
        .change(|settings| settings.denied_body = DeniedBody::Json)
        .unwrap();
    let reply = lab.block(&reader, "x@evil.example").await.unwrap();
    assert_eq!(reply.json()["error"]["code"], "Forbidden");

    let url = lab
        .invoke_url()
        .replace("/beta/", "/v1.0/")
        .replace("InvokeCommand", "EXOModuleFile?Version=3.9.2");
    let bearer = format!("Bearer {reader}");
    let list = send(
        "GET",
        &url,
        &[("authorization", &bearer), ("CommandName", "*")],
        String::new(),
    )
    .await
    .unwrap()
    .json();
    let names = list["value"][0]["exportedCmdlets"].as_str().unwrap();
    assert!(names.split(',').any(|name| name == GET));
    assert!(!names.contains("New-TenantAllowBlockListItems"));
}

fn assert_denied(reply: &Reply) {
    assert_eq!(reply.status, 403);
    assert_eq!(reply.header("content-encoding"), "gzip");
    assert_eq!(reply.bytes.len(), 4096);
    assert!(reply.bytes.iter().all(|byte| *byte == 0));
    assert!(
        reply
            .header("x-ms-diagnostics")
            .starts_with("2000003;reason=")
    );
    assert_eq!(
        reply.header("x-exceptiontype"),
        "CmdletAccessDeniedException"
    );
}

#[tokio::test]
async fn a_role_hides_a_parameter() {
    let hidden = CMDLETS.iter().find_map(|spec| {
        let parameter = spec.parameters.iter().find(|one| one.role.is_some())?;
        Some((*spec, parameter))
    });
    let Some((spec, parameter)) = hidden else {
        panic!("no cmdlet has a parameter behind a role")
    };
    let lab = Lab::new().await;
    // A user whose one role group gives the cmdlet and not the parameter.
    let roles = match parameter.role {
        Some("Search And Purge" | "Preview") => ["Compliance Administrator"],
        Some("Mail Recipients") => ["Security Administrator"],
        other => panic!("extend this test for {other:?}"),
    };
    lab.running
        .change(|settings| settings.app_roles = roles.map(str::to_owned).to_vec())
        .unwrap();
    let about = lab.running.description().clone();
    let (base, audience) = if spec.services.contains(&sandbox::cmdlet::Service::Exchange) {
        (about.exchange.clone(), about.exchange.clone())
    } else {
        (about.compliance.clone(), about.compliance.clone())
    };
    let token = lab.app_token("containment", &audience).await;
    let url = format!("{base}/adminapi/beta/{}/InvokeCommand", about.tenant);
    let given = json!({parameter.name: true});
    let reply = lab
        .invoke_at(&url, &token, &[], spec.name, given.clone())
        .await
        .unwrap();
    assert_eq!(reply.status, 400, "{spec:?}");
    let text = format!(
        "A parameter cannot be found that matches parameter name '{}'.",
        parameter.name
    );
    assert_eq!(reply.refusal(), text);
    lab.running
        .change(|s| s.hidden_parameter = HiddenParameter::Ambiguous)
        .unwrap();
    let reply = lab
        .invoke_at(&url, &token, &[], spec.name, given)
        .await
        .unwrap();
    assert!(
        reply
            .refusal()
            .ends_with(&format!("specified. {}", parameter.name))
    );
}

#[tokio::test]
async fn binding_errors_are_the_recorded_ones() {
    let lab = Lab::new().await;
    let token = lab.exchange_token().await;
    let recorded: Value =
        serde_json::from_str(include_str!("../../../../tests/data/wire/errors.json")).unwrap();
    let reply = lab
        .invoke(
            &token,
            GET,
            json!({"ListType": "Sender", "BogusParameter": 1}),
        )
        .await;
    let wanted = recorded["400_unknown_parameter__LIVE_2026-07-23"]["body"]["error"].clone();
    let got = reply.json()["error"].clone();
    assert_eq!(got["details"], wanted["details"]);
    assert_eq!(got["innererror"], wanted["innererror"]);
    assert_eq!(
        lab.invoke(&token, GET, json!({"listtype": "Sender"}))
            .await
            .status,
        400
    );
    assert_eq!(lab.invoke(&token, GET, json!({})).await.status, 400);
    let reply = lab
        .invoke(&token, GET, json!({"ListType": "Nonsense"}))
        .await;
    assert!(
        reply
            .refusal()
            .contains("Unable to match the identifier name Nonsense")
    );
    assert!(reply.json()["error"].get("details").is_none());
    assert_eq!(
        lab.invoke(&token, GET, json!({"ListType": "send"}))
            .await
            .status,
        200,
        "prefix"
    );
    let null = lab.invoke(&token, GET, Value::Null).await;
    assert_eq!(null.status, 400);
}

#[tokio::test]
async fn error_details_come_in_three_forms() {
    let lab = Lab::new().await;
    let token = lab.exchange_token().await;
    lab.block(&token, "bad@evil.example").await.unwrap();
    let message = async |form| {
        lab.running
            .change(|settings| settings.details = form)
            .unwrap();
        let reply = lab.block(&token, "bad@evil.example").await.unwrap();
        assert_eq!(reply.status, 400);
        reply.json()["error"]["details"][0]["message"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(message(DetailsForm::Bars).await.split('|').count(), 3);
    let inner: Value = serde_json::from_str(&message(DetailsForm::Json).await).unwrap();
    assert!(
        inner["Message"]
            .as_str()
            .unwrap()
            .contains("Duplicate value")
    );
    let plain = message(DetailsForm::Plain).await;
    assert!(
        plain.contains("Duplicate value") && !plain.contains("System."),
        "{plain}"
    );
}

#[tokio::test]
async fn a_prefer_header_pages_and_the_cursor_stays_on_its_back_end() {
    let lab = Lab::new().await;
    let token = lab.exchange_token().await;
    for number in 0..5 {
        lab.block(&token, &format!("bad{number}@evil.example"))
            .await
            .unwrap();
    }
    let anchor = format!(
        "UPN:SystemMailbox{{bb558c35}}@{}",
        lab.running.description().tenant
    );
    let more = [
        ("prefer", "odata.maxpagesize=2"),
        ("x-anchormailbox", anchor.as_str()),
    ];
    let mut url = lab.invoke_url();
    let mut seen = Vec::new();
    let mut links = Vec::new();
    loop {
        let reply = lab
            .invoke_at(&url, &token, &more, GET, senders())
            .await
            .unwrap();
        assert_eq!(reply.status, 200, "{:?}", reply.bytes);
        let body = reply.json();
        for row in body["value"].as_array().unwrap() {
            seen.push(row["Value"].as_str().unwrap().to_owned());
        }
        let Some(next) = body["@odata.nextLink"].as_str() else {
            break;
        };
        assert!(
            body["@adminapi.warnings"][0]
                .as_str()
                .unwrap()
                .starts_with("There are more")
        );
        assert!(reply.header("x-warnings").contains("There are more"));
        assert!(
            next.starts_with(&lab.running.description().exchange)
                && next.contains("%24skiptoken=AD")
        );
        url = next.to_owned();
        links.push(url.clone());
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 5);
    assert_eq!(links.len(), 2);

    let lost = |reply: &Reply| {
        assert_eq!(reply.status, 400);
        assert_eq!(
            reply.refusal(),
            "Expired or Invalid pagination request. Default Expiry time is 00:30:00"
        );
    };
    let other = format!("{anchor}x");
    let elsewhere = [
        ("prefer", "odata.maxpagesize=2"),
        ("x-anchormailbox", other.as_str()),
    ];
    lost(
        &lab.invoke_at(&links[0], &token, &elsewhere, GET, senders())
            .await
            .unwrap(),
    );
    let changed = json!({"ListType": "Sender", "Block": true});
    lost(
        &lab.invoke_at(&links[0], &token, &more, GET, changed)
            .await
            .unwrap(),
    );
    lab.running.advance(Duration::from_mins(31));
    lost(
        &lab.invoke_at(&links[0], &token, &more, GET, senders())
            .await
            .unwrap(),
    );
}

#[tokio::test]
async fn without_an_anchor_the_cookie_keeps_a_cursor_alive() {
    let lab = Lab::new().await;
    let token = lab.exchange_token().await;
    for number in 0..3 {
        lab.block(&token, &format!("bad{number}@evil.example"))
            .await
            .unwrap();
    }
    let prefer = ("prefer", "odata.maxpagesize=1");
    let first = lab
        .invoke_at(&lab.invoke_url(), &token, &[prefer], GET, senders())
        .await
        .unwrap();
    let next = first.json()["@odata.nextLink"].as_str().unwrap().to_owned();
    let cookie = first
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let bare = lab
        .invoke_at(&next, &token, &[prefer], GET, senders())
        .await
        .unwrap();
    assert_eq!(bare.status, 400, "another back end answers");
    let kept = lab
        .invoke_at(
            &next,
            &token,
            &[prefer, ("cookie", &cookie)],
            GET,
            senders(),
        )
        .await;
    assert_eq!(kept.unwrap().status, 200);
}

#[tokio::test]
async fn result_size_cuts_where_the_setting_says_so() {
    let Some(spec) = CMDLETS.iter().find(|spec| spec.name == "Get-Mailbox") else {
        panic!("Get-Mailbox is not simulated");
    };
    assert!(
        spec.parameters
            .iter()
            .any(|one| one.name == "ResultSize" && one.kind == Kind::Size)
    );
    let lab = Lab::new().await;
    let token = lab.exchange_token().await;
    let count = async |size: Value| {
        let body = lab
            .invoke(&token, "Get-Mailbox", json!({"ResultSize": size}))
            .await
            .json();
        (
            body["value"].as_array().unwrap().len(),
            body["@odata.nextLink"].is_string(),
        )
    };
    assert_eq!(count(json!(1)).await, (1, true));
    let (all, more) = count(json!("Unlimited")).await;
    assert!(all >= 12 && !more);
    lab.running
        .change(|settings| settings.result_size_honoured = false)
        .unwrap();
    assert_eq!(count(json!(1)).await, (all, false));
}

#[tokio::test]
async fn paths_and_methods_that_do_not_exist() {
    let lab = Lab::new().await;
    let token = lab.exchange_token().await;
    let v1 = lab.invoke_url().replace("/beta/", "/v1.0/");
    assert_eq!(
        lab.invoke_at(&v1, &token, &[], GET, senders())
            .await
            .unwrap()
            .status,
        405
    );
    let v2 = lab
        .invoke_url()
        .replace("/beta/", "/v2.0/")
        .replace("InvokeCommand", "Mailbox");
    assert_eq!(
        lab.invoke_at(&v2, &token, &[], GET, senders())
            .await
            .unwrap()
            .status,
        404
    );
    let bearer = format!("Bearer {token}");
    let get = send(
        "GET",
        &lab.invoke_url(),
        &[("authorization", &bearer)],
        String::new(),
    )
    .await;
    assert_eq!(get.unwrap().status, 405);
}

#[tokio::test]
async fn a_batch_runs_up_to_ten_calls() {
    let lab = Lab::new().await;
    let token = lab.exchange_token().await;
    let one = |id: usize, cmdlet: &str| {
        json!({
            "id": id.to_string(), "method": "POST", "url": lab.invoke_url(),
            "body": {"CmdletInput": {"CmdletName": cmdlet, "Parameters": {"ListType": "Sender"}}},
        })
    };
    let url = lab.invoke_url().replace("InvokeCommand", "$batch");
    let bearer = format!("Bearer {token}");
    let post = async |accept: Option<&str>, requests: Vec<Value>| {
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend(accept.map(|accept| ("accept", accept)));
        send(
            "POST",
            &url,
            &headers,
            json!({"requests": requests}).to_string(),
        )
        .await
        .unwrap()
    };
    let reply = post(
        Some("application/json"),
        vec![one(0, GET), one(1, "Get-Nothing")],
    )
    .await
    .json();
    assert_eq!(reply["responses"][0]["status"], 200);
    assert_eq!(reply["responses"][0]["body"]["value"], json!([]));
    assert_eq!(reply["responses"][1]["status"], 403);
    let eleven = (0..11).map(|id| one(id, GET)).collect();
    assert_eq!(post(Some("application/json"), eleven).await.status, 400);
    let multipart = post(None, vec![one(0, GET)]).await;
    assert!(
        multipart
            .header("content-type")
            .starts_with("multipart/mixed; boundary=")
    );
}

#[tokio::test]
async fn compliance_answers_directly_or_sends_on_to_the_region() {
    let lab = Lab::new().await;
    let about = lab.running.description().clone();
    let token = lab.app_token("containment", &about.compliance).await;
    let banner = format!(
        "{}/adminapi/beta/{}/EXOBanner('AutogenSession')?Version=3.9.2",
        about.compliance, about.tenant
    );
    let bearer = format!("Bearer {token}");
    let get = async |url: &str| {
        send("GET", url, &[("authorization", &bearer)], String::new())
            .await
            .unwrap()
    };
    assert_eq!(get(&banner).await.status, 200);
    lab.running
        .change(|settings| settings.redirect = Redirect::Always)
        .unwrap();
    let reply = get(&banner).await;
    assert_eq!(reply.status, 302);
    let location = reply.header("location").to_owned();
    assert!(
        location.ends_with("/EXOBanner('AutogenSession')?Version=3.9.2"),
        "{location}"
    );
    assert_eq!(
        get(&location).await.status,
        200,
        "the region answers directly"
    );
    lab.running
        .change(|settings| settings.guid_organization_fails = true)
        .unwrap();
    let by_guid = banner.replace(&about.tenant, &about.tenant_id);
    let reply = get(&by_guid).await;
    assert_eq!(reply.status, 500);
    let text = reply.json()["error"]["details"][0]["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(text.contains("Could not find the organization container") && text.contains("orgUnit"));
}

#[tokio::test]
async fn too_many_calls_in_flight_are_refused_in_plain_text() {
    let lab = Lab::with(|options| {
        options.settings.concurrency = 2;
        options.settings.delay_ms = 400;
    })
    .await;
    let token = lab.exchange_token().await;
    let calls = (0..5).map(|_| lab.invoke(&token, GET, senders()));
    let replies = futures::future::join_all(calls).await;
    let refused: Vec<&Reply> = replies.iter().filter(|reply| reply.status == 429).collect();
    assert_eq!(refused.len(), 3);
    assert!(refused[0].header("content-type").starts_with("text/plain"));
    assert!(refused[0].bytes.starts_with(b"You have reached the maximum number of concurrent requests per tenant. Please wait and try again"));
    assert!(lab.running.log().iter().any(|entry| entry.in_flight > 2));
    assert_eq!(lab.invoke(&token, GET, senders()).await.status, 200);
}

#[tokio::test]
async fn the_same_seed_gives_the_same_tenant() {
    let one =
        Lab::with(|options| options.base = Some("2026-08-01T00:00:00Z".parse().unwrap())).await;
    let two =
        Lab::with(|options| options.base = Some("2026-08-01T00:00:00Z".parse().unwrap())).await;
    let about = |lab: &Lab| {
        let about = lab.running.description().clone();
        (
            about.tenant,
            about.tenant_id,
            about.credentials.oauth2.client_id,
        )
    };
    assert_eq!(about(&one), about(&two));
    let mailboxes = |lab: &Lab| lab.running.state()["mailboxes"].clone();
    assert_eq!(mailboxes(&one), mailboxes(&two));
    let other = Lab::with(|options| options.seed = 2).await;
    assert_ne!(about(&one).2, about(&other).2);
}
