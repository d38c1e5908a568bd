//! Where a secret comes from, and reading it from there.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use kernel::{Clock, Failure, Secret, failure::code};
use tokio::io::AsyncReadExt;
use toml::de::DeValue;

use super::{
    Environment,
    document::{Found, Section, wrong_type},
    guard,
};

/// How long a program may take to give a secret.
const EXEC_TIME_LIMIT: Duration = Duration::from_secs(10);
/// How many bytes a program may print.
const EXEC_SIZE_LIMIT: u64 = guard::SECRET_LIMIT;
/// What a plain-text secret is answered with.
const PLAIN_TEXT: &str = "a secret does not stand here in plain text; name its source: \
    `env:NAME`, `file:PATH` or `{ exec = [\"program\", \"argument\"] }`";

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// An environment variable.
    Env(String),
    /// A file that only its owner may read; absolute.
    File(PathBuf),
    /// The standard output of a program, which is started without a shell.
    Exec(Vec<String>),
}

/// What a secret is for, which decides how closely its file is guarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Lives until somebody changes it: other users may not read its file.
    LongLived,
    /// A federated assertion, which the platform puts there and renews, often readable by all.
    ShortLived,
}

impl Source {
    /// The source as messages show it.
    pub fn describe(&self) -> String {
        match self {
            Self::Env(name) => format!("the environment variable `{name}`"),
            Self::File(path) => format!("the file {}", path.display()),
            // Arguments may be private; the program's name is enough to find it.
            Self::Exec(argv) => format!("the program `{}`", argv.first().map_or("", |p| p)),
        }
    }
}

/// Reads sources.
#[derive(Debug, Clone)]
pub struct Reader {
    environment: Environment,
    clock: Arc<dyn Clock>,
}

impl Reader {
    /// A reader that looks variables up in `environment` and takes its time limit from `clock`.
    pub fn new(environment: Environment, clock: Arc<dyn Clock>) -> Self {
        Self { environment, clock }
    }

    /// Reads the secret now. One trailing line break is dropped; an empty secret is refused. The
    /// error is what is wrong with the source, for [`cloud::SecretError`], which names it.
    pub async fn read(&self, source: &Source, purpose: Purpose) -> Result<Secret, String> {
        let text = match source {
            Source::Env(name) => self
                .environment
                .get(name)
                .ok_or_else(|| "it is not set, or empty".to_owned()),
            Source::File(path) => {
                let privacy = match purpose {
                    Purpose::LongLived => guard::Privacy::Private,
                    Purpose::ShortLived => guard::Privacy::Readable,
                };
                guard::read(path, privacy, guard::SECRET_LIMIT).and_then(text)
            }
            Source::Exec(argv) => self.run(argv).await.and_then(text),
        }?;
        Ok(Secret::new(text))
    }

    async fn run(&self, argv: &[String]) -> Result<Vec<u8>, String> {
        let (program, arguments) = argv.split_first().ok_or("it names no program")?;
        let mut child = tokio::process::Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // What a failing helper prints may hold the secret, so it is never shown.
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("it cannot be started: {error}"))?;
        tokio::select! {
            result = output(&mut child) => result,
            () = self.clock.sleep(EXEC_TIME_LIMIT) => {
                Err(format!("it did not end within {} s", EXEC_TIME_LIMIT.as_secs()))
            }
        }
    }
}

/// A certificate or key file as bytes. One that holds no key may be readable by all.
pub(super) fn read_file(path: &Path, has_key: bool) -> Result<Vec<u8>, String> {
    let privacy = if has_key {
        guard::Privacy::Private
    } else {
        guard::Privacy::Readable
    };
    guard::read(path, privacy, guard::SECRET_LIMIT)
}

/// What a program printed, once it ended well.
async fn output(child: &mut tokio::process::Child) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout
            .take(EXEC_SIZE_LIMIT + 1)
            .read_to_end(&mut bytes)
            .await
            .map_err(|error| format!("its output cannot be read: {error}"))?;
    }
    if bytes.len() as u64 > EXEC_SIZE_LIMIT {
        return Err(format!("it printed more than {EXEC_SIZE_LIMIT} bytes"));
    }
    let status = child
        .wait()
        .await
        .map_err(|error| format!("it cannot be waited for: {error}"))?;
    if status.success() {
        return Ok(bytes);
    }
    Err(format!("it failed ({status}); run it by hand to see why"))
}

/// A secret's text from bytes.
fn text(bytes: Vec<u8>) -> Result<String, String> {
    let mut text = String::from_utf8(bytes).map_err(|_| "what it holds is not UTF-8 text")?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    if text.is_empty() {
        return Err("what it holds is empty".to_owned());
    }
    Ok(text)
}

/// Reads a secret's source from the file. The text itself is never shown: it may be the secret.
pub(super) fn read(section: &Section<'_, '_>, found: &Found<'_, '_>) -> Result<Source, Failure> {
    match found.value {
        DeValue::String(text) => from_text(section, found, text),
        DeValue::Table(_) => {
            let table = Section::of(section.document, found)?;
            table.only(&["exec"])?;
            let exec = table.required("exec")?;
            let argv = table.texts("exec")?;
            let Some(program) = argv.first() else {
                return Err(table.refuse(&exec, "it names no program"));
            };
            // A name alone is looked up in PATH. A relative path would be taken from wherever the
            // command happens to be run, which may be a folder of somebody else's.
            let path = Path::new(program);
            if program.contains(std::path::is_separator) && !path.is_absolute() {
                return Err(table.refuse(
                    &exec,
                    "the program is a relative path: give it from the root, or its name alone to look it up in PATH",
                ));
            }
            Ok(Source::Exec(argv))
        }
        other => Err(wrong_type(
            &section.document,
            found,
            "a source such as `env:NAME`",
            other,
        )),
    }
}

fn from_text(
    section: &Section<'_, '_>,
    found: &Found<'_, '_>,
    text: &str,
) -> Result<Source, Failure> {
    if let Some(name) = text.strip_prefix("env:") {
        let fits = !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if fits {
            return Ok(Source::Env(name.to_owned()));
        }
        let rule = "after `env:` comes the name of an environment variable: letters, digits, `_`";
        return Err(section.refuse(found, rule));
    }
    if let Some(path) = text.strip_prefix("file:") {
        if path.is_empty() {
            return Err(section.refuse(found, "after `file:` comes a path"));
        }
        return Ok(Source::File(section.document.resolve(path)));
    }
    let document = &section.document;
    Err(document.problem_as(
        code::PLAIN_TEXT_SECRET,
        found.offset,
        &found.key,
        PLAIN_TEXT,
    ))
}
