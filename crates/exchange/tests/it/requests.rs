//! What is sent, against the recorded requests.

use exchange::{
    Call, Caller, Cmdlet, Identity, Service, Values,
    cmdlet::{
        ActionKind, AddMailboxPermission, AddRecipientPermission, Direction, Expiry,
        GetComplianceSearch, GetComplianceSearchAction, GetMailbox, GetQuarantineMessage,
        GetTenantAllowBlockListItems, ListAction, ListTarget, ListType, Locations, MailboxRight,
        MailboxType, NewComplianceSearch, NewComplianceSearchAction, NewTenantAllowBlockListItems,
        PurgeType, ReleaseQuarantineMessage, ReleaseTo, RemoveComplianceSearch,
        RemoveComplianceSearchAction, RemoveMailboxPermission, RemoveRecipientPermission,
        RemoveTenantAllowBlockListItems, SetMailbox, SetTenantAllowBlockListItems,
        StartComplianceSearch,
    },
    encode, request,
};
use serde_json::{Map, Value, json};
use url::Url;

use super::script::{GUID, recorded};

fn id(text: &str) -> Identity {
    Identity::new(text).unwrap()
}

fn sent(call: &Call) -> Value {
    serde_json::from_slice(&request::body(call)).unwrap()
}

fn frame<'a>(base: &'a Url, tenant: &'a str) -> request::Frame<'a> {
    request::Frame {
        base,
        tenant,
        anchor: "UPN:a@b",
        routed: false,
        connection_id: "c",
        request_id: "r",
        page_size: 1000,
        cookies: None,
    }
}

#[test]
fn a_call_looks_as_recorded() {
    let recorded = recorded("requests.json");
    let call = GetMailbox {
        identity: id("user1@contoso.com"),
    }
    .call()
    .selecting(&["ImmutableId", "DisplayName"]);
    assert_eq!(sent(&call), recorded["invoke"]["body"]);
    let base = Url::parse("https://outlook.office365.com").unwrap();
    let built = request::invoke(&frame(&base, "T"), &call, request::body(&call), None);
    let expected = recorded["invoke"]["url"].as_str().unwrap();
    assert_eq!(
        built.url.as_str(),
        expected.replace("{tenantGuid|initial.onmicrosoft.com}", "T")
    );
    assert_eq!(built.method, "POST");
    let none = exchange::cmdlet::GetAcceptedDomain.call();
    let mut expected = recorded["no_parameters"].clone();
    expected["CmdletInput"]["CmdletName"] = "Get-AcceptedDomain".into();
    assert_eq!(sent(&none), expected);
}

#[test]
fn values_are_encoded_as_recorded() {
    let recorded = recorded("requests.json");
    let parameters = |name: &str| recorded[name]["CmdletInput"]["Parameters"].clone();
    let add = encode::edit_list(&["smtp:alias@contoso.com".to_owned()], &[]);
    assert_eq!(add, parameters("hashtable")["EmailAddresses"]);
    let row: Map<String, Value> = Map::from_iter([("Key".to_owned(), "Value".into())]);
    let rows: Map<String, Value> = encode::hash_tables("Rows", vec![row]).into_iter().collect();
    assert_eq!(Value::Object(rows), parameters("hashtable_array"));
    let date = encode::date("2026-02-01T00:00:00Z".parse().unwrap());
    assert_eq!(parameters("switch_bool_array_date_guid")["Date"], date);
    // Byte arrays, the other way to edit a list, `$batch` and v2.0 are recorded and not sent by us.
}

#[test]
fn the_two_gets_look_as_recorded() {
    let recorded = recorded("requests.json");
    let base = Url::parse("https://outlook.office365.com").unwrap();
    let banner = request::banner(&frame(&base, "{tenant}"));
    let decoded = |url: &Url| url.as_str().replace("%7B", "{").replace("%7D", "}");
    assert_eq!(
        decoded(&banner.url),
        recorded["banner"]["url"].as_str().unwrap()
    );
    let modules = request::modules(&frame(&base, "{tenant}"));
    assert_eq!(
        decoded(&modules.url),
        recorded["module_file"]["url"].as_str().unwrap()
    );
    assert_eq!(modules.headers["commandname"], "*");
    assert_eq!(
        (banner.method.as_str(), modules.method.as_str()),
        ("GET", "GET")
    );
}

#[test]
fn the_compliance_flow_is_as_recorded() {
    let flow = recorded("compliance_flow.json");
    let query = flow["flow"][0]["CmdletInput"]["Parameters"]["ContentMatchQuery"]
        .as_str()
        .unwrap();
    let calls = [
        NewComplianceSearch {
            name: id("s1"),
            query: id(query),
            locations: Locations::All,
            description: None,
        }
        .call(),
        StartComplianceSearch { identity: id("s1") }.call(),
        GetComplianceSearch { identity: id("s1") }.call(),
        NewComplianceSearchAction {
            search: id("s1"),
            kind: ActionKind::Purge(PurgeType::SoftDelete),
        }
        .call(),
        GetComplianceSearchAction {
            identity: id(&ActionKind::Purge(PurgeType::SoftDelete).action_name("s1")),
        }
        .call(),
    ];
    for (call, recorded) in calls.iter().zip(flow["flow"].as_array().unwrap()) {
        let sent = sent(call);
        assert_eq!(
            sent["CmdletInput"]["CmdletName"],
            recorded["CmdletInput"]["CmdletName"]
        );
        let sent = sent["CmdletInput"]["Parameters"].as_object().unwrap();
        for (name, value) in recorded["CmdletInput"]["Parameters"].as_object().unwrap() {
            assert_eq!(&sent[name], value, "{name}");
        }
        // What we send beyond the recording switches questions off.
        for (name, value) in sent {
            let known = recorded["CmdletInput"]["Parameters"].get(name).is_some();
            assert!(
                known
                    || (name == "Force" && *value == true)
                    || (name == "Confirm" && *value == false)
            );
        }
        assert_eq!(call.service, Service::Compliance);
    }
}

/// One of each, with everything set.
fn all() -> Vec<Call> {
    let values =
        |list: &[&str]| Values::new(list.iter().map(|v| (*v).to_owned()).collect()).unwrap();
    let at = "2026-01-02T03:04:05.678Z".parse().unwrap();
    vec![
        NewTenantAllowBlockListItems {
            list_type: ListType::Sender,
            action: ListAction::Block,
            entries: values(&["a@b.example", "c.example"]),
            expiry: Expiry::Never,
            notes: Some("note \"quoted\"".into()),
        }
        .call(),
        NewTenantAllowBlockListItems {
            list_type: ListType::FileHash,
            action: ListAction::Block,
            entries: values(&["x"]),
            expiry: Expiry::At(at),
            notes: None,
        }
        .call(),
        NewTenantAllowBlockListItems {
            list_type: ListType::Url,
            action: ListAction::Allow,
            entries: values(&["x.example"]),
            expiry: Expiry::AfterLastUse,
            notes: None,
        }
        .call(),
        GetTenantAllowBlockListItems {
            list_type: ListType::Ip,
            action: Some(ListAction::Block),
            entry: Some("::1".into()),
        }
        .call(),
        SetTenantAllowBlockListItems {
            list_type: ListType::Sender,
            target: ListTarget::Ids(values(&["id"])),
            action: Some(ListAction::Block),
            expiry: Some(Expiry::Never),
            notes: Some("n".into()),
        }
        .call(),
        RemoveTenantAllowBlockListItems {
            list_type: ListType::Sender,
            target: ListTarget::Entries(values(&["a"])),
            tenant_sub_type: true,
        }
        .call(),
        GetQuarantineMessage::One(id("a\\b")).call(),
        GetQuarantineMessage::List {
            senders: vec!["s".into()],
            recipients: vec!["r".into()],
            subject: Some("x".into()),
            start: Some(at),
            end: Some(at),
            message_id: Some("<m>".into()),
            direction: Some(Direction::Inbound),
            page: 0,
            page_size: 0,
        }
        .call(),
        ReleaseQuarantineMessage {
            identity: id("a\\b"),
            to: ReleaseTo::All,
            allow_sender: true,
            report_false_positive: true,
            force: true,
        }
        .call(),
        ReleaseQuarantineMessage {
            identity: id("a\\b"),
            to: ReleaseTo::Users(values(&["u"])),
            allow_sender: false,
            report_false_positive: false,
            force: false,
        }
        .call(),
        SetMailbox::Type {
            identity: id("m"),
            to: MailboxType::Shared,
        }
        .call(),
        SetMailbox::AddSendOnBehalf {
            identity: id("m"),
            users: values(&["u"]),
        }
        .call(),
        SetMailbox::RemoveSendOnBehalf {
            identity: id("m"),
            users: values(&["u"]),
        }
        .call(),
        AddMailboxPermission {
            identity: id("m"),
            user: id("u"),
            right: MailboxRight::FullAccess,
            auto_mapping: Some(false),
        }
        .call(),
        AddMailboxPermission {
            identity: id("m"),
            user: id("u"),
            right: MailboxRight::ReadPermission,
            auto_mapping: Some(false),
        }
        .call(),
        RemoveMailboxPermission {
            identity: id("m"),
            user: id("u"),
            right: MailboxRight::FullAccess,
        }
        .call(),
        exchange::cmdlet::GetMailboxPermission {
            identity: id("m"),
            user: Some(id("u")),
        }
        .call(),
        AddRecipientPermission {
            identity: id("m"),
            trustee: id("u"),
        }
        .call(),
        RemoveRecipientPermission {
            identity: id("m"),
            trustee: id("u"),
        }
        .call(),
        exchange::cmdlet::GetRecipientPermission { identity: id("m") }.call(),
        exchange::cmdlet::GetMailboxStatistics { identity: id("m") }.call(),
        NewComplianceSearch {
            name: id("s"),
            query: id("q"),
            locations: Locations::Mailboxes(values(&["m"])),
            description: Some("d".into()),
        }
        .call(),
        NewComplianceSearchAction {
            search: id("s"),
            kind: ActionKind::Preview,
        }
        .call(),
        RemoveComplianceSearchAction {
            identity: id("s_Purge"),
        }
        .call(),
        RemoveComplianceSearch { identity: id("s") }.call(),
    ]
}

#[test]
fn every_cmdlet_is_sent_as_it_was() {
    let sent: Vec<Value> = all()
        .iter()
        .map(|call| {
            json!({ "cmdlet": call.cmdlet, "service": format!("{:?}", call.service),
                "changes": call.changes, "repeat": format!("{:?}", call.repeat),
                "late": call.late, "role": call.role.title(), "parameters": call.parameters })
        })
        .collect();
    insta::assert_json_snapshot!("cmdlets", sent);
}

#[test]
fn every_change_that_would_ask_is_told_not_to() {
    for call in all().iter().filter(|call| call.changes) {
        let asks = !call.cmdlet.ends_with("TenantAllowBlockListItems");
        assert_eq!(
            call.parameters.get("Confirm"),
            asks.then_some(&json!(false)),
            "{}",
            call.cmdlet
        );
    }
    for call in all().iter().filter(|call| !call.changes) {
        assert!(call.parameters.get("Confirm").is_none(), "{}", call.cmdlet);
    }
}

#[test]
fn the_anchor_fits_caller_and_service() {
    let user = Caller::User("admin@contoso.com".into());
    let domain = "contoso.onmicrosoft.com";
    let box_ = "SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}";
    for (caller, service, tenant, anchor) in [
        (
            &user,
            Service::Exchange,
            GUID,
            "UPN:admin@contoso.com".to_owned(),
        ),
        (
            &user,
            Service::Compliance,
            domain,
            "UPN:admin@contoso.com".to_owned(),
        ),
        (
            &Caller::App,
            Service::Exchange,
            GUID,
            format!("APP:{box_}@{GUID}"),
        ),
        (
            &Caller::App,
            Service::Exchange,
            domain,
            format!("UPN:{box_}@{domain}"),
        ),
        (
            &Caller::App,
            Service::Compliance,
            domain,
            format!("UPN:{box_}@{domain}"),
        ),
    ] {
        assert_eq!(request::anchor(caller, service, tenant), anchor);
    }
}

#[test]
fn a_base_may_have_a_path_and_a_tenant_cannot_leave_its_place() {
    let base = Url::parse("http://127.0.0.1:8080/exchange").unwrap();
    let call = GetMailbox { identity: id("m") }.call();
    let built = request::invoke(&frame(&base, "a/../b?x"), &call, request::body(&call), None);
    assert_eq!(
        built.url.as_str(),
        "http://127.0.0.1:8080/exchange/adminapi/beta/a%2F..%2Fb%3Fx/InvokeCommand"
    );
    assert_eq!(request::base_of(&built.url).unwrap(), base);
}
