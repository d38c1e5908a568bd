//! No secret, token or assertion of a run may stand in anything that the program or the sandbox
//! leaves behind: standard output and error at trace level, the token cache, the sandbox's log,
//! command lines. Plain, in base64 or percent-encoded.
//!
//! The suite runs a few commands with each kind of sign-in; the soak runs all of them
//! (`MAILCORDON_LEAKS=all`). The service and its store are searched in [`service`].

mod service;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex},
};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Value, json};

use crate::lab::Lab;

/// All that went through a relay, in both directions.
type Heard = Arc<Mutex<Vec<u8>>>;

/// Carries connections to `to` and writes down what it carries. Gives its own base URL.
fn relay(to: &str) -> (String, Heard) {
    let target = to.strip_prefix("http://").unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let heard = Heard::default();
    let all = Arc::clone(&heard);
    std::thread::spawn(move || {
        for near in listener.incoming() {
            let (Ok(near), Ok(far)) = (near, TcpStream::connect(&target)) else {
                return;
            };
            for (from, to) in [(&near, &far), (&far, &near)] {
                let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                let all = Arc::clone(&all);
                std::thread::spawn(move || carry(from, to, &all));
            }
        }
    });
    (base, heard)
}

fn carry(mut from: TcpStream, mut to: TcpStream, heard: &Heard) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        heard.lock().unwrap().extend_from_slice(&bytes[..count]);
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// The secrets in what a relay heard: forms that went in, answers that came out.
fn secrets(heard: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(heard);
    let mut found = BTreeSet::new();
    let names = [
        "client_secret",
        "client_assertion",
        "assertion",
        "password",
        "access_token",
        "refresh_token",
        "device_code",
    ];
    for name in names {
        for (at, _) in text.match_indices(name) {
            let rest = &text[at + name.len()..];
            let value = if let Some(rest) = rest.strip_prefix('=') {
                let end = rest.find(['&', '\r', '\n', ' ']).unwrap_or(rest.len());
                // The headers of the next request may follow a form directly.
                let value = rest[..end].split("HTTP/1.1").next().unwrap();
                percent_decode_str(value).decode_utf8_lossy().into_owned()
            } else if let Some(rest) = rest.strip_prefix("\":\"") {
                rest[..rest.find('"').unwrap_or(rest.len())].to_owned()
            } else {
                continue;
            };
            if value.len() >= 8 {
                found.insert(value);
            }
        }
    }
    found
}

/// The forms under which a secret may hide.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![
        secret.as_bytes().to_vec(),
        utf8_percent_encode(secret, NON_ALPHANUMERIC)
            .to_string()
            .into_bytes(),
    ];
    // A signature says as much as the whole token.
    if let Some((_, signature)) = secret.rsplit_once('.')
        && secret.matches('.').count() == 2
        && signature.len() >= 16
    {
        forms.push(signature.as_bytes().to_vec());
    }
    // In base64 of a longer text it may begin at any of three places.
    for shift in 0..3 {
        let padded = [&b"\0\0\0"[..shift], secret.as_bytes()].concat();
        let whole = padded.len() / 3 * 3;
        let first = if shift == 0 { 0 } else { 4 };
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let text = engine.encode(&padded[..whole]);
            if text.len() >= first + 12 {
                forms.push(text.as_bytes()[first..].to_vec());
            }
        }
    }
    forms.push(STANDARD.encode(secret).into_bytes());
    forms
}

/// Which secrets stand where.
pub fn scan(secrets: &BTreeSet<String>, places: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let mut found = Vec::new();
    for (place, bytes) in places {
        // What is no text becomes marks, and what is stays as it was; text is searched fast.
        let text = String::from_utf8_lossy(bytes);
        for secret in secrets {
            for form in forms(secret) {
                if text.contains(&*String::from_utf8_lossy(&form)) {
                    found.push(format!("{}… in {place}", &secret[..4]));
                }
            }
        }
    }
    found
}

/// A connection, and what it needs in the environment.
struct Way {
    name: &'static str,
    auth: String,
    environment: Vec<(&'static str, String)>,
}

fn certificate(lab: &Lab) {
    let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048);
    let key = key.unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["app.example".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2100, 1, 1);
    let certificate = params.self_signed(&key).unwrap().pem();
    lab.control("POST", "/certificates", &json!({ "pem": certificate }));
    let path = lab.file(
        "config/app.pem",
        &format!("{certificate}{}", key.serialize_pem()),
    );
    let rights = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(path, rights).unwrap();
}

fn ways(lab: &Lab, identity: &str) -> Vec<Way> {
    let text = |pointer: &str| {
        lab.about
            .pointer(pointer)
            .unwrap()
            .as_str()
            .unwrap()
            .to_owned()
    };
    let client = text("/credentials/oauth2/client_id");
    certificate(lab);
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let assertion = format!(
        "{}.{}.c2lnbmF0dXJlLW9mLWFuLWFzc2VydGlvbg",
        part(json!({"alg": "RS256", "kid": "1"})),
        part(
            json!({"iss": "https://issuer.example", "sub": "a run", "aud": "api://AzureADTokenExchange", "exp": 4_000_000_000_u64})
        )
    );
    lab.control("POST", "/federated", &json!({ "exact": assertion }));
    lab.control(
        "POST",
        "/settings",
        &json!({"device_auto_approve": true, "device_interval": 1}),
    );
    let way = |name, auth: String, environment| Way {
        name,
        auth,
        environment,
    };
    vec![
        way(
            "secret",
            format!(
                "{{ type = \"oauth2\", client_id = \"{client}\", client_secret = \"file:client-secret\" }}"
            ),
            vec![],
        ),
        way(
            "password",
            format!(
                "{{ type = \"basic\", username = \"{}\", password = \"file:password\" }}",
                text("/credentials/basic/username")
            ),
            vec![],
        ),
        way(
            "certificate",
            format!(
                "{{ type = \"certificate\", client_id = \"{client}\", certificate_file = \"app.pem\" }}"
            ),
            vec![],
        ),
        way(
            "federated",
            format!(
                "{{ type = \"federated\", client_id = \"{client}\", assertion = \"env:ASSERTION\" }}"
            ),
            vec![("ASSERTION", assertion)],
        ),
        way(
            "identity",
            "{ type = \"managed_identity\" }".to_owned(),
            vec![
                ("IDENTITY_ENDPOINT", identity.to_owned()),
                (
                    "IDENTITY_HEADER",
                    text("/managed_identity/app_service/header"),
                ),
            ],
        ),
        way(
            "device",
            "{ type = \"device_code\", token_file = \"refresh\" }".to_owned(),
            vec![],
        ),
    ]
}

/// What is run: the commands of the suite, or all that there are with their examples.
fn matrix() -> Vec<Vec<String>> {
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let mut runs = vec![
        words("run list-items-in-blocklist --list-type emails --output json"),
        words("run block-senders --senders leak@evil.example --output ndjson"),
    ];
    #[expect(
        clippy::disallowed_methods,
        reason = "the soak asks for all from outside"
    )]
    let all = std::env::var("MAILCORDON_LEAKS").is_ok_and(|value| value == "all");
    if all {
        runs.clear();
        for definition in commands::catalog::all() {
            let mut run = words("run");
            run.push(definition.meta.id.to_owned());
            run.push(format!("--input={}.json", definition.meta.id));
            if definition.meta.effect == kernel::Effect::Destructive {
                run.push("--yes".to_owned());
            }
            run.extend(words("--output json"));
            runs.push(run);
        }
    }
    runs
}

fn add_files(places: &mut BTreeMap<String, Vec<u8>>, folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            add_files(places, &path);
        } else {
            places.insert(path.display().to_string(), std::fs::read(&path).unwrap());
        }
    }
}

/// Every command line of the machine while the child lives.
pub fn command_lines(into: &mut Vec<u8>) {
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        if let Ok(line) = std::fs::read(entry.path().join("cmdline")) {
            into.extend_from_slice(&line);
            into.push(b'\n');
        }
    }
}

/// A connection for each way to sign in, through the relay.
fn write_config(lab: &Lab, ways: &[Way], authority: &str) {
    let text = |pointer: &str| lab.about.pointer(pointer).unwrap().as_str().unwrap();
    let mut config = String::from("version = 1\n");
    for Way { name, auth, .. } in ways {
        let _ = write!(
            config,
            "[connections.{name}]\ntenant = \"{}\"\ncloud = \"custom\"\nauth = {auth}\n\
             endpoints = {{ authority = \"{authority}\", exchange = \"{}\", compliance = \"{}\" }}\n",
            text("/tenant"),
            text("/exchange"),
            text("/compliance"),
        );
    }
    std::fs::write(lab.config(), config).unwrap();
}

/// A search that finds nothing must be one that could.
fn can_be_found(known: &BTreeSet<String>) {
    for secret in known {
        for planted in [
            secret.clone(),
            STANDARD.encode(secret),
            STANDARD.encode(format!("x{secret}")),
            URL_SAFE_NO_PAD.encode(format!("yz{secret} and more")),
            utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
        ] {
            let place = format!("a line of a log with {planted} in its middle");
            let places = BTreeMap::from([("planted".to_owned(), place.into_bytes())]);
            let one = BTreeSet::from([secret.clone()]);
            assert!(!scan(&one, &places).is_empty(), "{planted} was not found");
        }
    }
}

#[test]
fn nothing_that_signs_in_is_left_anywhere() {
    let lab = Lab::start(&["--compliance", "legacy"]);
    let text = |pointer: &str| lab.about.pointer(pointer).unwrap().as_str().unwrap();
    let (authority, at_sign_in) = relay(text("/authority"));
    let identity = text("/managed_identity/app_service/endpoint");
    let (identity, path) = identity.split_at(identity.rfind("/msi").unwrap());
    let (identity, at_identity) = relay(identity);
    let ways = ways(&lab, &format!("{identity}{path}"));
    write_config(&lab, &ways, &authority);
    for definition in commands::catalog::all() {
        lab.file(
            &format!("{}.json", definition.meta.id),
            definition.meta.example,
        );
    }
    let mut places = BTreeMap::new();
    let mut lines = Vec::new();
    let mut known = BTreeSet::new();
    for way in &ways {
        for run in matrix() {
            let mut command = lab.program(&["--log", "trace"]);
            command.args(&run).args(["--connection", way.name]);
            command.current_dir(lab.folder.path());
            command.envs(way.environment.iter().map(|(name, value)| (*name, value)));
            let child = command
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            command_lines(&mut lines);
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(
                said.contains("TRACE") || said.contains("DEBUG"),
                "{}: nothing is logged: {said}",
                way.name
            );
            assert!(
                !String::from_utf8_lossy(&output.stdout).contains("authentication_failed"),
                "{}: {said}",
                way.name
            );
            let name = format!("{} {}", way.name, run[1]);
            places.insert(format!("stdout of {name}"), output.stdout);
            places.insert(format!("stderr of {name}"), output.stderr);
        }
        known.extend(
            way.environment
                .iter()
                .filter(|(name, _)| !name.ends_with("ENDPOINT"))
                .map(|(_, value)| value.clone()),
        );
    }
    places.insert("command lines".to_owned(), lines);
    places.insert(
        "the sandbox's log".to_owned(),
        json!(lab.log()).to_string().into_bytes(),
    );
    add_files(&mut places, &lab.folder.path().join("runtime"));
    let heard = [
        at_sign_in.lock().unwrap().clone(),
        at_identity.lock().unwrap().clone(),
    ]
    .concat();
    known.extend(secrets(&heard));
    known.insert(text("/credentials/oauth2/client_secret").to_owned());
    known.insert(text("/credentials/basic/password").to_owned());
    // A token for each way to sign in, a secret, a password, an assertion or two.
    assert!(
        known.len() >= ways.len() + 4,
        "only {} secrets were heard of",
        known.len()
    );
    let found = scan(&known, &places);
    assert!(found.is_empty(), "{found:#?}");
    println!(
        "{} secrets searched for in {} places",
        known.len(),
        places.len()
    );
    can_be_found(&known);
}
