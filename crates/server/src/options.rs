//! What a server is made of.

use std::{path::PathBuf, sync::Arc, time::Duration};

use engine::Workers;
use kernel::{Clock, Random, Secret};
use schemars::JsonSchema;
use serde::Serialize;
use store::Store;
use tokio::net::TcpListener;

use crate::Metrics;

/// A connection as callers see it; nothing of its credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Connection {
    /// Its name.
    pub name: String,
    /// The tenant, as configured: a domain or an id.
    pub tenant: String,
    /// The Microsoft cloud.
    pub cloud: String,
    /// How it signs in.
    pub sign_in: String,
    /// Whether it is the one to use when none is named.
    pub default: bool,
    /// Whether runs may use it.
    pub enabled: bool,
    /// Its tags.
    pub tags: Vec<String>,
    /// People that a plan names when it touches them.
    pub vips: Vec<String>,
}

/// Where a server finds the connections that are configured.
pub trait Connections: Send + Sync {
    /// All of them, in the order in which they are shown.
    fn list(&self) -> Vec<Connection>;
}

/// What a request may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest body, in bytes, of all but mails.
    pub body: usize,
    /// The largest mail, in bytes.
    pub mail: usize,
    /// How long a request may take beyond what it asked to wait, its body included.
    pub time: Duration,
    /// The longest wait for the end of a run that a request may ask for.
    pub wait: Duration,
    /// Requests of one token a second, sustained.
    pub rate: u32,
    /// Requests of one token at once, before the sustained rate counts.
    pub burst: u32,
    /// Open sockets.
    pub sockets: usize,
    /// Streams of events at once, of all callers.
    pub streams: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 1024 * 1024,
            mail: 32 * 1024 * 1024,
            time: Duration::from_secs(30),
            wait: Duration::from_mins(1),
            rate: 50,
            burst: 200,
            sockets: 1024,
            streams: 256,
        }
    }
}

/// Certificate chain and key, both PEM.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The chain, the server's own certificate first.
    pub certificates: PathBuf,
    /// Where its private key lies; what stands there is in `key_pem`.
    pub key: PathBuf,
    /// Its private key, read where it is known who else may read the file.
    pub key_pem: Secret,
}

/// Everything that a server needs from outside.
pub struct ServerOptions {
    /// Where runs, tokens and audit are kept.
    pub store: Arc<Store>,
    /// What drives runs. [`Workers::work`] is called elsewhere.
    pub workers: Arc<Workers>,
    /// The connections.
    pub connections: Arc<dyn Connections>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// What a request may cost.
    pub limits: Limits,
    /// What is counted; the same that [`crate::Metered`] was given.
    pub metrics: Arc<Metrics>,
    /// A listener of its own for `/metrics`, where no token is asked for.
    pub metrics_listener: Option<TcpListener>,
    /// TLS; without it only loopback is served, unless `behind_proxy`.
    pub tls: Option<TlsFiles>,
    /// A proxy in front does TLS.
    pub behind_proxy: bool,
    /// The version of the program.
    pub version: &'static str,
}
