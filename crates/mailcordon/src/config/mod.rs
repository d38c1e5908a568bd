//! The configuration file: where it lies, what it may say, and the secrets it points to.
//!
//! One TOML file is taken whole, never merged with another and never looked for in the working
//! directory. It names connections (a tenant, a cloud and a way to sign in) and holds no secret:
//! a secret is an environment variable, a file or a program's output, see [`Source`]. Every
//! refusal names the file, the line, the key and the rule.

mod auth;
mod document;
mod guard;
mod locate;
mod parse;
mod schema;
mod settings;
mod source;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use cloud::CloudName;
use kernel::{Code, ErrorKind, Failure, failure::code};

pub use auth::Auth;
pub use locate::{Environment, locate};
pub use schema::json_schema;
pub use settings::SignIn;
pub use source::{Purpose, Reader, Source};

/// A configuration, read and checked. It never holds a secret.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// The file it came from; none when no file exists anywhere.
    pub file: Option<PathBuf>,
    /// The connection to use when none is named.
    pub default_connection: Option<String>,
    /// The connections by name.
    pub connections: BTreeMap<String, Connection>,
}

/// One tenant and the way to it.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Its name, the key in the file.
    pub name: String,
    /// The tenant: a GUID or one of its domains.
    pub tenant: String,
    /// Which Microsoft cloud.
    pub cloud: CloudName,
    /// How to sign in. Connections that name the same `[auth.<name>]` share one value, so that
    /// its secret is read once for all of them.
    pub sign_in: Arc<SignIn>,
    /// The endpoints of a `custom` cloud.
    pub endpoints: Option<Endpoints>,
    /// The proxy of this connection.
    pub proxy: Option<Proxy>,
    /// A PEM file with further certification authorities; absolute.
    pub ca_file: Option<PathBuf>,
    /// The initial `onmicrosoft.com` domain, which Compliance wants.
    pub organization: Option<String>,
    /// Free labels, for choosing several connections at once.
    pub tags: Vec<String>,
    /// Addresses of people whose mail and mailboxes want a second look; a plan names those that it
    /// touches.
    pub vips: Vec<String>,
    /// How Microsoft Graph is used.
    pub graph: GraphUse,
    /// Whether it may be used.
    pub enabled: bool,
    /// The line in the file where it begins, from 1.
    pub line: usize,
}

/// The base URLs of a `custom` cloud, as written; `cloud` judges which may get a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// Sign-in.
    pub authority: String,
    /// Exchange Online.
    pub exchange: String,
    /// Security & Compliance.
    pub compliance: String,
    /// Microsoft Graph.
    pub graph: Option<String>,
    /// Where Graph's reports come from.
    pub download: Option<String>,
}

/// How a connection uses Microsoft Graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphUse {
    /// The eDiscovery case that searches are made in; ours unless given.
    pub case: Option<String>,
    /// eDiscovery requests a minute.
    pub per_minute: u32,
    /// Divides every wait; more than 1 on loopback only.
    pub pace: u32,
}

impl Default for GraphUse {
    fn default() -> Self {
        Self {
            case: None,
            per_minute: graph::PER_MINUTE,
            pace: 1,
        }
    }
}

/// A proxy.
#[derive(Debug, Clone)]
pub struct Proxy {
    /// `http://host:port` (CONNECT) or `socks5://host:port`, without credentials.
    pub url: String,
    /// User name and password, both or neither.
    pub credentials: Option<(String, Arc<Source>)>,
}

/// What to do where there is no configuration.
const NO_FILE: &str = "write ~/.config/mailcordon/config.toml or name a file with \
    `--config`; `mailcordon sandbox --config-out DIR` makes one to try with, and \
    `mailcordon demo` needs none";

impl Config {
    /// Finds, guards and reads the configuration. `explicit` is the path given on the command
    /// line. Without any file the configuration is empty: offline commands need none.
    pub fn load(explicit: Option<&Path>, environment: &Environment) -> Result<Self, Failure> {
        let Some(found) = locate(explicit, environment)? else {
            return Ok(Self::default());
        };
        Self::read(&found.path)
    }

    /// Guards and reads the file at `path`.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = guard::read_config(path)?;
        Self::parse(path, &text)
    }

    /// Reads `text` as if it stood in the file `path`, whose folder is what relative paths start
    /// from.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Failure> {
        parse::config(path, text)
    }

    /// The connection of that name, or the default one, or the only one.
    pub fn connection(&self, name: Option<&str>) -> Result<&Connection, Failure> {
        let chosen = match name.or(self.default_connection.as_deref()) {
            Some(name) => self
                .connections
                .get(name)
                .ok_or_else(|| self.unknown_connection(name))?,
            None => self.only_connection()?,
        };
        if chosen.enabled {
            return Ok(chosen);
        }
        Err(failure(
            code::UNKNOWN_CONNECTION,
            format!(
                "the connection `{}` is switched off (`enabled = false`)",
                chosen.name
            ),
        )
        .hint("set `enabled = true`, or name another connection"))
    }

    fn only_connection(&self) -> Result<&Connection, Failure> {
        let mut enabled = self
            .connections
            .values()
            .filter(|connection| connection.enabled);
        match (enabled.next(), enabled.next()) {
            (Some(only), None) => Ok(only),
            (None, _) => Err(failure(
                code::UNKNOWN_CONNECTION,
                match &self.file {
                    Some(file) => format!("{} has no enabled connection", file.display()),
                    None => "there is no configuration file, so there is no connection".to_owned(),
                },
            )
            .hint(match &self.file {
                Some(_) => "add `[connections.<name>]`, or see everything with `mailcordon demo`",
                None => NO_FILE,
            })),
            (Some(_), Some(_)) => Err(failure(
                code::UNKNOWN_CONNECTION,
                format!("several connections are configured: {}", self.names()),
            )
            .hint("name one with `--connection`, or set `default_connection`")),
        }
    }

    fn unknown_connection(&self, name: &str) -> Failure {
        let known = self.connections.keys().map(String::as_str);
        let said = kernel::escape::clipped(name, 80);
        let advice = match document::nearest(name, known) {
            Some(near) => format!("; did you mean `{near}`?"),
            None if self.file.is_none() => ": no configuration file was found".to_owned(),
            None if self.connections.is_empty() => String::new(),
            None => format!("; configured are {}", self.names()),
        };
        let message = format!("there is no connection `{said}`{advice}");
        let hint = match &self.file {
            Some(file) => format!("connections stand in {}", file.display()),
            None => NO_FILE.to_owned(),
        };
        failure(code::UNKNOWN_CONNECTION, message)
            .arg("connection", said)
            .hint(hint)
    }

    fn names(&self) -> String {
        let names: Vec<_> = self
            .connections
            .keys()
            .map(|name| format!("`{name}`"))
            .collect();
        names.join(", ")
    }
}

/// A failure of the configuration.
fn failure(code: Code, message: impl Into<String>) -> Failure {
    Failure::new(ErrorKind::Configuration, code, message)
}

#[cfg(test)]
mod tests;
