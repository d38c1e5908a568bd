//! Which file is the configuration.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use kernel::{Failure, failure::code};

use super::failure;

type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

/// The environment as the binary hands it down.
#[derive(Clone)]
pub struct Environment(Arc<Lookup>);

impl Environment {
    /// An environment that asks `lookup`.
    pub fn new(lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(lookup))
    }

    /// The value of a variable; an empty one counts as unset.
    pub fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}

/// A configuration file that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The file, absolute.
    pub path: PathBuf,
    /// What led to it: `--config`, `MAILCORDON_CONFIG`, `user` or `system`.
    pub by: &'static str,
}

/// The configuration file: the one named on the command line, else by `MAILCORDON_CONFIG`, else
/// the user's, else the system's. A named file must exist; none of the others has to. The
/// working directory is never searched.
pub fn locate(
    explicit: Option<&Path>,
    environment: &Environment,
) -> Result<Option<Located>, Failure> {
    if let Some(path) = explicit {
        return named(path, "--config").map(Some);
    }
    if let Some(path) = environment.get("MAILCORDON_CONFIG") {
        return named(Path::new(&path), "MAILCORDON_CONFIG").map(Some);
    }
    let places = [(user(environment), "user"), (system(environment), "system")];
    for (path, by) in places {
        // `symlink_metadata`: a dangling link is a mistake to report, not a file to pass over.
        if let Some(path) = path.filter(|path| path.symlink_metadata().is_ok()) {
            return Ok(Some(Located { path, by }));
        }
    }
    Ok(None)
}

fn named(path: &Path, by: &'static str) -> Result<Located, Failure> {
    if path.symlink_metadata().is_err() {
        return Err(failure(
            code::CONFIGURATION,
            format!("the file {} does not exist ({by})", path.display()),
        )
        .arg("file", path.display().to_string()));
    }
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    Ok(Located { path, by })
}

/// The user's file. A relative base folder is ignored: it would mean the working directory.
#[cfg(not(windows))]
fn user(environment: &Environment) -> Option<PathBuf> {
    let absolute = |name| {
        environment
            .get(name)
            .map(PathBuf::from)
            .filter(|p| p.is_absolute())
    };
    let base = absolute("XDG_CONFIG_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".config")))?;
    Some(base.join("mailcordon").join("config.toml"))
}

#[cfg(windows)]
fn user(environment: &Environment) -> Option<PathBuf> {
    let base = environment
        .get("APPDATA")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())?;
    Some(base.join("mailcordon").join("config.toml"))
}

#[cfg(not(windows))]
#[expect(
    clippy::unnecessary_wraps,
    reason = "elsewhere the folder comes from a variable"
)]
fn system(_environment: &Environment) -> Option<PathBuf> {
    Some(PathBuf::from("/etc/mailcordon/config.toml"))
}

#[cfg(windows)]
fn system(environment: &Environment) -> Option<PathBuf> {
    let base = environment
        .get("PROGRAMDATA")
        .map(PathBuf::from)
        .filter(|p| p.is_absolute())?;
    Some(base.join("mailcordon").join("config.toml"))
}
