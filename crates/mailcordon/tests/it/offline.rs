//! What needs no tenant: the catalogue, completions, the manual, the checks.

use serde_json::{Value, json};

use crate::lab::{bare, data, fed, offline, result, said};

fn catalogue() -> Vec<Value> {
    let output = offline(&["commands", "--output", "json"]);
    assert_eq!(output.status.code(), Some(0));
    result(&output).as_array().unwrap().clone()
}

#[test]
fn the_catalogue_holds_the_sixteen_and_help_knows_them() {
    let all = catalogue();
    let mut ids: Vec<&str> = all.iter().map(|one| one["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    insta::assert_json_snapshot!(ids);
    let completions: Vec<String> = ["bash", "zsh", "fish"]
        .iter()
        .map(|shell| {
            let output = offline(&["completions", shell]);
            assert_eq!(output.status.code(), Some(0));
            String::from_utf8(output.stdout).unwrap()
        })
        .collect();
    for one in &all {
        let id = one["id"].as_str().unwrap();
        for script in &completions {
            assert!(script.contains(id), "{id} is not completed");
        }
        for name in ["title", "effect", "session", "role"] {
            assert!(one[name].is_string(), "{id} has no {name}");
        }
        let help = offline(&["run", id, "--help"]);
        let help = String::from_utf8(help.stdout).unwrap();
        for parameter in one["parameters"].as_array().unwrap() {
            let flag = format!("--{}", parameter["id"].as_str().unwrap().replace('_', "-"));
            assert!(help.contains(&flag), "{id}: {flag} is not in its help");
            assert!(
                parameter["help"]
                    .as_str()
                    .is_some_and(|help| !help.is_empty())
            );
        }
    }
    let man = offline(&["man"]);
    assert!(String::from_utf8(man.stdout).unwrap().starts_with(".ie"));
}

#[test]
fn entries_are_judged_as_typed() {
    let output = offline(&[
        "check",
        "entry",
        "--list-type",
        "urls",
        "--output",
        "json",
        "evil.example/a/*",
        "https://evil.example/a",
        "evil.example:8080",
        "test.pdf",
    ]);
    let shown = result(&output);
    let valid: Vec<bool> = shown
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["valid"].as_bool().unwrap())
        .collect();
    assert_eq!(valid, [true, false, false, false]);
    assert!(shown[1]["reason"].is_string());
    let lines = fed(
        &mut bare(&[
            "check",
            "entry",
            "--list-type",
            "file_hashes",
            "--output",
            "json",
            "-",
        ]),
        format!("{}\nd41d8cd98f00b204e9800998ecf8427e\n", "A".repeat(64)).as_bytes(),
    );
    let shown = result(&lines);
    assert_eq!(
        (&shown[0]["valid"], &shown[1]["valid"]),
        (&json!(true), &json!(false))
    );
    assert!(shown[1]["reason"].as_str().unwrap().contains("MD5"));
}

#[test]
fn urls_are_matched() {
    let output = offline(&[
        "check",
        "match",
        "--entry",
        "evil.example/a/*",
        "--output",
        "json",
        "https://evil.example/a/b",
        "https://evil.example/b",
    ]);
    let shown = result(&output);
    let text = shown.to_string();
    let matches: Vec<&Value> = shown
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["matches"])
        .collect();
    assert_eq!(matches, [&json!(true), &json!(false)], "{text}");
}

#[test]
fn queries_are_judged() {
    let good = result(&offline(&[
        "check",
        "kql",
        "subject:\"invoice\"",
        "--output",
        "json",
    ]));
    assert_eq!(good[0]["valid"], true, "{good}");
    let bad = result(&offline(&["check", "kql", "subject:(", "--output", "json"]));
    assert_eq!(bad[0]["valid"], false, "{bad}");
    assert!(bad[0]["reason"].is_string());
    // Two clauses with a space between: the one service takes them, with a warning.
    let two = "from:a@evil.example subject:invoice";
    let spaced = offline(&["check", "kql", two, "--output", "json"]);
    assert_eq!(spaced.status.code(), Some(0));
    let spaced = &result(&spaced)[0];
    assert_eq!(spaced["valid"], true, "{spaced}");
    assert_eq!(spaced["valid_on_graph"], false, "{spaced}");
    assert_eq!(spaced["ambiguous"][0]["code"], "space_joined");
    assert_eq!(spaced["warnings"][0]["code"], "space_joined_clauses");
    let table = offline(&["check", "kql", two]);
    assert!(String::from_utf8_lossy(&table.stdout).contains("on Graph refused at column 21"));
}

#[test]
fn a_query_is_built_from_what_is_known_of_a_mail() {
    let built = offline(&[
        "build",
        "kql",
        "--sender",
        "a@evil.example",
        "--subject",
        "Invoice 4711",
        "--day",
        "2026-02-28",
        "--message-id",
        "<x@evil.example>",
        "--output",
        "json",
    ]);
    assert_eq!(built.status.code(), Some(0), "{}", said(&built));
    let built = result(&built);
    let query = built["query"].as_str().unwrap();
    assert_eq!(
        query,
        "(from:\"a@evil.example\") AND (subject:\"Invoice 4711\") AND (received>=2026-02-28) AND (received<2026-03-01)"
    );
    let searched = |part: &str| {
        let parts = built["parts"].as_array().unwrap();
        let found = parts.iter().find(|one| one["part"] == part).unwrap();
        found["searched"].as_bool().unwrap()
    };
    assert!(searched("subject") && !searched("message_id"));
    let judged = result(&offline(&["check", "kql", query, "--output", "json"]));
    assert_eq!(judged[0]["valid_on_graph"], true, "{judged}");
    // By itself the query is all there is on standard output.
    let plain = offline(&["build", "kql", "--sender", "a@evil.example"]);
    assert_eq!(plain.stdout, b"(from:\"a@evil.example\")\n");
    for (arguments, part) in [
        (&["--subject", "invoice"][..], "strangers"),
        (&["--message-id", "<x@y>"], "can't be searched"),
        (
            &["--sender", "a@x.example", "--subject", "50* off"],
            "wildcard",
        ),
        (
            &["--sender", "a@x.example", "--day", "28.2.2026"],
            "2021-12-31",
        ),
        (&["--sender", "nobody"], "`--sender`"),
        (&[], "nothing is given"),
    ] {
        let refused = offline(&[&["build", "kql"], arguments].concat());
        assert_ne!(refused.status.code(), Some(0), "{arguments:?}");
        assert!(refused.stdout.is_empty());
        assert!(said(&refused).contains(part), "{}", said(&refused));
    }
}

#[test]
fn a_mail_gives_what_it_holds() {
    let file = data("mail/payroll.eml");
    let output = offline(&["check", "mail", file.to_str().unwrap(), "--output", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let mail: Value = serde_json::from_str::<Value>(&text).unwrap();
    let mail = if mail.is_array() { &mail[0] } else { &mail };
    assert_eq!(mail["file"].as_str(), file.to_str());
    for name in ["senders", "urls", "files", "problems"] {
        assert!(mail[name].is_array(), "{name}: {mail}");
    }
    assert!(!mail["senders"].as_array().unwrap().is_empty());
    assert!(!mail["urls"].as_array().unwrap().is_empty());
}
