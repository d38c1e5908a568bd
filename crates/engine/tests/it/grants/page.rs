//! The tables in the page for administrators.

use std::fmt::Write;

use serde_json::Value;

use super::{
    App, COMMANDS,
    list::{GRANTS, Part},
};

const FILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../docs/app-registration.md"
);

/// Between these stands what is made here.
const BREAKS: (&str, &str) = (
    "<!-- grants: made by a test -->\n",
    "<!-- end of grants -->",
);
const APPS: (&str, &str) = (
    "<!-- six apps: made by a test -->\n",
    "<!-- end of six apps -->",
);

fn link(code: &str) -> String {
    format!("[`{code}`](errors/{code}.md)")
}

/// What breaks without each grant.
fn breaks() -> String {
    let mut table = String::from("\n| what is missing |");
    for part in Part::ALL {
        write!(table, " {} |", part.title()).unwrap();
    }
    table.push_str("\n| --- |");
    table.push_str(&" --- |".repeat(Part::ALL.len()));
    table.push('\n');
    for grant in GRANTS {
        write!(table, "| {} |", grant.what).unwrap();
        for part in Part::ALL {
            let code = grant.breaks(part);
            let cell = if code.is_empty() {
                "works".to_owned()
            } else {
                link(code)
            };
            write!(table, " {cell} |").unwrap();
        }
        table.push('\n');
    }
    table.push('\n');
    table
}

/// The grants of an app, from the sandbox's directory.
pub fn grants(own: &Value) -> String {
    let mut all: Vec<String> = own["permissions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| format!("`{}`", name.as_str().unwrap()))
        .collect();
    if own["registered"] == true {
        all.push("registered".to_owned());
    }
    for role in own["roles"].as_array().unwrap() {
        all.push(
            match role.as_str().unwrap() {
                "search_and_purge" => "Search And Purge",
                _ => "eDiscovery Manager",
            }
            .to_owned(),
        );
    }
    if all.is_empty() {
        return "nothing".to_owned();
    }
    all.join(", ")
}

/// What `test-connection` says for each app.
fn said(apps: &[App]) -> String {
    let mut table = String::from("\n| the app has |");
    for command in COMMANDS {
        write!(table, " `{command}` |").unwrap();
    }
    table.push_str("\n| --- |");
    table.push_str(&" --- |".repeat(COMMANDS.len()));
    table.push('\n');
    for app in apps {
        write!(table, "| {} |", app.grants).unwrap();
        for said in &app.said {
            let way = match said.path.as_str() {
                "" => said.result.clone(),
                path => format!("{}: `{path}`", said.result),
            };
            let cell = match said.missing.as_str() {
                "" => way,
                "not_registered" => format!("{way}; lacks the registration"),
                missing => format!("{way}; lacks `{missing}`"),
            };
            write!(table, " {cell} |").unwrap();
        }
        table.push('\n');
    }
    table.push('\n');
    table
}

fn replaced(page: &str, (begin, end): (&str, &str), table: &str) -> String {
    let (before, rest) = page.split_once(begin).expect("the mark of a table");
    let (_, after) = rest.split_once(end).expect("the end of a table");
    format!("{before}{begin}{table}{end}{after}")
}

/// Fails when the tables that are checked in are others. Writes them where that is asked for.
pub fn compare(apps: &[App]) {
    let kept = std::fs::read_to_string(FILE).unwrap();
    let fresh = replaced(&kept, BREAKS, &breaks());
    let fresh = replaced(&fresh, APPS, &said(apps));
    if std::env::var_os("MAILCORDON_WRITE_DOCS").is_some() {
        std::fs::write(FILE, fresh).unwrap();
        return;
    }
    assert!(
        kept == fresh,
        "the tables of docs/app-registration.md are not these: `cargo xtask generate --only grants`\n{fresh}"
    );
}
