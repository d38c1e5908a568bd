//! What a person at a terminal is asked before mail is deleted, and what Ctrl-C does.

use std::{
    io::{Read, Write},
    process::{Child, Command, Stdio},
};

use crate::{
    lab::{Lab, said},
    remote::Service,
};

/// The question.
const QUESTION: &str = "Type yes to go on:";
/// Ctrl-C, as a terminal is given it.
const INTERRUPT: &str = "\u{3}";

/// One word of a shell's command line.
fn quoted(word: &std::ffi::OsStr) -> String {
    format!("'{}'", word.to_str().unwrap().replace('\'', "'\\''"))
}

/// Runs the program at a terminal of its own, answers its question, and gives its exit status and
/// what was shown.
fn at_a_terminal(program: &Command, answer: &str) -> (i32, String) {
    let words = std::iter::once(program.get_program()).chain(program.get_args());
    let line = words.map(quoted).collect::<Vec<_>>().join(" ");
    let mut terminal = Command::new("script");
    terminal
        .args(["-q", "-e", "-c", &line, "/dev/null"])
        .env_clear();
    for (name, value) in program.get_envs() {
        if let Some(value) = value {
            terminal.env(name, value);
        }
    }
    let mut child = terminal
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut shown = until(child.stdout.as_mut().unwrap(), QUESTION);
    let mut keys = child.stdin.take().unwrap();
    keys.write_all(answer.as_bytes()).unwrap();
    keys.flush().unwrap();
    let mut rest = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut rest).unwrap();
    drop(keys);
    shown.push_str(&String::from_utf8_lossy(&rest));
    (child.wait().unwrap().code().unwrap(), shown)
}

/// Reads up to a text, or to the end.
fn until(out: &mut impl Read, text: &str) -> String {
    let mut shown = Vec::new();
    let mut byte = [0];
    while out.read(&mut byte).unwrap() == 1 {
        shown.push(byte[0]);
        if shown.ends_with(text.as_bytes()) {
            break;
        }
    }
    String::from_utf8(shown).unwrap()
}

fn interrupt(child: &Child) {
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
}

/// How often a deletion was sent.
fn deletions(lab: &Lab) -> usize {
    let log = lab.log();
    let sent = log
        .iter()
        .filter(|entry| entry["call"] == "New-ComplianceSearchAction" && entry["changes"] == true);
    sent.count()
}

#[test]
fn a_deletion_is_asked_about_here_and_through_a_service() {
    let lab = Lab::start(&["--compliance", "legacy"]);
    let service = Service::start(&lab, &[]);
    let search = |name: &'static str| {
        let started = lab.run(&[
            "run",
            "start-compliance-content-search",
            "--connection",
            "sandbox-user",
            "--search-names",
            name,
            "--content-search-filter",
            "from:example",
            "--wait",
        ]);
        assert_eq!(started.status.code(), Some(0), "{}", said(&started));
    };
    let mut sent = 0;
    for (name, remote) in [("here", false), ("there", true)] {
        search(name);
        let words = [
            "run",
            "delete-search-result-emails",
            "--connection",
            "sandbox-user",
            "--search-names",
            name,
        ];
        let program = if remote {
            service.program(&lab, &words)
        } else {
            lab.program(&words)
        };
        for answer in ["no\n", "\n", INTERRUPT] {
            let (status, shown) = at_a_terminal(&program, answer);
            assert!(shown.contains("query: from:example"), "{shown}");
            assert!(shown.contains("nothing was deleted"), "{answer:?}: {shown}");
            assert_ne!(status, 0, "{shown}");
            assert_eq!(deletions(&lab), sent, "{shown}");
        }
        let (status, shown) = at_a_terminal(&program, "yes\n");
        assert!(matches!(status, 0 | 3), "{status}: {shown}");
        sent += 1;
        assert_eq!(deletions(&lab), sent, "{shown}");
    }
}

#[test]
fn a_second_interrupt_leaves_at_once() {
    let lab = Lab::start(&[]);
    let service = Service::start(&lab, &[]);
    let block = ["run", "block-senders", "--senders", "x@evil.example"];
    // The tenant answers no call before this test is over.
    lab.faults(&serde_json::json!([
        {"kind": "hang", "phase": "before", "match": {"effect": "read"}, "count": 0},
    ]));
    for mut program in [lab.program(&block), service.program(&lab, &block)] {
        let before = lab.log().len();
        let mut child = program
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        while lab.log().len() == before {
            std::thread::yield_now();
        }
        interrupt(&child);
        let mut said = until(child.stderr.as_mut().unwrap(), "leaves at once\n");
        interrupt(&child);
        let output = child.wait_with_output().unwrap();
        said.push_str(&String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(130), "{said}");
        assert!(said.contains("left at once"), "{said}");
        assert!(output.stdout.is_empty());
    }
}
