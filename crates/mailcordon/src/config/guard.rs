//! Who may touch a file before its content is believed.
//!
//! A configuration decides which program is run for a secret and which host gets a password, so
//! whoever can write it can take over every tenant in it. A secret file is worth what it holds.

use std::{
    collections::VecDeque,
    ffi::OsString,
    fs::File,
    io::Read,
    path::{Component, Path, PathBuf},
};

use kernel::{Code, Failure, failure::code};

use super::failure;

/// Largest configuration that is read, in bytes.
const CONFIG_LIMIT: u64 = 1 << 20;
/// Largest secret file that is read, in bytes.
pub(super) const SECRET_LIMIT: u64 = 64 << 10;

/// Most symbolic links that are followed on the way to a file.
const LINKS_LIMIT: usize = 40;

/// How far other users are kept from a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Privacy {
    /// They may read it, not write it.
    Readable,
    /// They may do neither.
    Private,
}

/// Reads a configuration file that nobody else may write or put another file in the place of.
pub(super) fn read_config(path: &Path) -> Result<String, Failure> {
    let way = way_to(path);
    for folder in &way.folders {
        check_folder(folder, path)?;
    }
    for link in &way.links {
        check_link(link, path)?;
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

/// Every folder in which a name on the way to the file is looked up, and every symbolic link on it:
/// whoever can change one of them can put another file in the place of this one.
fn way_to(path: &Path) -> Way {
    let mut way = Way::default();
    let Ok(absolute) = std::path::absolute(path) else {
        return way;
    };
    let mut left: VecDeque<OsString> = names(&absolute);
    let mut at = root_of(&absolute);
    while let Some(name) = left.pop_front() {
        if name == ".." {
            at.pop();
            continue;
        }
        if !way.folders.contains(&at) {
            way.folders.push(at.clone());
        }
        let next = at.join(&name);
        let Ok(target) = std::fs::read_link(&next) else {
            at = next;
            continue;
        };
        if way.links.len() == LINKS_LIMIT {
            // The system will not follow so many either.
            break;
        }
        way.links.push(next);
        if target.is_absolute() {
            at = root_of(&target);
        }
        for name in names(&target).into_iter().rev() {
            left.push_front(name);
        }
    }
    way
}

/// What lies on the way to a file.
#[derive(Debug, Default)]
struct Way {
    folders: Vec<PathBuf>,
    links: Vec<PathBuf>,
}

fn root_of(path: &Path) -> PathBuf {
    path.components()
        .take_while(|part| matches!(part, Component::Prefix(_) | Component::RootDir))
        .collect()
}

fn names(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .map(|part| part.as_os_str().to_owned())
        .collect()
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
            "the folder {} on the way to it may be written by other users (mode {:04o}): run `chmod go-w` on it",
            folder.display(),
            mode & 0o7777
        );
        return Err(refusal(code::CONFIGURATION, file, &rule));
    }
    if trusted(metadata.uid()) {
        return Ok(());
    }
    let rule = format!(
        "the folder {} on the way to it belongs to another user",
        folder.display()
    );
    Err(refusal(code::CONFIGURATION, file, &rule))
}

/// In a sticky folder each may lead his own links elsewhere.
#[cfg(unix)]
fn check_link(link: &Path, file: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::MetadataExt;
    match std::fs::symlink_metadata(link) {
        Ok(metadata) if !trusted(metadata.uid()) => {
            let rule = format!(
                "the symbolic link {} on the way to it belongs to another user",
                link.display()
            );
            Err(refusal(code::CONFIGURATION, file, &rule))
        }
        _ => Ok(()),
    }
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
fn check_link(_link: &Path, _file: &Path) -> Result<(), Failure> {
    Ok(())
}

#[cfg(not(unix))]
fn check_file(_metadata: &std::fs::Metadata, _privacy: Privacy) -> Result<(), String> {
    Ok(())
}

fn refusal(code: Code, path: &Path, rule: &str) -> Failure {
    failure(code, format!("{}: {rule}", path.display())).arg("file", path.display().to_string())
}
