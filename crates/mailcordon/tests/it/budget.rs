//! The five requests a minute that eDiscovery takes from an app, kept by two processes together: an
//! hour of the tenant's clock, judged by its own log.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    lab::{Lab, result, said},
    survive::{judge, service, service::Service},
};

/// An hour of the tenant's clock is half a minute of the machine's.
const PACE: u32 = 120;
const PER_MINUTE: usize = 5;
/// The window as the service counts it.
const MINUTE: i64 = 60;

/// The requests of eDiscovery since, with when they came in.
fn asked(log: &[Value]) -> Vec<(Timestamp, &Value)> {
    let ours = log.iter().filter(|entry| {
        let path = entry["path"].as_str().unwrap_or_default();
        entry["endpoint"] == "graph" && path.contains("/security/cases")
    });
    ours.map(|entry| (entry["at"].as_str().unwrap().parse().unwrap(), entry))
        .collect()
}

/// One command of the command line; gives its result.
fn ask(lab: &Lab, command: &str, input: &Value) -> Value {
    let file = lab.file("asked.json", &input.to_string());
    let input = format!("--input={}", file.display());
    let output = lab.run(&["run", command, &input, "--no-record", "--output", "json"]);
    let done = result(&output);
    assert!(
        done["error"].is_null(),
        "{command}: {done} {}",
        said(&output)
    );
    done
}

#[test]
fn two_processes_keep_to_five_requests_a_minute_for_an_hour() {
    let lab = Lab::over_graph(PACE, &[]);
    let mailboxes = judge::plain_mailboxes(&lab, 2);
    let wave = json!({ "messages": 130, "largest": 120, "to": mailboxes });
    lab.control("POST", "/mail", &wave);
    lab.control(
        "POST",
        "/settings",
        &json!({ "graph": { "throttle": "strict" } }),
    );
    let (folder, token) = service::ready(&lab, "busy");
    let service = Service::start(&lab, &folder, &[]);
    let purge = json!({
        "command": "search-and-purge", "connection": "sandbox",
        "input": {
            "query": "from:\"wave@attacker.example\"", "search_name": "wave",
            "delete_type": "hard_delete", "mailboxes": mailboxes,
        },
    });
    let begun = lab.now();
    let run = service.good(&token, "POST", "/runs", &purge);
    let run = run["id"].as_str().unwrap().to_owned();

    // The other process, meanwhile: it makes searches, waits for what they count, and asks again.
    let mut searches = 0;
    while lab.now().duration_since(begun).as_secs() < 3600 {
        let name = format!("other {searches}");
        let made = ask(
            &lab,
            "start-compliance-content-search",
            &json!({
                "search_names": [name], "wait": true,
                "content_search_filter": "from:\"somebody@elsewhere.example\"",
            }),
        );
        assert_eq!(made["path"], "graph", "{made}");
        let status = json!({ "search_names": [name] });
        ask(&lab, "get-compliance-content-search-status", &status);
        searches += 1;
    }
    judge::wait_for("the purge to end", || {
        let row = service.good(&token, "GET", &format!("/runs/{run}"), &Value::Null);
        row["state"] == "finished"
    });
    let path = format!("/runs/{run}/result");
    let done = service.good(&token, "GET", &path, &Value::Null);
    assert_eq!(done["key_fields"]["proven"], true, "{done}");
    service.stop();

    let log = lab.log();
    let asked = asked(&log);
    let refused = asked.iter().filter(|(_, entry)| entry["status"] == 429);
    assert_eq!(refused.count(), 0, "refused by the service");
    for few in asked.windows(PER_MINUTE + 1) {
        let [(first, _), .., (last, entry)] = few else {
            panic!("a window of six")
        };
        let apart = last.duration_since(*first).as_secs();
        assert!(apart >= MINUTE, "six requests in {apart} s, up to {entry}");
    }
    // Both worked, and none of them stood idle for long.
    let of = |name: &str| asked.iter().filter(|(_, one)| one["call"] == name).count();
    assert!(
        searches >= 3 && of("graph:purgeData") == 2,
        "{searches} searches"
    );
    let whole = 60 * PER_MINUTE;
    assert!(
        asked.len() > whole / 2,
        "{} of {whole} requests",
        asked.len()
    );
}
