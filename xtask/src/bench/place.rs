//! A simulated tenant in a process of its own, with a configuration for the program and what curl
//! needs to speak to it.

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Bench;
use crate::{chore::output, report::Row};

/// A running `mailcordon sandbox`; it is ended when this is dropped.
#[derive(Debug)]
pub struct Place {
    child: Child,
    /// Configuration, secrets, token cache, inputs.
    pub folder: tempfile::TempDir,
    /// What the sandbox said about itself.
    pub about: Value,
    binary: PathBuf,
}

impl Place {
    /// Starts a sandbox with these arguments and no request log.
    pub fn start(bench: &Bench<'_>, arguments: &[&str]) -> anyhow::Result<Self> {
        Self::of(bench.binary.clone(), arguments)
    }

    /// The same with this build of the program.
    pub fn of(binary: PathBuf, arguments: &[&str]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let settings = folder.path().join("settings.json");
        std::fs::write(&settings, json!({ "log": false }).to_string())?;
        let mut child = Command::new(&binary)
            .arg("sandbox")
            .args(arguments)
            .arg("--settings")
            .arg(&settings)
            .arg("--config-out")
            .arg(folder.path().join("config"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start the sandbox")?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("the sandbox has no output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let about = serde_json::from_str(&line)
            .with_context(|| format!("the sandbox's first line: {line:?}"))?;
        for name in ["runtime", "home"] {
            let path = folder.path().join(name);
            std::fs::create_dir(&path)?;
            let rights = std::os::unix::fs::PermissionsExt::from_mode(0o700);
            std::fs::set_permissions(&path, rights)?;
        }
        Ok(Self {
            child,
            folder,
            about,
            binary,
        })
    }

    /// A text of the sandbox's description, by JSON pointer.
    pub fn about(&self, pointer: &str) -> anyhow::Result<&str> {
        let value = self.about.pointer(pointer).and_then(Value::as_str);
        value.with_context(|| format!("the sandbox's description has no {pointer}"))
    }

    /// The program, run through `before` (as `taskset -c 0`), with this tenant's configuration.
    pub fn program_through(&self, before: &[&str], arguments: &[&str]) -> Command {
        let mut words = before.iter();
        let mut command = match words.next() {
            Some(first) => {
                let mut command = Command::new(first);
                command.args(words).arg(&self.binary);
                command
            }
            None => Command::new(&self.binary),
        };
        command
            .args(arguments)
            .env(
                "MAILCORDON_CONFIG",
                self.folder.path().join("config/config.toml"),
            )
            .env("XDG_RUNTIME_DIR", self.folder.path().join("runtime"))
            .env("HOME", self.folder.path().join("home"));
        command
    }

    /// The program with this tenant's configuration.
    pub fn program(&self, arguments: &[&str]) -> Command {
        self.program_through(&[], arguments)
    }

    /// Fills the token cache with a harmless read, so that what is measured does not sign in.
    pub fn warm_up(&self) -> anyhow::Result<()> {
        let mut read = self.program(&LIST);
        output(&mut read).map(drop)
    }

    /// Asks the control endpoint, or tells it something.
    pub fn control(&self, path: &str, tell: Option<&Value>) -> anyhow::Result<Value> {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail", "--header"])
            .arg(format!(
                "Authorization: Bearer {}",
                self.about("/control/token")?
            ))
            .arg(format!("{}/control/{path}", self.about("/control/url")?));
        if let Some(tell) = tell {
            curl.args(["--header", "Content-Type: application/json"])
                .args(["--data", &tell.to_string()]);
        }
        Ok(serde_json::from_str(&output(&mut curl)?)?)
    }

    /// The calls of cmdlets that came in since then, in their order. The request log has to be on.
    pub fn calls_since(&self, then: Timestamp) -> anyhow::Result<Vec<Call>> {
        let log = self.control("log", None)?;
        let mut calls = Vec::new();
        for entry in log
            .get("entries")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
            let flag = |name: &str| entry.get(name).and_then(Value::as_bool) == Some(true);
            let at: Timestamp = text("at").parse()?;
            if ["exchange", "compliance"].contains(&text("endpoint")) && at >= then {
                calls.push(Call {
                    at,
                    cmdlet: text("call").to_owned(),
                    changes: flag("changes"),
                    executed: flag("executed"),
                });
            }
        }
        calls.sort_by_key(|call| call.at);
        Ok(calls)
    }

    /// Addresses of people's mailboxes.
    pub fn people(&self) -> anyhow::Result<Vec<String>> {
        let state = self.control("state", None)?;
        let rows = state.get("mailboxes").and_then(Value::as_array);
        let text =
            |row: &Value, name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
        Ok(rows
            .into_iter()
            .flatten()
            .filter(|row| {
                text(row, "type").as_deref() == Some("UserMailbox")
                    && text(row, "class").as_deref() == Some("mailbox")
            })
            .filter_map(|row| text(row, "address"))
            .collect())
    }

    /// Rewrites the configuration of the program, which must change.
    pub fn configure(&self, change: impl FnOnce(&str) -> String) -> anyhow::Result<()> {
        let path = self.folder.path().join("config/config.toml");
        let text = std::fs::read_to_string(&path)?;
        let other = change(&text);
        ensure!(other != text, "the configuration was not changed: {text}");
        Ok(std::fs::write(path, other)?)
    }

    /// A file of this tenant's folder.
    pub fn file(&self, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text)?;
        Ok(path)
    }

    /// A token for Exchange, fetched by curl.
    fn token(&self) -> anyhow::Result<String> {
        let (authority, tenant) = (self.about("/authority")?, self.about("/tenant")?);
        let form = |name: &str, value: &str| format!("{name}={value}");
        let scope = format!("{}/.default", self.about("/exchange")?);
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail"]);
        for field in [
            form("grant_type", "client_credentials"),
            form("client_id", self.about("/credentials/oauth2/client_id")?),
            form(
                "client_secret",
                self.about("/credentials/oauth2/client_secret")?,
            ),
            form("scope", &scope),
        ] {
            curl.args(["--data-urlencode", &field]);
        }
        curl.arg(format!("{authority}/{tenant}/oauth2/v2.0/token"));
        let answer: Value = serde_json::from_str(&output(&mut curl)?)?;
        let token = answer.get("access_token").and_then(Value::as_str);
        Ok(token.context("the sign-in gave no token")?.to_owned())
    }

    /// A curl that makes these cmdlet calls one after another over one connection, and throws the
    /// answers away.
    pub fn curl(&self, calls: &[Value]) -> anyhow::Result<Command> {
        let url = format!(
            "{}/adminapi/beta/{}/InvokeCommand",
            self.about("/exchange")?,
            self.about("/tenant")?
        );
        let token = self.token()?;
        let mut config = String::new();
        for (index, call) in calls.iter().enumerate() {
            if index > 0 {
                config.push_str("next\n");
            }
            let body = call.to_string().replace('\\', "\\\\").replace('"', "\\\"");
            let _ = write!(
                config,
                "silent\nshow-error\nfail\nurl = \"{url}\"\noutput = \"/dev/null\"\n\
                 header = \"Authorization: Bearer {token}\"\n\
                 header = \"Content-Type: application/json\"\n\
                 header = \"Prefer: odata.maxpagesize=1000\"\ndata = \"{body}\"\n"
            );
        }
        let path = self.file("curl.conf", &config)?;
        let mut curl = Command::new("curl");
        curl.arg("--config").arg(path);
        Ok(curl)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // It is a child of ours and holds nothing that outlives it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A call of a cmdlet, as the sandbox's log has it.
#[derive(Debug)]
pub struct Call {
    /// When it came in.
    pub at: Timestamp,
    /// Its name.
    pub cmdlet: String,
    /// Whether it changes something.
    pub changes: bool,
    /// Whether the service did what it asks for.
    pub executed: bool,
}

/// The cheapest read of the program.
pub const LIST: [&str; 6] = [
    "run",
    "list-items-in-blocklist",
    "--list-type",
    "emails",
    "--output",
    "json",
];

/// The same read as a cmdlet call.
pub fn list_call() -> Value {
    call(
        "Get-TenantAllowBlockListItems",
        &json!({"ListType": "Sender", "Block": true}),
    )
}

/// A cmdlet call as the wire wants it.
pub fn call(cmdlet: &str, parameters: &Value) -> Value {
    json!({"CmdletInput": {"CmdletName": cmdlet, "Parameters": parameters}})
}

/// A row that compares a time with a floor: it must be at most `times` as long.
pub fn against(measure: &str, took: Duration, floor: Duration, name: &str, times: f64) -> Row {
    let ratio = took.as_secs_f64() / floor.as_secs_f64().max(f64::MIN_POSITIVE);
    Row {
        measure: measure.to_owned(),
        found: format!(
            "{} against {} ({name}): {ratio:.2} times",
            shown(took),
            shown(floor)
        ),
        must: format!("≤ {times} times"),
        met: ratio <= times,
    }
}

/// A row about peak memory, in KiB.
pub fn memory(measure: &str, peak: u64, most: u64) -> Row {
    Row {
        measure: measure.to_owned(),
        found: format!("{}.{} MB", peak / 1024, (peak % 1024) * 10 / 1024),
        must: format!("≤ {most} MB"),
        met: peak <= most * 1024,
    }
}

/// A time for a person.
pub fn shown(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 1.0 {
        format!("{:.1} ms", seconds * 1000.0)
    } else {
        format!("{seconds:.2} s")
    }
}

/// Fails unless a JSON result says what is expected of it.
pub fn expect(result: &Value, pointer: &str, wanted: &Value) -> anyhow::Result<()> {
    let found = result.pointer(pointer);
    let error = result.get("error");
    ensure!(
        found == Some(wanted),
        "{pointer} is {found:?}, not {wanted}; error: {error:?}"
    );
    Ok(())
}
