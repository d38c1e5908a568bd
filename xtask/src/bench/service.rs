//! The service in a process of its own, and just enough of HTTP to ask it.

use std::{
    cell::Cell,
    fmt::Write as _,
    io::{BufRead, BufReader, Read, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use kernel::Clock;
use serde_json::Value;

use super::{Bench, place::Place};
use crate::chore::output;

/// How many tokens take turns, so that the rate of a token is no limit of a measure.
const TOKENS: usize = 8;
/// How long between two looks at something that will be so.
const PAUSE: Duration = Duration::from_millis(20);
/// How long anything may take.
const PATIENCE: Duration = Duration::from_mins(5);

/// What a service is started with: a configuration, a data folder, and tokens to it.
#[derive(Debug)]
pub struct Stand<'a> {
    bench: &'a Bench<'a>,
    place: &'a Place,
    config: Option<PathBuf>,
    data: tempfile::TempDir,
    tokens: Vec<String>,
}

impl<'a> Stand<'a> {
    /// A fresh data folder, on the disk that the workspace is on. Without a configuration, it is
    /// the one of the tenant.
    pub fn new(
        bench: &'a Bench<'a>,
        place: &'a Place,
        config: Option<PathBuf>,
    ) -> anyhow::Result<Self> {
        let mut stand = Self {
            bench,
            place,
            config,
            data: tempfile::tempdir_in(&bench.workspace.target)?,
            tokens: Vec::new(),
        };
        for number in 0..TOKENS {
            let name = format!("bench{number}");
            let mut create = vec!["token", "create", "--name", &name, "--output", "json"];
            for scope in ["read", "write", "raw", "admin"] {
                create.extend(["--scope", scope]);
            }
            // It says on standard error that a token was made, which is no news here.
            let made = stand.program(&create).output()?;
            let said = String::from_utf8_lossy(&made.stderr);
            ensure!(made.status.success(), "no token was made: {said}");
            let made: Value = serde_json::from_slice(&made.stdout)?;
            let token = made.get("token").and_then(Value::as_str);
            stand
                .tokens
                .push(token.context("no token was made")?.to_owned());
        }
        Ok(stand)
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.data.path().join("mailcordon.db")
    }

    /// Starts the service and waits until it says where it listens.
    pub fn serve(&self) -> anyhow::Result<Service<'_>> {
        let mut program = self.program(&["serve", "--listen", "127.0.0.1:0"]);
        let mut child = program
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start the service")?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("the service has no output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let mut service = Service {
            child,
            host: String::new(),
            tokens: &self.tokens,
            turn: Cell::new(0),
            clock: &self.bench.workspace.clock,
        };
        let about: Value = serde_json::from_str(&line)
            .with_context(|| format!("the first line of the service: {line:?}"))?;
        let url = about.get("url").and_then(Value::as_str);
        url.and_then(|url| url.strip_prefix("http://"))
            .context("the service says no URL")?
            .clone_into(&mut service.host);
        Ok(service)
    }

    fn program(&self, arguments: &[&str]) -> Command {
        let mut program = self.place.program(arguments);
        program.arg("--data").arg(self.data.path());
        if let Some(config) = &self.config {
            program.env("MAILCORDON_CONFIG", config);
        }
        program
    }
}

/// A running service; it is ended when this is dropped.
#[derive(Debug)]
pub struct Service<'a> {
    child: Child,
    host: String,
    tokens: &'a [String],
    turn: Cell<usize>,
    clock: &'a dyn Clock,
}

impl Service<'_> {
    /// One request that must be granted; gives the body.
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let turn = self.turn.replace(self.turn.get().wrapping_add(1));
        let token = self.tokens.get(turn % self.tokens.len().max(1));
        let token = token.context("the service has no token")?;
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let mut wire = TcpStream::connect(&self.host)?;
        wire.set_read_timeout(Some(Duration::from_mins(1)))?;
        // HTTP/1.0, so that the body comes in one piece and ends with the connection. One write, so
        // that no part of it waits for an acknowledgement.
        let request = format!(
            "{method} /api/v1{path} HTTP/1.0\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        );
        wire.write_all(request.as_bytes())?;
        let mut answer = String::new();
        wire.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        ensure!(status.starts_with('2'), "{method} {path}: {status} {body}");
        Ok(serde_json::from_str(body)?)
    }

    /// Looks.
    pub fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.ask("GET", path, &Value::Null)
    }

    /// Starts a run and gives its id.
    pub fn start(&self, request: &Value) -> anyhow::Result<String> {
        let run = self.ask("POST", "/runs", request)?;
        Ok(text(&run, "id")?.to_owned())
    }

    /// A run once `so` holds of it.
    pub fn run(&self, id: &str, so: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        let end = self.clock.elapsed() + PATIENCE;
        loop {
            let run = self.get(&format!("/runs/{id}"))?;
            if so(&run) {
                return Ok(run);
            }
            ensure!(self.clock.elapsed() < end, "waited in vain: {run}");
            std::thread::sleep(PAUSE);
        }
    }

    /// A run once it is over; it must have succeeded.
    pub fn success(&self, id: &str) -> anyhow::Result<Value> {
        let run = self.run(id, is_over)?;
        let good = run.get("return_data").and_then(Value::as_str) == Some("Successful");
        ensure!(good, "a run did not succeed: {run}");
        Ok(run)
    }

    /// Its resident memory, in KiB.
    pub fn resident(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        Ok(number.context("the kernel tells no VmRSS")?.parse()?)
    }

    /// Ends it at once, as a failing machine would.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to stop, and waits until it has.
    pub fn stop(mut self) -> anyhow::Result<()> {
        let pid = self.child.id().to_string();
        output(Command::new("kill").args(["-INT", &pid]))?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the service ended with {status}");
        Ok(())
    }
}

impl Drop for Service<'_> {
    fn drop(&mut self) {
        // It is a child of ours and holds nothing that outlives it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a run is over.
pub fn is_over(run: &Value) -> bool {
    run.get("state").and_then(Value::as_str) == Some("finished")
}

/// A text of a JSON object.
pub fn text<'v>(value: &'v Value, name: &str) -> anyhow::Result<&'v str> {
    match value.get(name).and_then(Value::as_str) {
        Some(text) => Ok(text),
        None => bail!("no `{name}` in {value}"),
    }
}

/// A configuration with so many connections to each of these tenants: `NAME0`, `NAME1`, ….
pub fn connections(beside: &Place, tenants: &[(&str, &Place, usize)]) -> anyhow::Result<PathBuf> {
    let mut config = String::from("version = 1\n");
    for (name, place, count) in tenants {
        let folder = place.folder.path().join("config");
        let own = std::fs::read_to_string(folder.join("config.toml"))?;
        let (_, rest) = own
            .split_once("[connections.sandbox]\n")
            .context("the tenant's configuration is not as it was")?;
        let secret = format!("file:{}", folder.join("client-secret").display());
        let body = rest.split("\n[").next().unwrap_or_default();
        let body = body.replace("file:client-secret", &secret);
        for number in 0..*count {
            let _ = write!(config, "\n[connections.{name}{number}]\n{body}\n");
        }
    }
    let path: &Path = beside.folder.path();
    let path = path.join("config/connections.toml");
    std::fs::write(&path, config)?;
    Ok(path)
}
