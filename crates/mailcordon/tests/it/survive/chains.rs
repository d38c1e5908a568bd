//! The record of a service, checked offline by the program with the checkpoint file that was kept
//! elsewhere: whatever is done to the database is found.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::service::{self, Service};
use crate::lab::{Lab, result, said};

/// The chain of the one connection.
const CHAIN: &str = "connection:sandbox";

/// What a service has left behind, and a copy of key and checkpoints elsewhere.
struct Evidence {
    lab: Lab,
    folder: PathBuf,
    key: PathBuf,
    checkpoints: PathBuf,
}

/// A service that has run these, twice, and was stopped twice. A checkpoint is written at each stop.
fn served(lab: &Lab, name: &str, host: &str) -> PathBuf {
    let (folder, token) = service::ready(lab, name);
    for round in 0..2 {
        let service = Service::start(lab, &folder, &[]);
        let senders = json!({ "senders": [format!("{round}@{host}")] });
        let asked = json!({
            "command": "block-senders", "connection": "sandbox", "input": senders,
        });
        let done = service.good(&token, "POST", "/runs?wait=30", &asked);
        assert_eq!(done["return_data"], "Successful", "{done}");
        service.stop();
    }
    folder
}

impl Evidence {
    fn new() -> Self {
        let lab = Lab::start(&[]);
        let folder = served(&lab, "service", "evil.example");
        let away = lab.folder.path().join("elsewhere");
        copy(&folder, &away);
        Self {
            key: away.join("mailcordon.db.key"),
            checkpoints: away.join("audit-checkpoints.jsonl"),
            folder,
            lab,
        }
    }

    /// The database after somebody was at it: the folder of a copy.
    fn tampered(&self, name: &str, sql: &str) -> PathBuf {
        let folder = self.lab.folder.path().join(name);
        copy(&self.folder, &folder);
        let database = rusqlite::Connection::open(folder.join("mailcordon.db")).unwrap();
        database.execute_batch(sql).unwrap();
        folder
    }

    /// Checks a folder with the checkpoint file from elsewhere, or without one; gives the exit
    /// status and the report.
    fn verify(&self, folder: &Path, with: bool) -> (i32, Value) {
        let mut program = self.program(folder, with);
        let output = program.args(["--output", "json"]).output().unwrap();
        (output.status.code().unwrap(), result(&output))
    }

    fn program(&self, folder: &Path, with: bool) -> std::process::Command {
        let mut program = self.lab.program(&["audit", "verify", "--data"]);
        program.arg(folder).arg("--key").arg(&self.key);
        if with {
            program.arg("--checkpoints").arg(&self.checkpoints);
        } else {
            program.arg("--no-checkpoints");
        }
        program
    }

    /// It is found with and without the file, and the first thing said holds these words.
    #[track_caller]
    fn found(&self, folder: &Path, with: bool, words: &str) {
        let (status, report) = self.verify(folder, with);
        assert_eq!(status, 1, "{report}");
        let problems = report["problems"].as_array().unwrap();
        let says = |one: &Value| one["what"].as_str().unwrap().contains(words);
        assert!(problems.iter().any(says), "{words}: {report}");
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

fn tails(report: &Value) -> Vec<&Value> {
    let chains = report["chains"].as_array().unwrap();
    chains.iter().map(|chain| &chain["tail"]).collect()
}

#[test]
fn whatever_is_done_to_the_record_is_found() {
    let evidence = Evidence::new();
    let whole = evidence.verify(&evidence.folder, true);
    assert_eq!(whole.0, 0, "{}", whole.1);
    assert!(whole.1["checkpoints"].as_u64().unwrap() >= 2, "{}", whole.1);
    let chains = whole.1["chains"].as_array().unwrap();
    let ours = chains.iter().find(|chain| chain["chain"] == CHAIN).unwrap();
    let entries = ours["entries"].as_i64().unwrap();
    assert!(entries >= 6, "{ours}");

    let changed = evidence.tampered(
        "changed",
        &format!("UPDATE audit SET who = 'nobody' WHERE chain = '{CHAIN}' AND seq = 2"),
    );
    let removed = evidence.tampered(
        "removed",
        &format!("DELETE FROM audit WHERE chain = '{CHAIN}' AND seq = 2"),
    );
    for with in [true, false] {
        evidence.found(&changed, with, "changed");
        evidence.found(&removed, with, "removed");
    }

    let cut = evidence.tampered(
        "cut",
        &format!(
            "DELETE FROM audit WHERE chain = '{CHAIN}' AND seq > {last};
             UPDATE heads SET seq = {last}, hash = (SELECT hash FROM audit
               WHERE chain = '{CHAIN}' AND seq = {last}) WHERE chain = '{CHAIN}'",
            last = entries - 2
        ),
    );
    evidence.found(&cut, true, "tail was cut");
    without_the_file(&evidence, &cut);

    let gone = evidence.tampered(
        "gone",
        &format!(
            "DELETE FROM audit WHERE chain = '{CHAIN}'; DELETE FROM heads WHERE chain = '{CHAIN}'"
        ),
    );
    evidence.found(&gone, true, "gone");
}

/// A tail that was cut with care does not show without the file, and the tool says so.
fn without_the_file(evidence: &Evidence, cut: &Path) {
    let (status, report) = evidence.verify(cut, false);
    assert_eq!(status, 0, "{report}");
    assert!(
        tails(&report).iter().all(|tail| **tail == "unproven"),
        "{report}"
    );
    let output = evidence
        .program(cut, false)
        .args(["--output", "table"])
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines.len() >= 2, "{shown}");
    assert!(
        lines
            .iter()
            .all(|line| line.contains("its end is unproven")),
        "{shown}"
    );
    assert!(
        said(&output).contains("no checkpoint file was compared"),
        "{}",
        said(&output)
    );
}

#[test]
fn a_record_made_anew_without_the_key_is_found() {
    let evidence = Evidence::new();
    // The forger has the program, and no key but their own.
    let forger = served(&evidence.lab, "forger", "good.example");
    let database = forger.join("mailcordon.db");
    let remade = evidence.tampered(
        "forged",
        &format!(
            "ATTACH '{}' AS forged;
             DELETE FROM audit; INSERT INTO audit SELECT * FROM forged.audit;
             DELETE FROM heads; INSERT INTO heads SELECT * FROM forged.heads",
            database.display()
        ),
    );
    for with in [true, false] {
        evidence.found(&remade, with, "without the key");
    }
    // With the forger's key beside it, it looks whole; the file from elsewhere does not fit it.
    std::fs::copy(
        forger.join("mailcordon.db.key"),
        remade.join("mailcordon.db.key"),
    )
    .unwrap();
    let check = |last: &[&std::ffi::OsStr]| {
        let mut program = evidence
            .lab
            .program(&["audit", "verify", "--output", "json"]);
        let output = program
            .arg("--data")
            .arg(&remade)
            .args(last)
            .output()
            .unwrap();
        (output.status.code().unwrap(), result(&output))
    };
    let (status, report) = check(&["--no-checkpoints".as_ref()]);
    assert_eq!(status, 0, "{report}");
    assert!(
        tails(&report).iter().all(|tail| **tail == "unproven"),
        "{report}"
    );
    let (status, report) = check(&["--checkpoints".as_ref(), evidence.checkpoints.as_os_str()]);
    assert_eq!(status, 1, "{report}");
    assert!(
        report["problems"].to_string().contains("forged"),
        "{report}"
    );
}
