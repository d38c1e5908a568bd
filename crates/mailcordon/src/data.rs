//! Where records lie: one folder for the runs of this user's command line, one for the service.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::ArgMatches;
use kernel::{Clock, ErrorKind, Failure, Random, failure::code};
use store::{Access, Options, Store};

use crate::{config::Environment, setup::Machine};

/// The database in each folder.
const DATABASE: &str = "mailcordon.db";

/// Whose records they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Runs of this user's command line; several processes use it at once.
    Local,
    /// The service's.
    Service,
}

/// The database that `--data` names, else that of the platform's convention:
/// `$XDG_DATA_HOME/mailcordon` or `~/.local/share/mailcordon` (`%LOCALAPPDATA%\mailcordon`), with a
/// folder for each of the two.
pub fn database(
    matches: &ArgMatches,
    environment: &Environment,
    whose: Whose,
) -> Result<PathBuf, Failure> {
    let named = matches.try_get_one::<String>("data").ok().flatten();
    let folder = match named {
        Some(folder) => {
            std::path::absolute(folder).unwrap_or_else(|_| Path::new(folder).to_owned())
        }
        None => home(environment)?.join(match whose {
            Whose::Local => "local",
            Whose::Service => "service",
        }),
    };
    Ok(folder.join(DATABASE))
}

fn home(environment: &Environment) -> Result<PathBuf, Failure> {
    let absolute = |name: &str| {
        environment
            .get(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let base = if cfg!(windows) {
        absolute("LOCALAPPDATA")
    } else {
        absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
    };
    base.map(|base| base.join("mailcordon")).ok_or_else(|| {
        Failure::new(
            ErrorKind::Configuration,
            code::CONFIGURATION,
            "there is no home folder to keep records in",
        )
        .hint("name a folder with `--data`, or do without a record by `--no-record`")
    })
}

/// Opens the store in that file, with this machine's clock.
pub async fn open(path: &Path, access: Access, machine: &Machine) -> Result<Store, Failure> {
    open_with(path, access, &machine.clock, &machine.random).await
}

async fn open_with(
    path: &Path,
    access: Access,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
) -> Result<Store, Failure> {
    let options = Options::file(path, access, Arc::clone(clock), Arc::clone(random));
    Store::open(options).await.map_err(store::failure)
}

/// A store that is there already; looking must not make one.
pub async fn open_existing(
    path: &Path,
    access: Access,
    machine: &Machine,
) -> Result<Store, Failure> {
    if !path.exists() {
        return Err(Failure::new(
            ErrorKind::NotFound,
            code::UNKNOWN_RUN,
            format!("nothing is recorded yet: there is no {}", path.display()),
        )
        .hint("runs are recorded from the first one on; `--data` names another folder"));
    }
    open(path, access, machine).await
}
