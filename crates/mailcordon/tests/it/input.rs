//! Input and configuration that cannot be: no run is started, exit status 2, and a sentence that
//! names what is wrong.

use crate::lab::{Lab, bare, fed, offline, result, said};

/// Nothing on standard output, exit status 2; gives what was said.
fn refused(lab: &Lab, arguments: &[&str]) -> String {
    let output = lab.run(arguments);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(output.stdout.is_empty(), "{:?}", output.stdout);
    assert!(!said(&output).contains("panicked"));
    said(&output)
}

fn names(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word} is missing: {text}");
    }
}

#[test]
fn what_is_misspelt_is_named_with_the_nearest() {
    let lab = Lab::start(&[]);
    names(&refused(&lab, &["run", "blok-senders"]), &["block-senders"]);
    names(
        &refused(
            &lab,
            &["run", "block-senders", "--sendrs", "a@evil.example"],
        ),
        &["--sendrs", "--senders"],
    );
    let list = ["run", "list-items-in-blocklist", "--list-type", "emials"];
    names(&refused(&lab, &list), &["emials", "emails"]);
    let file = lab.file("input.json", r#"{"sendrs": ["a@evil.example"]}"#);
    let input = ["run", "block-senders", "--input", file.to_str().unwrap()];
    names(&refused(&lab, &input), &["sendrs", "senders"]);
    let connection = [
        "run",
        "block-senders",
        "--senders",
        "a@evil.example",
        "--connection",
        "sandbx",
    ];
    names(&refused(&lab, &connection), &["sandbx", "sandbox"]);
    assert!(lab.log().is_empty(), "nothing was sent");
}

#[test]
fn an_empty_list_is_refused() {
    let lab = Lab::start(&[]);
    let empty = lab.file("empty.json", r#"{"senders": []}"#);
    let text = refused(
        &lab,
        &["run", "block-senders", "--input", empty.to_str().unwrap()],
    );
    names(&text, &["senders"]);
    refused(&lab, &["run", "block-senders", "--senders", ""]);
    assert!(lab.log().is_empty());
}

#[test]
fn input_of_any_shape_is_taken_or_refused_in_words() {
    let lab = Lab::start(&[]);
    for text in [
        "",
        "nonsense",
        "[]",
        "\"senders\"",
        "42",
        "null",
        "{\"senders\"",
        "{\"senders\": [1}",
        "\u{0}\u{0}",
    ] {
        let output = fed(
            &mut lab.program(&["run", "block-senders", "--input", "-"]),
            text.as_bytes(),
        );
        assert_eq!(output.status.code(), Some(2), "{text:?}: {}", said(&output));
        assert!(!said(&output).contains("panicked"), "{}", said(&output));
        assert!(output.stdout.is_empty());
    }
    let mut deep = "[".repeat(10_000);
    deep.push_str(&"]".repeat(10_000));
    let deep = format!("{{\"senders\": {deep}}}");
    let output = fed(
        &mut lab.program(&["run", "block-senders", "--input", "-"]),
        deep.as_bytes(),
    );
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    // A hundred megabytes, most of it nothing.
    let path = lab.folder.path().join("large.json");
    std::fs::File::create(&path)
        .unwrap()
        .set_len(101 << 20)
        .unwrap();
    names(
        &refused(
            &lab,
            &["run", "block-senders", "--input", path.to_str().unwrap()],
        ),
        &["large.json"],
    );
    // A list inside a list, and something that is no text, are taken apart.
    let mixed = r#"{"senders": [["a@evil.example"], 7, {"x": 1}]}"#;
    let mut run = lab.program(&["run", "block-senders", "--output", "json", "--input", "-"]);
    let output = fed(&mut run, mixed.as_bytes());
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert_eq!(
        crate::lab::outcomes(&result(&output)),
        ["added", "invalid", "invalid"]
    );
}

#[test]
fn a_configuration_says_where_it_is_wrong() {
    let lab = Lab::start(&[]);
    let good = std::fs::read_to_string(lab.config()).unwrap();
    let run = |text: &str| {
        std::fs::write(lab.config(), text).unwrap();
        refused(
            &lab,
            &["run", "block-senders", "--senders", "a@evil.example"],
        )
    };
    names(
        &run(&good.replace("tenant =", "tennant =")),
        &["tennant", "tenant"],
    );
    names(
        &run(&good.replace("file:client-secret", "hunter2-and-more")),
        &["file:"],
    );
    assert!(!run(&good.replace("file:client-secret", "hunter2-and-more")).contains("hunter2"));
    names(&run("version = 1\n[connections.a"), &["config.toml"]);
    // No file at all.
    let output = offline(&["run", "block-senders", "--senders", "a@evil.example"]);
    assert_eq!(output.status.code(), Some(2));
    names(
        &said(&output),
        &["no configuration file", "mailcordon demo"],
    );
}

#[test]
fn a_secret_that_is_missing_is_named() {
    let lab = Lab::start(&[]);
    let good = std::fs::read_to_string(lab.config()).unwrap();
    std::fs::write(
        lab.config(),
        good.replace("file:client-secret", "env:NOT_SET_ANYWHERE"),
    )
    .unwrap();
    let run = [
        "run",
        "block-senders",
        "--senders",
        "a@evil.example",
        "--output",
        "json",
    ];
    let output = lab.run(&run);
    assert!(
        matches!(output.status.code(), Some(1 | 2)),
        "{:?}",
        output.status
    );
    let all = format!(
        "{}{}",
        said(&output),
        String::from_utf8_lossy(&output.stdout)
    );
    names(&all, &["NOT_SET_ANYWHERE"]);
}

#[test]
fn a_file_that_others_may_write_to_is_refused() {
    let lab = Lab::start(&[]);
    let rights = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    std::fs::set_permissions(lab.config(), rights).unwrap();
    names(
        &refused(
            &lab,
            &["run", "block-senders", "--senders", "a@evil.example"],
        ),
        &["config.toml", "write"],
    );
}

#[test]
fn a_value_may_begin_with_a_hyphen_and_an_at_sign_is_nothing_special() {
    let lab = Lab::start(&[]);
    let output = lab.run(&[
        "run",
        "block-senders",
        "--senders=-x@evil.example",
        "--output",
        "json",
    ]);
    assert_eq!(result(&output)["items"][0]["input"], "-x@evil.example");
    let output = lab.run(&[
        "run",
        "block-senders",
        "--senders",
        "@evil.example",
        "--output",
        "json",
    ]);
    assert_eq!(result(&output)["items"][0]["outcome"], "invalid");
    assert_eq!(
        bare(&["--version"]).output().unwrap().status.code(),
        Some(0)
    );
}
