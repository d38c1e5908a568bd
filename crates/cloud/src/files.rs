//! Files and folders that only their owner may read.

use std::{
    fs,
    io::{self, Read, Write},
    path::Path,
};

/// Largest file that is read here: tokens and refresh tokens are a few kilobytes.
const MAX: u64 = 256 * 1024;

/// Makes the folder if there is none, and refuses one that is a link, belongs to somebody else or
/// lets others in. The reason is for a person.
pub(crate) fn private_folder(path: &Path) -> Result<(), String> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error.to_string()),
    }
    // Looked at without following a link: another user may have put one here.
    let found = fs::symlink_metadata(path).map_err(|error| error.to_string())?;
    if found.file_type().is_symlink() {
        return Err("it is a symbolic link".to_owned());
    }
    if !found.is_dir() {
        return Err("it is not a folder".to_owned());
    }
    private(&found)
}

#[cfg(unix)]
fn private(found: &fs::Metadata) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt;
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err("it belongs to another user".to_owned());
    }
    if found.mode() & 0o077 != 0 {
        return Err(format!(
            "others may read it (mode {:o}); take their rights away with chmod",
            found.mode() & 0o777
        ));
    }
    Ok(())
}

#[cfg(not(unix))]
fn private(_found: &fs::Metadata) -> Result<(), String> {
    // The user's profile folders are private on Windows.
    Ok(())
}

/// Reads a private file; `None` when there is none.
pub(crate) fn read_private(path: &Path) -> Result<Option<Vec<u8>>, String> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    // The open file is judged, not the name, which may change hands in between.
    let found = file.metadata().map_err(|error| error.to_string())?;
    if !found.is_file() {
        return Err("it is not a file".to_owned());
    }
    private(&found)?;
    if found.len() > MAX {
        return Err("it is too large".to_owned());
    }
    let mut bytes = Vec::new();
    file.take(MAX)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    Ok(Some(bytes))
}

/// Writes a private file whole or not at all: a new file with mode 0600, moved over the old.
/// `tag` makes the passing name unique.
pub(crate) fn write_private(path: &Path, bytes: &[u8], tag: u64) -> Result<(), String> {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| "it has no file name".to_owned())?;
    let passing = path.with_file_name(format!(".{name}.{tag:016x}"));
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options
        .open(&passing)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| fs::rename(&passing, path));
    written.map_err(|error| {
        // Nothing may stay behind; that it cannot be removed changes nothing about the error.
        drop(fs::remove_file(&passing));
        error.to_string()
    })
}
