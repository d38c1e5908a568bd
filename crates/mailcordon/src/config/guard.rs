//! Who may touch a file before its content is believed.
//!
//! A configuration decides which program is run for a secret and which host gets a password, so
//! whoever can write it can take over every tenant in it. A secret file is worth what it holds.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use kernel::{Code, Failure, failure::code};

use super::failure;

/// Largest configuration that is read, in bytes.
const CONFIG_LIMIT: u64 = 1 << 20;
/// Largest secret file that is read, in bytes.
pub(super) const SECRET_LIMIT: u64 = 64 << 10;

/// How far other users are kept from a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Privacy {
    /// They may read it, not write it.
    Readable,
    /// They may do neither.
    Private,
}

/// Reads a configuration file that nobody else may write, in a folder nobody else may write.
pub(super) fn read_config(path: &Path) -> Result<String, Failure> {
    for folder in folders(path) {
        check_folder(&folder, path)?;
    }
    let bytes = read(path, Privacy::Readable, CONFIG_LIMIT)
        .map_err(|rule| refusal(code::CONFIGURATION, path, &rule))?;
    String::from_utf8(bytes).map_err(|_| refusal(code::CONFIGURATION, path, "it is not UTF-8 text"))
}

/// Reads a file of limited size after the look at its owner and mode, both taken from the opened
/// file so that it cannot be exchanged in between. The error is a rule to put after the path.
pub(super) fn read(path: &Path, privacy: Privacy, limit: u64) -> Result<Vec<u8>, String> {
    // Opening a pipe would wait for a writer, so the kind is asked before.
    let kind = std::fs::metadata(path).map_err(|error| unreadable(&error))?;
    if !kind.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    let metadata = file.metadata().map_err(|error| unreadable(&error))?;
    check_file(&metadata, privacy)?;
    let mut bytes = Vec::new();
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(&error))?;
    if bytes.len() as u64 > limit {
        return Err(format!("it is larger than {limit} bytes"));
    }
    Ok(bytes)
}

fn unreadable(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "this user may not read it".to_owned(),
        _ => format!("it cannot be read: {error}"),
    }
}

/// The folder of the path as written and, through a symbolic link, that of the file itself.
fn folders(path: &Path) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    for file in [path, real.as_path()] {
        if let Some(parent) = file.parent() {
            let parent = if parent.as_os_str().is_empty() {
                Path::new(".")
            } else {
                parent
            };
            let folder = parent.to_owned();
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
    }
    folders
}

#[cfg(unix)]
fn check_folder(folder: &Path, file: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::MetadataExt;
    // A folder that is missing or unreadable shows itself when the file is read.
    let Ok(metadata) = std::fs::metadata(folder) else {
        return Ok(());
    };
    let mode = metadata.mode();
    let sticky = mode & 0o1000 != 0;
    if mode & 0o022 != 0 && !sticky {
        let rule = format!(
            "its folder {} may be written by other users (mode {:04o}): run `chmod go-w` on it",
            folder.display(),
            mode & 0o7777
        );
        return Err(refusal(code::CONFIGURATION, file, &rule));
    }
    if trusted(metadata.uid()) {
        return Ok(());
    }
    let rule = format!("its folder {} belongs to another user", folder.display());
    Err(refusal(code::CONFIGURATION, file, &rule))
}

#[cfg(unix)]
fn check_file(metadata: &std::fs::Metadata, privacy: Privacy) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt;
    let mode = metadata.mode() & 0o7777;
    if mode & 0o022 != 0 {
        return Err(format!(
            "other users may write it (mode {mode:04o}): run `chmod go-w` on it"
        ));
    }
    if privacy == Privacy::Private && mode & 0o044 != 0 {
        return Err(format!(
            "other users may read it (mode {mode:04o}): run `chmod 600` on it"
        ));
    }
    if trusted(metadata.uid()) {
        return Ok(());
    }
    Err("it belongs to another user".to_owned())
}

/// Whether an owner is this user or the system's administrator.
#[cfg(unix)]
fn trusted(owner: u32) -> bool {
    owner == 0 || owner == rustix::process::geteuid().as_raw()
}

// Elsewhere the access lists of the folders that `locate` looks in keep other users out.
#[cfg(not(unix))]
fn check_folder(_folder: &Path, _file: &Path) -> Result<(), Failure> {
    Ok(())
}

#[cfg(not(unix))]
fn check_file(_metadata: &std::fs::Metadata, _privacy: Privacy) -> Result<(), String> {
    Ok(())
}

fn refusal(code: Code, path: &Path, rule: &str) -> Failure {
    failure(code, format!("{}: {rule}", path.display())).arg("file", path.display().to_string())
}
