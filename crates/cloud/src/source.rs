//! The sources of a configuration: a file, a command. (A variable's value is read by the binary
//! and handed down as [`crate::StaticSecret::named`].)

use std::{path::PathBuf, process::Stdio, time::Duration};

use async_trait::async_trait;
use kernel::{Secret, escape};
use tokio::{io::AsyncReadExt, process::Command, time::timeout};
use zeroize::Zeroizing;

use crate::{error::SecretError, secret::SecretSource};

/// No secret is larger; a PFX file with a long chain has some tens of kilobytes.
const MAX: u64 = 1024 * 1024;

fn as_text(bytes: &[u8], name: String) -> Result<Secret, SecretError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Secret::new(text)),
        Err(_) => Err(SecretError::new(name, "it is not UTF-8 text")),
    }
}

/// A file that holds a secret. Who may read it is its owner's business: secrets are often mounted
/// by an orchestrator.
#[derive(Debug, Clone)]
pub struct FileSecret {
    path: PathBuf,
}

impl FileSecret {
    /// The file at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

#[async_trait]
impl SecretSource for FileSecret {
    async fn read(&self) -> Result<Secret, SecretError> {
        as_text(&self.read_bytes().await?, self.describe())
    }

    async fn read_bytes(&self) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        let failed = |reason: String| SecretError::new(self.describe(), reason);
        let path = self.path.clone();
        // A file may be a pipe or lie on a slow mount.
        let reading = tokio::task::spawn_blocking(move || {
            let mut bytes = Zeroizing::new(Vec::new());
            let file = std::fs::File::open(path)?;
            std::io::Read::read_to_end(&mut std::io::Read::take(file, MAX + 1), &mut bytes)?;
            Ok::<_, std::io::Error>(bytes)
        });
        let bytes = reading
            .await
            .map_err(|_| failed("reading was abandoned".to_owned()))?
            .map_err(|error| failed(error.to_string()))?;
        if bytes.len() as u64 > MAX {
            return Err(failed("it is larger than 1 MiB".to_owned()));
        }
        Ok(bytes)
    }

    fn describe(&self) -> String {
        format!("file:{}", escape::line(&self.path.display().to_string()))
    }
}

/// A command whose output is a secret. It runs without a shell, with no input, and is ended when
/// it takes too long or says too much. What it writes to its error stream is not shown: it may
/// repeat the secret.
#[derive(Debug, Clone)]
pub struct CommandSecret {
    program: String,
    arguments: Vec<String>,
    limit: Duration,
}

impl CommandSecret {
    /// A program with its arguments, and how long it may take.
    pub fn new(
        program: impl Into<String>,
        arguments: impl IntoIterator<Item = String>,
        limit: Duration,
    ) -> Self {
        Self {
            program: program.into(),
            arguments: arguments.into_iter().collect(),
            limit,
        }
    }

    async fn run(&self) -> Result<Zeroizing<Vec<u8>>, String> {
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("the command cannot be started: {error}"))?;
        let output = child
            .stdout
            .take()
            .ok_or_else(|| "the command has no output".to_owned())?;
        let mut bytes = Zeroizing::new(Vec::new());
        output
            .take(MAX + 1)
            .read_to_end(&mut bytes)
            .await
            .map_err(|error| error.to_string())?;
        if bytes.len() as u64 > MAX {
            return Err("the command's output is larger than 1 MiB".to_owned());
        }
        let status = child.wait().await.map_err(|error| error.to_string())?;
        if status.success() {
            return Ok(bytes);
        }
        Err(match status.code() {
            Some(code) => format!("the command failed with exit status {code}"),
            None => "the command was ended by a signal".to_owned(),
        })
    }
}

#[async_trait]
impl SecretSource for CommandSecret {
    async fn read(&self) -> Result<Secret, SecretError> {
        as_text(&self.read_bytes().await?, self.describe())
    }

    async fn read_bytes(&self) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        let late = || {
            Err(format!(
                "the command took longer than {} s",
                self.limit.as_secs_f32()
            ))
        };
        timeout(self.limit, self.run())
            .await
            .unwrap_or_else(|_| late())
            .map_err(|reason| SecretError::new(self.describe(), reason))
    }

    fn describe(&self) -> String {
        // The arguments may tell more than they should.
        format!("exec:{}", escape::line(&self.program))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn sh(script: &str, limit: u64) -> CommandSecret {
        let arguments = ["-c".to_owned(), script.to_owned()];
        CommandSecret::new("/bin/sh", arguments, Duration::from_millis(limit))
    }

    #[tokio::test]
    async fn a_command_gives_its_output_or_a_reason() {
        assert_eq!(sh("printf s3", 10_000).read().await.unwrap().expose(), "s3");
        for (script, limit, reason) in [
            ("echo hunter2 >&2; exit 3", 10_000, "exit status 3"),
            ("sleep 60", 50, "longer than"),
            ("yes", 10_000, "larger than 1 MiB"),
            ("kill -9 $$", 10_000, "by a signal"),
        ] {
            let error = sh(script, limit).read_bytes().await.unwrap_err();
            assert!(error.reason.contains(reason), "{script}: {error}");
            assert!(!error.to_string().contains("hunter2"));
        }
        let missing = CommandSecret::new("/no/such", [], Duration::from_secs(1));
        assert!(
            missing
                .read()
                .await
                .unwrap_err()
                .to_string()
                .contains("exec:/no/such")
        );
    }

    #[tokio::test]
    async fn a_file_gives_bytes_as_they_are() {
        let file = FileSecret::new("/bin/sh");
        assert!(file.read_bytes().await.unwrap().starts_with(b"\x7fELF"));
        assert!(file.read().await.unwrap_err().reason.contains("UTF-8"));
        let error = FileSecret::new("/dev/zero").read_bytes().await.unwrap_err();
        assert!(error.reason.contains("1 MiB"));
        let error = FileSecret::new("/no/such").read().await.unwrap_err();
        assert!(error.to_string().contains("file:/no/such"), "{error}");
    }
}
