//! A service beside a simulated tenant, and the command line that asks it.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;

use crate::lab::Lab;

/// A service in a process of its own.
pub struct Service {
    child: Child,
    url: String,
    /// A token that may do everything.
    pub token: String,
    /// Where its record lies.
    pub folder: PathBuf,
}

impl Service {
    /// Starts it with further arguments of `mailcordon serve`.
    pub fn start(lab: &Lab, arguments: &[&str]) -> Self {
        let folder = lab.folder.path().join("service");
        let folder_text = folder.to_str().unwrap();
        let made = lab.run(&[
            "token",
            "create",
            "--name",
            "all",
            "--scope",
            "read",
            "--scope",
            "write",
            "--scope",
            "destructive",
            "--scope",
            "raw",
            "--scope",
            "admin",
            "--data",
            folder_text,
        ]);
        assert!(made.status.success(), "{}", crate::lab::said(&made));
        let token = String::from_utf8(made.stdout).unwrap().trim().to_owned();
        let mut child = lab
            .program(&["serve", "--listen", "127.0.0.1:0", "--data", folder_text])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let about: Value = serde_json::from_str(&line).expect("the service starts");
        let url = about["url"].as_str().unwrap().to_owned();
        Self {
            child,
            url,
            token,
            folder,
        }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// The key of the audit chains.
    pub fn key(&self) -> PathBuf {
        let mut entries = std::fs::read_dir(&self.folder).unwrap();
        let key = entries.find_map(|entry| {
            let path = entry.unwrap().path();
            path.to_str().unwrap().contains("key").then_some(path)
        });
        key.expect("a key beside the database")
    }

    /// The command line that asks it.
    pub fn program(&self, lab: &Lab, arguments: &[&str]) -> Command {
        let mut command = lab.program(arguments);
        command
            .env("MAILCORDON_SERVER", &self.url)
            .env("MAILCORDON_TOKEN", &self.token)
            .env_remove("MAILCORDON_CONFIG");
        command
    }

    /// Runs it.
    pub fn run(&self, lab: &Lab, arguments: &[&str]) -> Output {
        self.program(lab, arguments).output().unwrap()
    }

    /// Runs it with another token.
    pub fn run_as(&self, lab: &Lab, token: &str, arguments: &[&str]) -> Output {
        let mut program = self.program(lab, arguments);
        program.env("MAILCORDON_TOKEN", token).output().unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // A child of this test, which holds nothing that outlives it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
