//! Which Microsoft cloud, how to sign in to it, how to reach it.
//!
//! A [`Cloud`] is one connection: its [`Endpoints`], its sign-in, its transport. It gives tokens
//! ([`Cloud::token`]), decides which URLs may get one ([`Cloud::trust`]) and carries requests
//! ([`Cloud::send`]). It knows nothing of cmdlets.

mod cache;
mod cloud;
mod clouds;
mod environment;
mod error;
mod files;
mod graph;
pub mod headers;
mod refresh;
mod secret;
mod settings;
pub mod signin;
mod source;
mod token;
mod transport;
mod trust;

pub use cache::TokenDir;
pub use cloud::Cloud;
pub use clouds::{CloudName, Endpoints, Resource};
pub use environment::{
    DeviceCode, DevicePrompt, Environment, IdentityEnvironment, ProxyEnvironment, Timeouts,
};
pub use error::{ConfigError, SecretError, SendError, SendKind, SignInError};
pub use graph::GraphFeature;
pub use refresh::{Keyring, OsKeyring};
pub use secret::{SecretSource, SharedSecret, StaticSecret};
pub use settings::{Auth, PUBLIC_CLIENT_ID, ProxySettings, RefreshStore, Settings};
pub use source::{CommandSecret, FileSecret};
pub use token::{Claims, Token};
pub use transport::{Download, PeerInfo, Request, Response, Roots};
pub use trust::{TrustedUrl, Untrusted};
