//! Tests of mailboxes and permissions.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::filter;
use crate::{
    cmdlet::{Output, Row},
    tenant::{
        Tenant,
        testing::{caller, cell, data, run, run_as, start, tenant},
    },
};

const MEGAN: &str = "megan@northwind.example";
const LENA: &str = "lena.holt@northwind.example";

#[expect(
    clippy::needless_pass_by_value,
    reason = "calls read better with the JSON in place"
)]
fn ok(tenant: &mut Tenant, cmdlet: &str, parameters: Value) -> Output {
    run(tenant, cmdlet, parameters.clone(), start())
        .unwrap_or_else(|refusal| panic!("{cmdlet} {parameters}: {}", refusal.text))
}

fn mailbox(tenant: &mut Tenant, identity: &str) -> Row {
    ok(tenant, "Get-Mailbox", json!({"Identity": identity}))
        .rows
        .remove(0)
}

/// Names of the examples, in our company.
fn ours(name: &str) -> &'static str {
    match name {
        "Room 222" | "Room222" => "Room Rainier",
        "DiscoverySearchMailbox" => "DiscoverySearchMailbox",
        "Helpdesk Tickets"
        | "Help Desk"
        | "Contoso Printer Support"
        | "HR Project"
        | "MarketingDept1" => "info",
        "Helpdesk" | "Printer Support" => "@group",
        "Terry Adams" | "Jeroen Cool" | "ayla" | "Yuuto Sasaki" | "john@contoso.com" => "lee",
        _ => "Megan Bowen",
    }
}

#[test]
fn documented_invocations_run() {
    let mut seen = 0;
    for case in data("vectors/mailbox_examples.json")["invocations"]
        .as_array()
        .unwrap()
    {
        let id = case["id"].as_str().unwrap();
        let mut tenant = tenant();
        let group = tenant.company.groups.first().unwrap().display_name.clone();
        let mut parameters = case["parameters"].clone();
        for name in ["Identity", "User", "Trustee", "Owner"] {
            if let Some(given) = parameters.get(name).and_then(Value::as_str) {
                let known = ours(given);
                parameters[name] = if known == "@group" {
                    group.clone().into()
                } else {
                    known.into()
                };
            }
        }
        if let Some(input) = case.get("pipeline_input") {
            let listed = ok(&mut tenant, "Get-Mailbox", input["parameters"].clone()).rows;
            assert!(
                listed
                    .iter()
                    .all(|row| cell(row, "RecipientTypeDetails") == "UserMailbox")
            );
            assert!(!listed.is_empty());
            parameters["Identity"] = cell(&listed[1], "Identity");
        }
        let cmdlet = case["cmdlet"].as_str().unwrap();
        if id == "mbx-18" {
            let grant = json!({"Identity": "info", "Trustee": MEGAN, "AccessRights": ["SendAs"]});
            ok(&mut tenant, "Add-RecipientPermission", grant);
        }
        let output = ok(&mut tenant, cmdlet, parameters.clone());
        seen += 1;
        let identity = parameters["Identity"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        match id {
            "mbx-01" => assert_eq!(
                cell(&mailbox(&mut tenant, &identity), "RecipientTypeDetails"),
                "UserMailbox"
            ),
            "mbx-09" | "mbx-10" => {
                assert!(output.warnings[0].contains("because the ACE doesn't exist on the object"));
            }
            "mbx-17" => assert!(
                output.warnings.is_empty()
                    || output.warnings[0].contains("because the ACE isn't present")
            ),
            "mbx-02" | "mbx-04" | "mbx-05" | "mbx-06" | "mbx-07" | "mbx-08" | "mbx-15"
            | "mbx-16" => assert_eq!(output.rows.len() + output.warnings.len(), 1, "{id}"),
            "mbx-12" | "mbx-14" | "mbx-18" | "mbx-19" => assert!(!output.rows.is_empty(), "{id}"),
            _ => {}
        }
    }
    assert_eq!(seen, 19);
}

#[test]
fn documented_combinations_are_refused() {
    for case in data("vectors/mailbox_examples.json")["parameter_combinations"]
        .as_array()
        .unwrap()
    {
        let mut parameters = case["parameters"].clone();
        parameters["Identity"] = "info".into();
        let cmdlet = case["cmdlet"].as_str().unwrap();
        if cmdlet.ends_with("RecipientPermission") {
            parameters["Trustee"] = MEGAN.into();
        }
        assert_eq!(case["valid"], false);
        let answer = run(&mut tenant(), cmdlet, parameters.clone(), start());
        assert!(answer.is_err(), "{cmdlet} {parameters}");
    }
}

#[test]
fn a_mailbox_becomes_every_documented_type_and_the_second_time_is_a_warning() {
    let mut tenant = tenant();
    for case in data("vectors/mailbox_examples.json")["type_to_recipient_type_details"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
    {
        let change = json!({"Identity": MEGAN, "Type": case["Type"]});
        let output = ok(&mut tenant, "Set-Mailbox", change.clone());
        assert!(
            output.warnings.is_empty() && output.rows.is_empty(),
            "{case}"
        );
        let row = mailbox(&mut tenant, MEGAN);
        assert_eq!(
            cell(&row, "RecipientTypeDetails"),
            case["RecipientTypeDetails"]
        );
        let again = ok(&mut tenant, "Set-Mailbox", change);
        assert!(again.warnings[0].contains("completed successfully but no settings of"));
    }
}

#[test]
fn a_conversion_lags_when_asked_to() {
    let mut tenant = tenant();
    tenant.options_mut().lag = std::time::Duration::from_mins(2);
    ok(
        &mut tenant,
        "Set-Mailbox",
        json!({"Identity": MEGAN, "Type": "Shared"}),
    );
    assert_eq!(
        cell(&mailbox(&mut tenant, MEGAN), "RecipientTypeDetails"),
        "UserMailbox"
    );
    let again = ok(
        &mut tenant,
        "Set-Mailbox",
        json!({"Identity": MEGAN, "Type": "Shared"}),
    );
    assert_eq!(again.warnings.len(), 1, "it is converted already");
    let later = start() + SignedDuration::from_secs(120);
    let rows = run(
        &mut tenant,
        "Get-Mailbox",
        json!({"Identity": MEGAN}),
        later,
    )
    .unwrap()
    .rows;
    assert_eq!(cell(&rows[0], "RecipientTypeDetails"), "SharedMailbox");
    assert_eq!(cell(&rows[0], "IsShared"), true);
}

#[test]
fn a_security_administrator_does_not_have_the_type() {
    let mut security = caller();
    security.roles = ["Security Admin"].into();
    let call = json!({"Identity": MEGAN, "Type": "Shared"});
    assert!(run_as(&mut tenant(), "Set-Mailbox", call, start(), &security).is_err());
}

#[test]
fn identities_of_every_kind_find_the_mailbox_and_unknown_ones_are_404() {
    let mut tenant = tenant();
    let row = mailbox(&mut tenant, MEGAN);
    for field in [
        "Name",
        "Alias",
        "DistinguishedName",
        "Guid",
        "ExchangeGuid",
        "UserPrincipalName",
        "ExternalDirectoryObjectId",
        "DisplayName",
    ] {
        let identity = cell(&row, field).as_str().unwrap().to_uppercase();
        assert_eq!(
            cell(&mailbox(&mut tenant, &identity), "Guid"),
            cell(&row, "Guid"),
            "{field}"
        );
    }
    let refusal = run(
        &mut tenant,
        "Get-Mailbox",
        json!({"Identity": "nobody"}),
        start(),
    )
    .unwrap_err();
    assert_eq!(refusal.status, 404);
    assert!(refusal.text.starts_with(
        "The operation couldn't be performed because object 'nobody' couldn't be found on '"
    ));
    // Two of one name.
    ok(
        &mut tenant,
        "Set-Mailbox",
        json!({"Identity": LENA, "DisplayName": "Megan Bowen"}),
    );
    tenant.directory.reindex();
    let refusal = run(
        &mut tenant,
        "Get-Mailbox",
        json!({"Identity": "Megan Bowen"}),
        start(),
    )
    .unwrap_err();
    assert!(refusal.text.contains("matches multiple entries"));
}

#[test]
fn listing_is_cut_with_a_warning_and_filtered() {
    let mut tenant = tenant();
    let all = ok(
        &mut tenant,
        "Get-Mailbox",
        json!({"ResultSize": "Unlimited"}),
    );
    assert_eq!(
        all.rows.len(),
        61,
        "sixty and the one for discovery searches"
    );
    assert!(all.warnings.is_empty());
    let some = ok(&mut tenant, "Get-Mailbox", json!({"ResultSize": 5}));
    assert_eq!(some.rows.len(), 5);
    assert!(some.warnings[0].starts_with("There are more results available"));
    let empty = ok(&mut tenant, "Get-Mailbox", json!({"Identity": ""}));
    assert_eq!(empty.rows.len(), 61, "an empty identity lists everything");
    let rooms = json!({"RecipientTypeDetails": ["RoomMailbox"]});
    for row in ok(&mut tenant, "Get-Mailbox", rooms).rows {
        assert_eq!(cell(&row, "ResourceType"), "Room");
    }
    let bad = json!({"Filter": "Alias -is 'x'"});
    assert!(run(&mut tenant, "Get-Mailbox", bad, start()).is_err());
}

#[test]
fn rows_have_every_recorded_field() {
    let mut tenant = tenant();
    let fields = |path: &str| -> Vec<String> {
        let rows = data(path);
        rows["value"][0]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    };
    let row = mailbox(&mut tenant, MEGAN);
    for name in fields("wire/mailbox_rows.json") {
        cell(&row, &name);
    }
    let rows = ok(
        &mut tenant,
        "Get-MailboxPermission",
        json!({"Identity": MEGAN}),
    )
    .rows;
    for name in fields("wire/mailbox_permission_rows.json") {
        cell(&rows[0], &name);
    }
    assert_eq!(cell(&rows[0], "User"), "NT AUTHORITY\\SELF");
    assert_eq!(
        cell(&rows[0], "AccessRights"),
        json!(["FullAccess, ReadPermission"])
    );
    assert_eq!(cell(&rows[0], "UserSid"), "S-1-5-10");
    let rows = ok(
        &mut tenant,
        "Get-RecipientPermission",
        json!({"Identity": MEGAN}),
    )
    .rows;
    for name in fields("wire/recipient_permission_rows.json") {
        cell(&rows[0], &name);
    }
    assert_eq!(cell(&rows[0], "AccessRights"), json!(["SendAs"]));
}

fn rights(tenant: &mut Tenant, mailbox: &str, user: &str) -> Vec<String> {
    let call = json!({"Identity": mailbox, "User": user});
    ok(tenant, "Get-MailboxPermission", call)
        .rows
        .iter()
        .flat_map(|row| cell(row, "AccessRights").as_array().unwrap().clone())
        .flat_map(|rights| {
            rights
                .as_str()
                .unwrap()
                .split(", ")
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn rights_are_added_once_and_taken_one_by_one() {
    let mut tenant = tenant();
    let grant = |rights: &[&str]| json!({"Identity": MEGAN, "User": LENA, "AccessRights": rights});
    ok(&mut tenant, "Add-MailboxPermission", grant(&["FullAccess"]));
    let again = ok(&mut tenant, "Add-MailboxPermission", grant(&["FullAccess"]));
    assert!(
        again.warnings[0]
            .starts_with("The appropriate access control entry is already present on the object")
    );
    ok(
        &mut tenant,
        "Add-MailboxPermission",
        grant(&["ReadPermission", "ChangeOwner"]),
    );
    assert_eq!(
        rights(&mut tenant, MEGAN, LENA),
        ["FullAccess", "ReadPermission", "ChangeOwner"]
    );
    ok(
        &mut tenant,
        "Remove-MailboxPermission",
        grant(&["FullAccess"]),
    );
    assert_eq!(
        rights(&mut tenant, MEGAN, LENA),
        ["ReadPermission", "ChangeOwner"]
    );
    let none = ok(
        &mut tenant,
        "Remove-MailboxPermission",
        grant(&["FullAccess"]),
    );
    assert!(none.warnings[0].contains("because the ACE doesn't exist on the object"));
    let unknown = json!({"Identity": MEGAN, "User": "nobody", "AccessRights": ["FullAccess"]});
    let refusal = run(&mut tenant, "Add-MailboxPermission", unknown, start()).unwrap_err();
    assert!(
        refusal.text.contains("\"nobody\" wasn't found"),
        "{}",
        refusal.text
    );
    assert!(run(&mut tenant, "Get-MailboxPermission", json!({}), start()).is_err());
}

#[test]
fn five_hundred_entries_are_the_most() {
    let mut options = crate::tenant::testing::options();
    options.mailboxes = 520;
    let mut tenant = Tenant::new(&options, start());
    let people: Vec<String> = tenant
        .company
        .mailboxes
        .iter()
        .map(|m| m.address.clone())
        .collect();
    let mut granted = 0;
    let refusal = people
        .iter()
        .filter(|person| *person != MEGAN)
        .find_map(|person| {
            let call =
                json!({"Identity": MEGAN, "User": person, "AccessRights": ["ReadPermission"]});
            let answer = run(&mut tenant, "Add-MailboxPermission", call, start());
            granted += usize::from(answer.is_ok());
            answer.err()
        });
    assert!(refusal.unwrap().text.contains("(500)"));
    assert!(
        (498..500).contains(&granted),
        "{granted}: its own entries count"
    );
}

#[test]
fn auto_mapping_is_for_people_with_full_access_only() {
    let mut tenant = tenant();
    let group = tenant.company.groups.first().unwrap().address.clone();
    for (user, right, given, wanted) in [
        (LENA, "FullAccess", Value::Null, true),
        ("lee", "FullAccess", json!(false), false),
        ("carl.winter", "ReadPermission", json!(true), false),
        (group.as_str(), "FullAccess", json!(true), false),
    ] {
        let call =
            json!({"Identity": MEGAN, "User": user, "AccessRights": [right], "AutoMapping": given});
        ok(&mut tenant, "Add-MailboxPermission", call);
        let state = tenant.state(start());
        let mailbox = state["mailboxes"]
            .as_array()
            .unwrap()
            .iter()
            .find(|m| m["address"] == MEGAN);
        let name = tenant
            .directory
            .shown_name(tenant.directory.trustee(user).unwrap());
        let rows = mailbox.unwrap()["permissions"].as_array().unwrap();
        let row = rows.iter().find(|row| row["trustee"] == name).unwrap();
        assert_eq!(row["auto_mapping"], wanted, "{user}");
    }
}

#[test]
fn send_as_is_kept_apart_and_idempotent() {
    let mut tenant = tenant();
    let call =
        json!({"Identity": MEGAN, "Trustee": LENA, "AccessRights": ["SendAs"], "Confirm": false});
    assert_eq!(
        ok(&mut tenant, "Add-RecipientPermission", call.clone())
            .rows
            .len(),
        1
    );
    assert_eq!(
        ok(&mut tenant, "Add-RecipientPermission", call.clone())
            .warnings
            .len(),
        1
    );
    let rows = ok(
        &mut tenant,
        "Get-RecipientPermission",
        json!({"Trustee": LENA}),
    )
    .rows;
    assert!(rows.iter().all(|row| cell(row, "Trustee") == LENA));
    assert!(
        ok(&mut tenant, "Remove-RecipientPermission", call.clone())
            .warnings
            .is_empty()
    );
    let none = ok(&mut tenant, "Remove-RecipientPermission", call);
    assert!(none.warnings[0].contains("because the ACE isn't present"));
}

#[test]
fn delegates_are_edited_by_table_or_replaced() {
    let mut tenant = tenant();
    let edit = |what: Value| json!({"Identity": MEGAN, "GrantSendOnBehalfTo": what});
    let names = |tenant: &mut Tenant| cell(&mailbox(tenant, MEGAN), "GrantSendOnBehalfTo");
    let add = edit(json!({"@odata.type": "#Exchange.GenericHashTable", "add": [LENA]}));
    assert!(
        ok(&mut tenant, "Set-Mailbox", add.clone())
            .warnings
            .is_empty()
    );
    assert_eq!(names(&mut tenant).as_array().unwrap().len(), 1);
    assert_eq!(
        ok(&mut tenant, "Set-Mailbox", add).warnings.len(),
        1,
        "nothing changed"
    );
    let unknown = edit(json!({"Add": ["lee", "nobody"]}));
    assert_eq!(
        run(&mut tenant, "Set-Mailbox", unknown, start())
            .unwrap_err()
            .status,
        404
    );
    assert_eq!(
        names(&mut tenant).as_array().unwrap().len(),
        1,
        "all or nothing"
    );
    ok(
        &mut tenant,
        "Set-Mailbox",
        edit(json!(["lee", "carl.winter"])),
    );
    assert_eq!(names(&mut tenant).as_array().unwrap().len(), 2);
    ok(&mut tenant, "Set-Mailbox", edit(json!({"Remove": ["lee"]})));
    assert_eq!(names(&mut tenant).as_array().unwrap().len(), 1);
}

#[test]
fn filters_read_brackets_and_operators() {
    let row = Row::default()
        .plain("Alias", "Admin")
        .plain("IsShared", false);
    for (text, wanted) in [
        ("Alias -eq 'admin'", true),
        ("(Alias -ne 'Admin') -or (IsShared -eq $false)", true),
        ("Alias -like 'ad*' -and -not (Alias -like '*x*')", true),
        ("Missing -eq $null", true),
        ("Alias -notlike '*min'", false),
    ] {
        assert_eq!(filter::parse(text).unwrap().matches(&row), wanted, "{text}");
    }
    let deep = "(".repeat(5000);
    for text in [
        "",
        "Alias",
        "Alias -eq",
        "(Alias -eq 'a'",
        "Alias -eq 'a' b",
        "Alias -eq 'a",
        &deep,
    ] {
        assert!(filter::parse(text).is_err(), "{text}");
    }
}

#[test]
fn the_organization_answers_and_its_filter_policy_takes_senders() {
    let mut tenant = tenant();
    let domains = ok(&mut tenant, "Get-AcceptedDomain", json!({})).rows;
    let initial: Vec<_> = domains
        .iter()
        .filter(|row| cell(row, "InitialDomain") == true)
        .collect();
    assert_eq!(initial.len(), 1);
    assert_eq!(
        cell(initial[0], "DomainName"),
        tenant.options.domain.as_str()
    );
    assert_eq!(
        ok(&mut tenant, "Get-OrganizationConfig", json!({}))
            .rows
            .len(),
        1
    );
    let roles = ok(
        &mut tenant,
        "Get-ManagementRoleAssignment",
        json!({"Role": "Quarantine"}),
    )
    .rows;
    assert_eq!(roles.len(), 1);
    let change = json!({"Identity": "Default", "AllowedSenders": {"Add": ["a@b.example"]}});
    assert!(
        ok(&mut tenant, "Set-HostedContentFilterPolicy", change.clone())
            .warnings
            .is_empty()
    );
    assert_eq!(
        ok(&mut tenant, "Set-HostedContentFilterPolicy", change)
            .warnings
            .len(),
        1
    );
    let policy = ok(
        &mut tenant,
        "Get-HostedContentFilterPolicy",
        json!({"Identity": "Default"}),
    );
    assert_eq!(
        cell(&policy.rows[0], "AllowedSenders"),
        json!(["a@b.example"])
    );
}
