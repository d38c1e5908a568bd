//! The same search over a service: what it says and logs at trace level, what its API answers, its
//! store with journals, lock and checkpoints, exports of it, and command lines. What is searched for
//! is all that signs in to the tenant, the tokens of the API, and the key of the record. The hash of
//! a token may be there; the token may not. Large bodies lie deflated in the store: every value of
//! every table is searched whole and as it was before.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    path::Path,
};

use flate2::read::DeflateDecoder;
use rusqlite::{OpenFlags, types::ValueRef};
use serde_json::{Value, json};

use super::{
    Way, add_files, can_be_found, command_lines, relay, scan, secrets, ways, write_config,
};
use crate::{
    lab::Lab,
    survive::service::{self, Service},
};

/// How the place of deflated values is called.
const DEFLATED: &str = "deflated in ";

type Places = BTreeMap<String, Vec<u8>>;

/// Asks for something, and keeps what was answered as a place to search.
fn ask(
    service: &Service,
    token: &str,
    places: &mut Places,
    (method, path): (&str, &str),
    body: &Value,
) -> Value {
    let (status, answer) = service.said(token, method, path, body);
    assert!(
        (200..300).contains(&status),
        "{method} {path}: {status} {answer}"
    );
    let name = format!("answer {} to {method} {path}", places.len());
    places.insert(name, answer.clone().into_bytes());
    serde_json::from_str(&answer).unwrap_or(Value::Null)
}

/// A read, a write through its dry run, an undo and the vendor's shape, with all that can be seen of
/// them.
fn work(service: &Service, token: &str, places: &mut Places, connection: &str) {
    let mut ask = |what: (&str, &str), body: &Value| ask(service, token, places, what, body);
    let sender = format!("{connection}@evil.example");
    let read = json!({
        "command": "list-quarantine-messages", "connection": connection, "input": {},
    });
    let write = json!({
        "command": "block-senders", "connection": connection, "input": { "senders": [sender] },
    });
    ask(
        ("POST", &format!("/connections/{connection}/test")),
        &Value::Null,
    );
    ask(("POST", "/dry-runs?wait=30"), &write);
    for body in [&read, &write] {
        let done = ask(("POST", "/runs?wait=30"), body);
        assert_eq!(done["return_data"], "Successful", "{connection}: {done}");
        let run = done["run_id"].as_str().unwrap().to_owned();
        for part in ["", "/items", "/result", "/raw", "/events"] {
            ask(("GET", &format!("/runs/{run}{part}")), &Value::Null);
        }
        if body == &write {
            ask(("POST", &format!("/runs/{run}/undo?wait=30")), &json!({}));
        }
    }
    let vendor = json!({
        "Username": "analyst", "Site": connection,
        "CommandParams": { "List Type": "Emails And Domains" },
    });
    let path = "/d3/commands/List%20Items%20In%20Blocklist";
    ask(("POST", path), &vendor);
}

/// What is refused says nothing either: a wrong token, a secret as somebody's name.
fn refused(service: &Service, token: &str, places: &mut Places) {
    for token in [&token[..token.len() - 1], "wrong"] {
        let (status, answer) = service.said(token, "GET", "/runs", &Value::Null);
        assert_eq!(status, 401, "{answer}");
        places.insert(format!("refusal {}", places.len()), answer.into_bytes());
    }
    let path = format!("/runs?token={token}");
    let (status, answer) = service.said("wrong", "GET", &path, &Value::Null);
    assert!((400..500).contains(&status), "{answer}");
    places.insert(
        "refusal of a token in a query".to_owned(),
        answer.into_bytes(),
    );
}

/// What every value of the database says, table by table and column by column: those that are
/// deflated apart from the others.
fn add_values(places: &mut Places, folder: &Path) {
    let path = folder.join("mailcordon.db");
    let database =
        rusqlite::Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table'";
    let mut names = database.prepare(names).unwrap();
    let names = names.query_map([], |row| row.get::<_, String>(0)).unwrap();
    for table in names.map(Result::unwrap) {
        let mut rows = database
            .prepare(&format!("SELECT * FROM \"{table}\""))
            .unwrap();
        let columns: Vec<String> = rows.column_names().map(str::to_owned).collect();
        let mut rows = rows.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for (index, column) in columns.iter().enumerate() {
                let (ValueRef::Text(bytes) | ValueRef::Blob(bytes)) = row.get_ref(index).unwrap()
                else {
                    continue;
                };
                let (how, bytes) = match inflated(bytes) {
                    Some(bytes) => (DEFLATED, bytes),
                    None => ("", bytes.to_vec()),
                };
                let place = format!("mailcordon.db: {how}{table}.{column}");
                let all = places.entry(place).or_default();
                all.extend(bytes);
                all.push(b'\n');
            }
        }
    }
}

/// A body that is stored deflated (`z`, the version in digits, a colon), as it was before.
fn inflated(bytes: &[u8]) -> Option<Vec<u8>> {
    let rest = bytes.strip_prefix(b"z")?;
    let colon = rest.iter().position(|byte| *byte == b':')?;
    let (version, rest) = rest.split_at(colon);
    if version.is_empty() || !version.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut plain = Vec::new();
    DeflateDecoder::new(&rest[1..])
        .read_to_end(&mut plain)
        .unwrap();
    Some(plain)
}

/// All files of the folder but the key, which is one of the secrets, and what is in the database.
fn add_store(places: &mut Places, folder: &Path) {
    let mut files = Places::new();
    add_files(&mut files, folder);
    let key = folder.join("mailcordon.db.key").display().to_string();
    assert!(files.remove(&key).is_some(), "no key in {files:?}");
    add_values(&mut files, folder);
    places.extend(files);
}

fn holds(places: &Places, end: &str) -> bool {
    places.keys().any(|name| name.ends_with(end))
}

#[test]
fn nothing_that_signs_in_is_left_by_a_service() {
    let lab = Lab::start(&[]);
    let text = |pointer: &str| lab.about.pointer(pointer).unwrap().as_str().unwrap();
    let (authority, at_sign_in) = relay(text("/authority"));
    let identity = text("/managed_identity/app_service/endpoint");
    let (identity, path) = identity.split_at(identity.rfind("/msi").unwrap());
    let (identity, at_identity) = relay(identity);
    let ways = ways(&lab, &format!("{identity}{path}"));
    write_config(&lab, &ways, &authority);
    let (folder, token) = service::ready(&lab, "service");
    let mut environment = vec![("MAILCORDON_LOG", "trace")];
    for Way {
        environment: own, ..
    } in &ways
    {
        environment.extend(own.iter().map(|(name, value)| (*name, value.as_str())));
    }

    let mut places = Places::new();
    let mut lines = Vec::new();
    let service = Service::start(&lab, &folder, &environment);
    for way in &ways {
        work(&service, &token, &mut places, way.name);
        command_lines(&mut lines);
    }
    let made = json!({ "name": "second", "scopes": ["read"], "expires": "1d" });
    let made = service.good(&token, "POST", "/tokens", &made);
    let second = made["secret"].as_str().unwrap().to_owned();
    for path in [
        "/tokens",
        "/runs",
        "/connections",
        "/audit/chains",
        "/audit/export",
        "/audit/verify",
        "/openapi.json",
        "/health",
        "/ready",
        "/version",
    ] {
        let _ = ask(&service, &token, &mut places, ("GET", path), &Value::Null);
    }
    let _ = ask(
        &service,
        &second,
        &mut places,
        ("GET", "/runs"),
        &Value::Null,
    );
    refused(&service, &token, &mut places);
    // While it runs, with journals and lock, and as it is left.
    add_store(&mut places, &folder);
    assert!(
        places.keys().any(|name| name.contains(DEFLATED)),
        "no large body was searched: {:?}",
        places.keys()
    );
    for end in [
        "mailcordon.db",
        "mailcordon.db-wal",
        "mailcordon.db-shm",
        ".lock",
    ] {
        assert!(holds(&places, end), "no {end} in {:?}", places.keys());
    }
    service.stop();
    let mut left = Places::new();
    add_store(&mut left, &folder);
    assert!(holds(&left, "audit-checkpoints.jsonl"), "{:?}", left.keys());
    places.extend(
        left.into_iter()
            .map(|(name, bytes)| (format!("{name}, at the end"), bytes)),
    );
    let log = std::fs::read(folder.with_extension("log")).unwrap();
    let logged = String::from_utf8_lossy(&log).into_owned();
    assert!(logged.contains("TRACE"), "nothing is logged at trace level");
    places.insert("standard error".to_owned(), log);
    places.insert("command lines".to_owned(), lines);
    places.insert(
        "the sandbox's log".to_owned(),
        json!(lab.log()).to_string().into_bytes(),
    );
    add_files(&mut places, &lab.folder.path().join("runtime"));
    for verb in [
        &["audit", "export"][..],
        &["token", "list", "--output", "json"],
        &["audit", "verify"],
    ] {
        let output = lab
            .program(verb)
            .arg("--data")
            .arg(&folder)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{verb:?}: {}",
            crate::lab::said(&output)
        );
        places.insert(format!("stdout of {verb:?}"), output.stdout);
        places.insert(format!("stderr of {verb:?}"), output.stderr);
    }

    let heard = [
        at_sign_in.lock().unwrap().clone(),
        at_identity.lock().unwrap().clone(),
    ]
    .concat();
    let mut known = secrets(&heard);
    let own = ways.iter().flat_map(|way| &way.environment);
    let own = own.filter(|(name, _)| !name.ends_with("ENDPOINT"));
    known.extend(own.map(|(_, value)| value.clone()));
    known.insert(text("/credentials/oauth2/client_secret").to_owned());
    known.insert(text("/credentials/basic/password").to_owned());
    assert!(
        known.len() >= ways.len() + 4,
        "only {} were heard of",
        known.len()
    );
    known.extend([token.clone(), second]);
    let key = std::fs::read_to_string(folder.join("mailcordon.db.key")).unwrap();
    known.insert(key.trim().to_owned());
    let found = scan(&known, &places);
    assert!(found.is_empty(), "{found:#?}");
    println!(
        "{} secrets searched for in {} places",
        known.len(),
        places.len()
    );
    can_be_found(&known);
    planted(
        &lab,
        &folder,
        &environment,
        &token,
        text("/credentials/oauth2/client_secret"),
    );
}

/// A leak into the store through the service itself is found: a secret and a token in the note of a
/// run, and in the large page of a read, which lies deflated.
fn planted(lab: &Lab, folder: &Path, environment: &[(&str, &str)], token: &str, secret: &str) {
    let service = Service::start(lab, folder, environment);
    for (round, planted) in [secret, token].into_iter().enumerate() {
        let known = BTreeSet::from([planted.to_owned()]);
        let senders: Vec<String> = (0..40)
            .map(|n| format!("leak{round}x{n}@evil.example"))
            .collect();
        let write = json!({
            "command": "block-senders", "connection": "secret",
            "input": { "senders": senders, "note": planted },
        });
        let read = json!({
            "command": "list-items-in-blocklist", "connection": "secret",
            "input": { "list_type": "emails" },
        });
        let page = format!("mailcordon.db: {DEFLATED}pages.");
        for (body, wanted) in [(&write, "mailcordon.db"), (&read, page.as_str())] {
            let done = service.good(token, "POST", "/runs?wait=30", body);
            assert_eq!(done["return_data"], "Successful", "{done}");
            let mut places = Places::new();
            add_store(&mut places, folder);
            let found = scan(&known, &places);
            let in_store = found.iter().any(|one| one.contains(wanted));
            assert!(in_store, "the planted leak is not in {wanted}: {found:?}");
        }
    }
}
