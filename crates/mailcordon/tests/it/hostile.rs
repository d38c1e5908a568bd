//! Servers that lie: the program ends with a sentence and one object, in time, without a panic,
//! and never speaks to a stranger.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use serde_json::Value;

use crate::lab::{bare, result, said};

/// What the Exchange endpoint answers.
type Answer = fn(&mut TcpStream);

/// A sign-in endpoint that gives a token to everybody, and an Exchange endpoint that answers as
/// told. Gives their address.
fn serve(answer: Answer) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for wire in listener.incoming() {
            let Ok(mut wire) = wire else { return };
            std::thread::spawn(move || {
                let _ = wire.set_read_timeout(Some(Duration::from_secs(30)));
                while let Some(head) = request(&mut wire) {
                    if head.contains("/oauth2/v2.0/token") {
                        let body = r#"{"token_type":"Bearer","expires_in":3599,"access_token":"opaque-token-of-a-test"}"#;
                        let _ = write!(
                            wire,
                            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                            body.len()
                        );
                        continue;
                    }
                    answer(&mut wire);
                    return;
                }
            });
        }
    });
    format!("http://{address}")
}

/// Reads a request whole and gives its head.
fn request(wire: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if wire.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .map_or(0, |length| length.trim().parse().unwrap());
    let mut body = vec![0; length];
    wire.read_exact(&mut body).ok()?;
    Some(head)
}

/// Blocks a sender against such a server: a change, so that nothing is tried again.
fn run(answer: Answer) -> (Option<i32>, Value, String) {
    let base = serve(answer);
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    std::fs::write(
        &config,
        format!(
            "[connections.hostile]\ntenant = \"victim.onmicrosoft.com\"\ncloud = \"custom\"\n\
             endpoints = {{ authority = \"{base}\", exchange = \"{base}\", compliance = \"{base}\" }}\n\
             auth = {{ type = \"oauth2\", client_id = \"11111111-2222-3333-4444-555555555555\", \
             client_secret = \"env:SECRET\" }}\n"
        ),
    )
    .unwrap();
    let output = bare(&["run", "list-items-in-blocklist", "--list-type", "emails"])
        .args(["--output", "json"])
        .env("MAILCORDON_CONFIG", &config)
        .env("HOME", folder.path())
        .env("XDG_RUNTIME_DIR", folder.path())
        .env("SECRET", "a-secret-of-a-test")
        .output()
        .unwrap();
    let text = said(&output);
    assert!(!text.contains("panicked"), "{text}");
    (output.status.code(), result(&output), text)
}

fn fails(answer: Answer, code: &str) {
    let (status, shown, text) = run(answer);
    assert_eq!(status, Some(1), "{text}");
    assert_eq!(shown["return_data"], "Failed");
    assert_eq!(shown["complete"], false);
    assert_eq!(shown["error"]["code"], code, "{shown}");
}

fn write(wire: &mut TcpStream, text: &[u8]) {
    let _ = wire.write_all(text);
}

#[test]
fn an_answer_that_never_ends_is_cut_off() {
    fails(
        |wire| {
            write(wire, b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{\"value\":[{}");
            let rows = b",{\"Value\":\"endless\"}".repeat(4096);
            while wire.write_all(&rows).is_ok() {}
        },
        "answer_too_large",
    );
}

#[test]
fn a_length_that_lies_by_terabytes_reserves_nothing() {
    fails(
        |wire| {
            write(wire, b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999999999999\r\n\r\n{");
        },
        "answer_too_large",
    );
}

#[test]
fn a_redirect_to_a_stranger_is_not_followed() {
    fails(
        |wire| {
            write(wire, b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1.attacker.example/x\r\nContent-Length: 0\r\n\r\n");
        },
        "untrusted_url",
    );
}

#[test]
fn a_link_to_a_stranger_is_not_followed() {
    let (status, shown, _) = run(|wire| {
        let body = r#"{"value":[{"Value":"a@evil.example","Action":"Block","Identity":"1"}],"@odata.nextLink":"https://outlook.office365.com.attacker.example/x"}"#;
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        write(wire, head.as_bytes());
    });
    assert_eq!(status, Some(3), "{shown}");
    assert_eq!(
        (&shown["complete"], &shown["error"]["code"]),
        (&Value::Bool(false), &"untrusted_url".into())
    );
}

#[test]
fn a_page_for_people_and_nul_bytes_are_no_rows() {
    // Refusals end at once; what looks like a success that cannot be read is tried again first.
    fails(
        |wire| {
            let body = vec![0; 4096];
            write(
                wire,
                b"HTTP/1.1 403 Forbidden\r\nContent-Encoding: gzip\r\nContent-Length: 4096\r\n\r\n",
            );
            write(wire, &body);
        },
        "role_missing",
    );
    fails(
        |wire| {
            let body = "<html><body>\u{1b}[2JPlease sign in</body></html>";
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            write(wire, head.as_bytes());
        },
        "unreadable_answer",
    );
}
