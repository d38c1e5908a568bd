//! The built program, and a simulated tenant that it serves itself.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use serde_json::{Value, json};

/// The program with an environment that holds nothing of the machine's.
pub fn bare(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailcordon"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

/// Runs it without any configuration.
pub fn offline(arguments: &[&str]) -> Output {
    let nowhere = tempfile::tempdir().unwrap();
    bare(arguments)
        .env("HOME", nowhere.path())
        .output()
        .unwrap()
}

/// Runs it with something to read.
pub fn fed(command: &mut Command, text: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The program may refuse to read on; then the pipe breaks, and that is its right.
    let _ = child.stdin.take().unwrap().write_all(text);
    child.wait_with_output().unwrap()
}

/// Standard error as text.
pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The one JSON value on standard output.
pub fn result(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text:?}, said: {}", said(output)))
}

/// The outcome of each item, in order.
pub fn outcomes(result: &Value) -> Vec<&str> {
    let items = result["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["outcome"].as_str().unwrap())
        .collect()
}

/// A tenant in a process of its own.
pub struct Lab {
    child: Child,
    pub folder: tempfile::TempDir,
    pub about: Value,
}

impl Lab {
    /// A small tenant, with further arguments of `mailcordon sandbox`.
    pub fn start(arguments: &[&str]) -> Self {
        let lab = Self::launch(arguments);
        // Searches go by cmdlet: those over Graph take minutes of the tenant's clock.
        lab.configure(|text| {
            let with = format!(
                ", graph = {}, download = {}",
                lab.about["graph"], lab.about["download"]
            );
            assert!(text.contains(&with), "{text}");
            text.replace(&with, "")
        });
        lab
    }

    /// A small tenant whose searches go over Graph, on a clock that goes so many times as fast as
    /// the machine's; the client's waits are as many times as short.
    pub fn over_graph(pace: u32, arguments: &[&str]) -> Self {
        let lab = Self::launch(arguments);
        lab.configure(|text| text.replace("\nauth = ", &format!("\npace = {pace}\nauth = ")));
        let settings = json!({ "clock_speed": pace, "token_seconds": 3599 * u64::from(pace) });
        lab.control("POST", "/settings", &settings);
        lab
    }

    fn launch(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["runtime", "home"] {
            let path = folder.path().join(name);
            std::fs::create_dir(&path).unwrap();
            let rights = std::os::unix::fs::PermissionsExt::from_mode(0o700);
            std::fs::set_permissions(&path, rights).unwrap();
        }
        let mut size = vec!["sandbox"];
        if !arguments.contains(&"--mailboxes") {
            size.extend(["--mailboxes", "12"]);
        }
        if !arguments.contains(&"--quarantine") {
            size.extend(["--quarantine", "12"]);
        }
        let mut child = bare(&size)
            .args(arguments)
            .arg("--config-out")
            .arg(folder.path().join("config"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let about = serde_json::from_str(&line).expect("the first line is a JSON object");
        Self {
            child,
            folder,
            about,
        }
    }

    /// Rewrites the configuration.
    pub fn configure(&self, change: impl FnOnce(&str) -> String) {
        let text = std::fs::read_to_string(self.config()).unwrap();
        std::fs::write(self.config(), change(&text)).unwrap();
    }

    pub fn config(&self) -> PathBuf {
        self.folder.path().join("config/config.toml")
    }

    /// The program with this tenant's configuration.
    pub fn program(&self, arguments: &[&str]) -> Command {
        let mut command = bare(arguments);
        command
            .env("MAILCORDON_CONFIG", self.config())
            .env("XDG_RUNTIME_DIR", self.folder.path().join("runtime"))
            .env("HOME", self.folder.path().join("home"));
        command
    }

    /// Runs it.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.program(arguments).output().unwrap()
    }

    /// Asks the control endpoint.
    pub fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        let base = self.about["control"]["url"].as_str().unwrap();
        let host = base.strip_prefix("http://").unwrap();
        let token = self.about["control"]["token"].as_str().unwrap();
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let mut wire = TcpStream::connect(host).unwrap();
        wire.set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        write!(
            wire,
            "{method} /control{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = Vec::new();
        wire.read_to_end(&mut answer).unwrap();
        let text = String::from_utf8(answer).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{text}");
        serde_json::from_str(body).unwrap()
    }

    pub fn faults(&self, faults: &Value) {
        self.control("POST", "/faults", &json!({ "faults": faults }));
    }

    /// The request log.
    pub fn log(&self) -> Vec<Value> {
        let log = self.control("GET", "/log", &Value::Null);
        log["entries"].as_array().unwrap().clone()
    }

    /// What the tenant's clock shows.
    pub fn now(&self) -> jiff::Timestamp {
        let clock = self.control("GET", "/clock", &Value::Null);
        clock["now"].as_str().unwrap().parse().unwrap()
    }

    /// Writes a file into the lab's folder.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // A child of this test, which holds nothing that outlives it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A file of the workspace's test data.
pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/data")
        .join(name)
}
