//! What is refused, what is asked first, and where the token is not.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Stdio,
};

use serde_json::{Value, json};

use super::service::Service;
use crate::{
    lab::{Lab, result, said},
    leaks,
};

#[test]
fn what_is_of_this_machine_is_refused_and_so_is_a_token_that_others_may_read() {
    let lab = Lab::start(&[]);
    let service = Service::start(&lab, &[]);
    let block = ["run", "block-senders", "--senders", "x@evil.example"];
    let with = |more: &[&'static str]| [block.as_slice(), more].concat();
    for (arguments, what) in [
        (with(&["--no-record"]), "--no-record"),
        (with(&["--data", "/tmp"]), "--data"),
        (with(&["--config", "x.toml"]), "--config"),
        (
            vec!["serve", "--server", "http://127.0.0.1:1"],
            "takes no `--server`",
        ),
    ] {
        let refused = service.run(&lab, &arguments);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        assert!(said(&refused).contains(what), "{}", said(&refused));
    }
    // Offline judgements stay on the machine: the address leads nowhere.
    let check = [
        "check",
        "kql",
        "from:a@evil.example",
        "--server",
        "http://127.0.0.1:1",
    ];
    assert_eq!(lab.run(&check).status.code(), Some(0));

    let token = lab.file("open-token", &service.token);
    let rights = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(&token, rights).unwrap();
    let ask = |file: &str, url: &str| {
        let more = [
            "--token-file",
            file,
            "--server",
            url,
            "--connection",
            "sandbox",
        ];
        lab.run(&[block.as_slice(), &more].concat())
    };
    let token = token.to_str().unwrap();
    let open = ask(token, service.url());
    assert_eq!(open.status.code(), Some(2));
    assert!(said(&open).contains("chmod 600"), "{}", said(&open));
    let rights = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(token, rights).unwrap();
    assert_eq!(ask(token, service.url()).status.code(), Some(0));
    let far = ask(token, "http://192.0.2.1:8425");
    assert_eq!(far.status.code(), Some(2));
    assert!(said(&far).contains("https"), "{}", said(&far));
    let nobody = lab.run(&[block.as_slice(), &["--server", service.url()]].concat());
    assert_eq!(nobody.status.code(), Some(2));
    assert!(
        said(&nobody).contains("MAILCORDON_TOKEN"),
        "{}",
        said(&nobody)
    );
    let without = lab.run(&[block.as_slice(), &["--token-file", token]].concat());
    assert_eq!(without.status.code(), Some(2));

    // A service that is not there is a run that failed, as a tenant that is not.
    let absent = ask(token, "http://127.0.0.1:1");
    assert_eq!(absent.status.code(), Some(1), "{}", said(&absent));
    assert!(
        said(&absent).contains("[connection_failed]"),
        "{}",
        said(&absent)
    );
}

#[test]
fn mail_is_deleted_only_as_a_dry_run_showed_it() {
    let lab = Lab::start(&["--compliance", "legacy"]);
    let service = Service::start(&lab, &[]);
    let as_user = |arguments: &[&str]| {
        let all = [
            arguments,
            &["--connection", "sandbox-user", "--output", "json"],
        ]
        .concat();
        service.run(&lab, &all)
    };
    let started = as_user(&[
        "run",
        "start-compliance-content-search",
        "--search-names",
        "wave",
        "--content-search-filter",
        "from:example",
        "--wait",
    ]);
    assert_eq!(started.status.code(), Some(0), "{}", said(&started));
    let delete = [
        "run",
        "delete-search-result-emails",
        "--search-names",
        "wave",
    ];
    let unasked = as_user(&delete);
    assert_eq!(unasked.status.code(), Some(2));
    assert!(said(&unasked).contains("--yes"), "{}", said(&unasked));
    let other = as_user(&[delete.as_slice(), &["--yes", "--expect-query", "subject:x"]].concat());
    assert_ne!(other.status.code(), Some(0));
    let stale = as_user(
        &[
            delete.as_slice(),
            &["--yes", "--plan-hash", &"0".repeat(64)],
        ]
        .concat(),
    );
    assert_ne!(stale.status.code(), Some(0));
    let changes =
        |entry: &&Value| entry["changes"] == true && entry["call"] == "New-ComplianceSearchAction";
    assert_eq!(
        lab.log().iter().filter(changes).count(),
        0,
        "nothing was sent yet"
    );

    let deleted = as_user(&[delete.as_slice(), &["--yes"]].concat());
    assert!(
        matches!(deleted.status.code(), Some(0 | 3)),
        "{}",
        said(&deleted)
    );
    let run = result(&deleted)["run_id"].as_str().unwrap().to_owned();
    let shown = result(&service.run(&lab, &["runs", "show", &run, "--output", "json"]));
    let hash = shown["run"]["request"]["plan_hash"].as_str().unwrap();
    let listed = result(&service.run(&lab, &["runs", "list", "--output", "json"]));
    let looked = listed["items"].as_array().unwrap().iter();
    let dry = looked.filter(|run| run["dry_run"] == true && run["plan_hash"] == hash);
    assert!(dry.count() >= 1, "it rests on a dry run: {listed}");
    assert_eq!(lab.log().iter().filter(changes).count(), 1);
}

#[test]
fn the_token_stands_in_nothing_that_is_left() {
    let lab = Lab::start(&[]);
    let service = Service::start(&lab, &[]);
    let mut places = BTreeMap::new();
    let mut command_lines = Vec::new();
    let runs: &[&[&str]] = &[
        &[
            "run",
            "block-senders",
            "--senders",
            "x@evil.example",
            "--output",
            "ndjson",
        ],
        &["run", "list-quarantine-messages"],
        &["runs", "list"],
        &["token", "list"],
        &["audit", "export"],
        &["runs", "show", "nonsense"],
    ];
    for run in runs {
        let child = service
            .program(&lab, run)
            .args(["--log", "trace"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        leaks::command_lines(&mut command_lines);
        let output = child.wait_with_output().unwrap();
        if run[1] != "show" {
            let logged = said(&output);
            assert!(
                logged.contains("DEBUG") && logged.contains("/api/v1"),
                "{logged}"
            );
        }
        places.insert(format!("stdout of {run:?}"), output.stdout);
        places.insert(format!("stderr of {run:?}"), output.stderr);
    }
    let other = format!("{}0", service.token);
    let wrong = service.run_as(&lab, &other, &["runs", "list", "--log", "trace"]);
    places.insert("a refusal".to_owned(), wrong.stderr);
    assert!(String::from_utf8_lossy(&command_lines).contains("mailcordon"));
    places.insert("command lines".to_owned(), command_lines);
    let secrets = BTreeSet::from([service.token.clone()]);
    let found = leaks::scan(&secrets, &places);
    assert!(found.is_empty(), "{found:#?}");
    let planted = json!({ "authorization": service.token }).to_string();
    places.insert("planted".to_owned(), planted.into_bytes());
    assert_eq!(leaks::scan(&secrets, &places).len(), 1);
}
