//! A service in a process of its own, and just enough of HTTP to ask it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::Duration,
};

use serde_json::Value;

use crate::lab::{Lab, result};

/// A service on a data folder, with the connections of a simulated tenant.
pub struct Service {
    child: Child,
    host: String,
}

impl Service {
    /// Starts it, with further environment, and waits until it says where it listens.
    pub fn start(lab: &Lab, folder: &Path, environment: &[(&str, &str)]) -> Self {
        let mut program = lab.program(&["serve", "--listen", "127.0.0.1:0", "--data"]);
        program.arg(folder).stdout(Stdio::piped());
        // What it says is read when it does not start.
        let said = std::fs::File::create(folder.with_extension("log")).unwrap();
        program.stderr(said);
        for (name, value) in environment {
            program.env(name, value);
        }
        let mut child = program.spawn().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let about: Value = serde_json::from_str(&line).unwrap_or_else(|error| {
            let said = std::fs::read_to_string(folder.with_extension("log"));
            panic!("the service did not start: {error}, {said:?}")
        });
        let host = about["url"].as_str().unwrap().replace("http://", "");
        Self { child, host }
    }

    /// Ends it at once, as a failing machine would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop, and waits until it has.
    pub fn stop(mut self) {
        let stopped = std::process::Command::new("kill")
            .args(["-INT", &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(stopped.success());
        assert!(self.child.wait().unwrap().success());
    }

    /// One request; gives status and body.
    pub fn ask(&self, token: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let (status, body) = self.said(token, method, path, body);
        (status, serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    /// The same, with the body as it came.
    pub fn said(&self, token: &str, method: &str, path: &str, body: &Value) -> (u16, String) {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let mut wire = TcpStream::connect(&self.host).unwrap();
        wire.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        // HTTP/1.0, so that the body comes in one piece and ends with the connection.
        write!(
            wire,
            "{method} /api/v1{path} HTTP/1.0\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        )
        .unwrap();
        let mut answer = Vec::new();
        wire.read_to_end(&mut answer).unwrap();
        let text = String::from_utf8(answer).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    /// One request that must be granted.
    pub fn good(&self, token: &str, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.ask(token, method, path, body);
        assert!((200..300).contains(&status), "{status} {answer}");
        answer
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // A child of this test, which holds nothing that outlives it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The folder of a service's data, and a token that may do everything in it.
pub fn ready(lab: &Lab, name: &str) -> (PathBuf, String) {
    let folder = lab.folder.path().join(name);
    let mut arguments = vec!["token", "create", "--name", "test", "--output", "json"];
    for scope in ["read", "write", "destructive", "raw", "admin"] {
        arguments.extend(["--scope", scope]);
    }
    let output = lab
        .program(&arguments)
        .arg("--waive-plan-hash")
        .arg("--data")
        .arg(&folder)
        .output()
        .unwrap();
    let token = result(&output)["token"].as_str().unwrap().to_owned();
    (folder, token)
}
