//! Connections that break, and certificates that nobody knows.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::{lines, service::Service};
use crate::lab::{Lab, result, said};

/// How often a relay broke each kind of connection.
#[derive(Default)]
struct Breaks {
    starts: AtomicUsize,
    events: AtomicUsize,
}

/// Carries connections to a service, and breaks the first start of a run after the service took it,
/// and the first streams of events in the middle of an event. Gives its own URL.
fn breaking(to: &str) -> (String, Arc<Breaks>) {
    let target = to.strip_prefix("http://").unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let breaks = Arc::new(Breaks::default());
    let counted = Arc::clone(&breaks);
    std::thread::spawn(move || {
        for near in listener.incoming() {
            let (Ok(near), Ok(far)) = (near, TcpStream::connect(&target)) else {
                return;
            };
            let breaks = Arc::clone(&counted);
            std::thread::spawn(move || carry(near, far, &breaks));
        }
    });
    (url, breaks)
}

/// One request and its answer.
fn carry(mut near: TcpStream, mut far: TcpStream, breaks: &Breaks) {
    let mut bytes = [0; 16 * 1024];
    let mut request = Vec::new();
    let whole = |request: &[u8]| {
        let text = String::from_utf8_lossy(request).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            return false;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        body.len() >= length.map_or(0, |length| length.parse().unwrap())
    };
    while !whole(&request) {
        match near.read(&mut bytes) {
            Ok(count @ 1..) => request.extend_from_slice(&bytes[..count]),
            _ => return,
        }
    }
    far.write_all(&request).unwrap();
    let text = String::from_utf8_lossy(&request).into_owned();
    let starts = text.starts_with("POST /api/v1/runs ");
    let follows = text.contains("/events ");
    let mut answer = Vec::new();
    while let Ok(count @ 1..) = far.read(&mut bytes) {
        answer.extend_from_slice(&bytes[..count]);
        if starts && breaks.starts.fetch_add(1, Ordering::SeqCst) == 0 {
            break;
        }
        let middle = find(&answer, b"event: item\ndata: {");
        if let Some(at) = middle.filter(|_| follows && breaks.events.load(Ordering::SeqCst) < 2) {
            breaks.events.fetch_add(1, Ordering::SeqCst);
            // Up to the second item, so that the first has come whole.
            let second = find(&answer[at + 1..], b"event: item\ndata: {");
            let end = second.map_or(at, |second| at + second) + 20;
            let end = end.min(answer.len());
            let start = answer.len() - count;
            if end > start {
                let _ = near.write_all(&answer[start..end]);
            }
            break;
        }
        if near.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = near.shutdown(Shutdown::Both);
    let _ = far.shutdown(Shutdown::Both);
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len())
        .position(|window| window == wanted)
}

#[test]
fn a_broken_connection_starts_nothing_twice_and_tells_no_item_twice() {
    let lab = Lab::start(&["--delay-ms", "20"]);
    let service = Service::start(&lab, &[]);
    let (url, breaks) = breaking(service.url());
    let senders: Vec<String> = (0..60).map(|n| format!("a{n}@evil.example")).collect();
    let file = lab.file("senders.txt", &senders.join("\n"));
    let output = service
        .program(
            &lab,
            &[
                "run",
                "block-senders",
                "--output",
                "ndjson",
                "--server",
                &url,
            ],
        )
        .arg("--senders-file")
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(
        breaks.starts.load(Ordering::SeqCst) >= 2,
        "the start was sent again"
    );
    assert_eq!(
        breaks.events.load(Ordering::SeqCst),
        2,
        "two streams were broken"
    );
    let lines = lines(&output);
    let mut told: Vec<&str> = lines
        .iter()
        .filter(|line| line["type"] == "item")
        .map(|line| line["input"].as_str().unwrap())
        .collect();
    told.sort_unstable();
    let mut wanted: Vec<&str> = senders.iter().map(String::as_str).collect();
    wanted.sort_unstable();
    assert_eq!(told, wanted);
    let runs = result(&service.run(&lab, &["runs", "list", "--output", "json"]));
    assert_eq!(runs["items"].as_array().unwrap().len(), 1, "{runs}");
}

#[test]
fn a_redirect_is_not_followed_and_a_stranger_is_told_of() {
    let lab = Lab::start(&[]);
    for (answer, what) in [
        (
            "302 Found\r\nLocation: http://evil.example/",
            "a redirect to http://evil.example/",
        ),
        ("200 OK\r\nContent-Type: text/html", "unknown JSON"),
        ("404 Not Found", "status 404 and no problem details"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard = std::thread::spawn(move || {
            let (mut near, _) = listener.accept().unwrap();
            let mut bytes = [0; 4096];
            let count = near.read(&mut bytes).unwrap();
            let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 4\r\n\r\nhuh?");
            near.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&bytes[..count]).to_lowercase()
        });
        let output = lab
            .program(&["runs", "list", "--server", &url])
            .env("MAILCORDON_TOKEN", "mcd_1234")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(said(&output).contains(what), "{}", said(&output));
        assert!(
            said(&output).contains("[not_accepted]"),
            "{}",
            said(&output)
        );
        assert!(
            heard
                .join()
                .unwrap()
                .contains("authorization: bearer mcd_1234")
        );
    }
}

#[test]
fn a_certificate_that_nobody_knows_gets_no_token() {
    let lab = Lab::start(&[]);
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = lab.file("cert.pem", &made.cert.pem());
    let key = lab.file("key.pem", &made.signing_key.serialize_pem());
    let rights = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&key, rights).unwrap();
    let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    let service = Service::start(&lab, &["--tls-cert", certificate, "--tls-key", key]);
    assert!(service.url().starts_with("https://"));
    let list = ["connection", "list", "--output", "json"];
    let unknown = service.run(&lab, &list);
    assert_eq!(unknown.status.code(), Some(2));
    let text = said(&unknown);
    assert!(
        text.contains("[tls_failed]") || text.contains("no CA certificates"),
        "{text}"
    );
    let known = service.run(
        &lab,
        &[list.as_slice(), &["--server-ca", certificate]].concat(),
    );
    assert_eq!(known.status.code(), Some(0), "{}", said(&known));
    assert_eq!(result(&known)[0]["name"], "sandbox");
    let name = service.url().replace("127.0.0.1", "localhost");
    let other = service.run(
        &lab,
        &[
            "connection",
            "list",
            "--server-ca",
            certificate,
            "--server",
            &name,
        ],
    );
    assert_eq!(other.status.code(), Some(2));
    assert!(said(&other).contains("[tls_failed]"), "{}", said(&other));
    let broken = service.run(&lab, &[list.as_slice(), &["--server-ca", key]].concat());
    assert_eq!(broken.status.code(), Some(2));
}

#[test]
fn a_key_that_others_may_read_is_not_served_with() {
    let lab = Lab::start(&[]);
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = lab.file("cert.pem", &made.cert.pem());
    let key = lab.file("key.pem", &made.signing_key.serialize_pem());
    let rights = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(&key, rights).unwrap();
    let mut child = lab
        .program(&["serve", "--listen", "127.0.0.1:0", "--tls-cert"])
        .arg(&certificate)
        .arg("--tls-key")
        .arg(&key)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let stdout = child.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    // A service that starts goes on until it is ended.
    let _ = child.kill();
    assert_eq!(line, "", "it does not start");
    let text = said(&child.wait_with_output().unwrap());
    for part in ["[secret_source]", "key.pem", "mode 0644", "chmod 600"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}
