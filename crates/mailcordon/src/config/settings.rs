//! From a configured connection to what `cloud` signs in and connects with.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use async_trait::async_trait;
use cloud::{ProxySettings, RefreshStore, SecretError, SecretSource, SharedSecret};
use kernel::{Failure, Secret, failure::code};
use zeroize::Zeroizing;

use super::{
    Auth, Config, Connection, Endpoints, Purpose, Reader, Source, failure, source::read_file,
};

/// A way to sign in with its sources. Connections that name the same `[auth.<name>]` hold one
/// value of this, and so share what was read from the sources.
#[derive(Debug)]
pub struct SignIn {
    /// As the file says it.
    pub auth: Auth,
    ready: OnceLock<cloud::Auth>,
}

impl SignIn {
    /// A way to sign in of which nothing was read yet.
    pub(super) fn new(auth: Auth) -> Self {
        Self {
            auth,
            ready: OnceLock::new(),
        }
    }

    fn ready(&self, reader: &Reader) -> cloud::Auth {
        self.ready
            .get_or_init(|| sign_in(&self.auth, reader))
            .clone()
    }
}

impl Config {
    /// The settings of the connection of that name, or of the default one; see
    /// [`Config::connection`]. Nothing is read from a secret's source yet.
    pub fn settings(
        &self,
        name: Option<&str>,
        reader: &Reader,
    ) -> Result<cloud::Settings, Failure> {
        let connection = self.connection(name)?;
        Ok(cloud::Settings {
            name: connection.name.clone(),
            tenant: connection.tenant.clone(),
            endpoints: self.endpoints(connection)?,
            auth: connection.sign_in.ready(reader),
            proxy: connection.proxy.as_ref().map(|proxy| ProxySettings {
                url: proxy.url.clone(),
                username: proxy.credentials.as_ref().map(|(user, _)| user.clone()),
                password: proxy.credentials.as_ref().map(|(_, source)| {
                    let secret: Arc<dyn SecretSource> = Arc::new(Sourced::new(source, reader));
                    secret
                }),
            }),
            ca_file: connection.ca_file.clone(),
            organization: connection.organization.clone(),
        })
    }

    fn endpoints(&self, connection: &Connection) -> Result<cloud::Endpoints, Failure> {
        let endpoints = match &connection.endpoints {
            Some(own) => custom(own),
            None => cloud::Endpoints::of(connection.cloud),
        };
        let endpoints =
            endpoints.map_err(|error| self.refuse(connection, "endpoints", &error.to_string()))?;
        if connection.graph.pace > 1 && !endpoints.is_loopback() {
            let rule = "waits are cut short for a simulated tenant on loopback only";
            return Err(self.refuse(connection, "pace", rule));
        }
        Ok(endpoints)
    }

    fn refuse(&self, connection: &Connection, key: &str, rule: &str) -> Failure {
        let file = self
            .file
            .as_deref()
            .unwrap_or_else(|| Path::new(""))
            .display();
        let (line, name) = (connection.line, &connection.name);
        failure(
            code::CONFIGURATION,
            format!("{file}:{line}: `connections.{name}.{key}`: {rule}"),
        )
        .arg("file", file.to_string())
        .arg("line", line)
        .arg("key", format!("connections.{name}.{key}"))
    }
}

fn custom(own: &Endpoints) -> Result<cloud::Endpoints, cloud::ConfigError> {
    let endpoints = cloud::Endpoints::custom(&own.authority, &own.exchange, &own.compliance)?;
    match &own.graph {
        Some(graph) => endpoints.with_graph(graph, own.download.as_deref()),
        None => Ok(endpoints),
    }
}

fn sign_in(auth: &Auth, reader: &Reader) -> cloud::Auth {
    let shared = |source: &Arc<Source>| SharedSecret::from(Sourced::new(source, reader));
    match auth {
        Auth::ClientSecret {
            client_id,
            client_secret,
        } => cloud::Auth::ClientSecret {
            client_id: client_id.clone(),
            secret: shared(client_secret),
        },
        Auth::Password {
            client_id,
            username,
            password,
        } => cloud::Auth::Password {
            client_id: client_id.clone(),
            username: username.clone(),
            password: shared(password),
        },
        Auth::Certificate {
            client_id,
            certificate_file,
            key_file,
            password,
        } => {
            let file = |path: &Path, has_key| {
                SharedSecret::from(SourcedFile {
                    path: path.to_owned(),
                    has_key,
                })
            };
            cloud::Auth::Certificate {
                client_id: client_id.clone(),
                certificate: file(certificate_file, key_file.is_none()),
                key: key_file.as_deref().map(|path| file(path, true)),
                password: password.as_ref().map(shared),
            }
        }
        Auth::Federated {
            client_id,
            assertion,
        } => cloud::Auth::Federated {
            client_id: client_id.clone(),
            assertion: SharedSecret::from(Sourced {
                purpose: Purpose::ShortLived,
                ..Sourced::new(assertion, reader)
            }),
        },
        Auth::ManagedIdentity { client_id } => cloud::Auth::ManagedIdentity {
            client_id: client_id.clone(),
        },
        Auth::DeviceCode {
            client_id,
            token_file,
            ..
        } => cloud::Auth::DeviceCode {
            client_id: client_id.clone(),
            store: token_file
                .clone()
                .map_or(RefreshStore::Keyring, RefreshStore::File),
        },
    }
}

/// A source together with what it takes to read it.
#[derive(Debug)]
struct Sourced {
    source: Arc<Source>,
    purpose: Purpose,
    reader: Reader,
}

impl Sourced {
    fn new(source: &Arc<Source>, reader: &Reader) -> Self {
        Self {
            source: Arc::clone(source),
            purpose: Purpose::LongLived,
            reader: reader.clone(),
        }
    }
}

#[async_trait]
impl SecretSource for Sourced {
    async fn read(&self) -> Result<Secret, SecretError> {
        self.reader
            .read(&self.source, self.purpose)
            .await
            .map_err(|rule| SecretError::new(self.describe(), rule))
    }

    fn describe(&self) -> String {
        self.source.describe()
    }
}

/// A certificate or key file, which may be binary.
#[derive(Debug)]
struct SourcedFile {
    path: PathBuf,
    has_key: bool,
}

#[async_trait]
impl SecretSource for SourcedFile {
    async fn read(&self) -> Result<Secret, SecretError> {
        let bytes = self.read_bytes().await?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| SecretError::new(self.describe(), "it is not UTF-8 text"))?;
        Ok(Secret::new(text))
    }

    async fn read_bytes(&self) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        read_file(&self.path, self.has_key)
            .map(Zeroizing::new)
            .map_err(|rule| SecretError::new(self.describe(), rule))
    }

    fn describe(&self) -> String {
        format!("the file {}", self.path.display())
    }
}
