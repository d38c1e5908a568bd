//! Somebody edits the search of a purge in rounds, over the tenant's own HTTP, between a look and the
//! purge that rests on it: it is refused with the difference, and nothing more is purged.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use serde_json::{Value, json};

use super::{
    judge,
    purging::{self, Ground, StepKind},
    service::Service,
};

/// One request to a host of the tenant; the body of its answer.
fn ask(base: &str, head: &str, body: &str) -> String {
    let host = base.strip_prefix("http://").unwrap();
    let mut wire = TcpStream::connect(host).unwrap();
    let length = body.len();
    write!(
        wire,
        "{head}\r\nHost: {host}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    wire.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 20"), "{answer}");
    body.to_owned()
}

/// Somebody with the rights of the app gives the search another query.
fn edit(ground: &Ground, name: &str, query: &str) {
    let about = &ground.lab.about;
    let app = &about["credentials"]["oauth2"];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}&scope={}",
        text(&app["client_id"]),
        text(&app["client_secret"]),
        "https%3A%2F%2Fgraph.microsoft.com%2F.default",
    );
    let head = format!(
        "POST /{}/oauth2/v2.0/token HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded",
        text(&about["tenant"])
    );
    let granted: Value =
        serde_json::from_str(&ask(&text(&about["authority"]), &head, &form)).unwrap();
    let state = ground.lab.control("GET", "/state", &Value::Null);
    let cases = state["ediscovery"]["cases"].as_array().unwrap();
    let found = cases.iter().find_map(|case| {
        let mut searches = case["searches"].as_array()?.iter();
        let search = searches.find(|one| one["name"] == name)?;
        Some((text(&case["id"]), text(&search["id"])))
    });
    let (case, search) = found.unwrap();
    let head = format!(
        "PATCH /v1.0/security/cases/ediscoveryCases/{case}/searches/{search} HTTP/1.1\r\n\
         Content-Type: application/json\r\nAuthorization: Bearer {}",
        text(&granted["access_token"])
    );
    let change = json!({ "contentQuery": query }).to_string();
    ask(&text(&about["graph"]), &head, &change);
}

/// Edits the search while the purge of that round is recorded as intended and not sent.
fn edited_before(ground: &Ground, steps: &[StepKind], round: usize) {
    let name = format!("edited{round}");
    ground.plant(&name);
    let before = ground.store();
    let from = ground.last_seq();
    let purge = StepKind(format!("purge {round}"));
    let time = 1 + steps.iter().position(|step| *step == purge).unwrap();
    let hold = format!("intent_to_send:{time}:{}", ground.marker.display());
    let hold = [("MAILCORDON_TEST_HOLD", hold.as_str())];
    let service = Service::start(&ground.lab, &ground.folder, &hold);
    let run = ground.begin(&service, &name);
    judge::wait_for("the purge to be intended", || ground.marker.exists());
    let other = "from:\"megan@northwind.example\"";
    edit(ground, &name, other);
    std::fs::remove_file(&ground.marker).unwrap();
    let result = ground.result(&service, &run);
    service.stop();

    let items = result["items"].as_array().unwrap();
    let input = format!("{name}: round {round}");
    let refused = items.iter().find(|item| item["input"] == input.as_str());
    let refused = refused.unwrap_or_else(|| panic!("{result:#}"));
    assert_eq!(refused["code"], "search_changed", "{refused}");
    assert_eq!(refused["outcome"], "rejected", "{refused}");
    let said = refused["message"].as_str().unwrap();
    let own = format!("from:\"{name}@attacker.example\"");
    for query in [own.as_str(), other] {
        assert!(said.contains(query), "{said}");
    }
    let statement = result["key_fields"]["statement"].as_str().unwrap();
    assert!(
        statement.starts_with("Not proven: it was stopped: "),
        "{statement}"
    );
    let log = ground.log_since(from);
    let purges = log
        .iter()
        .filter(|entry| entry["call"] == "graph:purgeData");
    assert_eq!(purges.count(), round - 1, "{result:#}");
    let after = ground.store();
    for (id, then) in before.iter().filter(|(_, then)| !then.is_removed()) {
        let ours = then.sender == format!("{name}@attacker.example");
        assert!(after.get(id) == Some(then) || ours && round > 1, "{then:?}");
    }
}

#[test]
fn an_edited_search_is_refused_with_the_difference_and_nothing_more_is_purged() {
    let ground = Ground::new(purging::SMALL);
    ground.plant("whole");
    let service = Service::start(&ground.lab, &ground.folder, &[]);
    // The second finds case and mailboxes ready, as those after it do.
    ground.result(&service, &ground.begin(&service, "whole"));
    ground.plant("again");
    let run = ground.begin(&service, "again");
    ground.result(&service, &run);
    service.stop();
    let steps = ground.steps(&run);
    for round in [1, 2] {
        edited_before(&ground, &steps, round);
    }
}
