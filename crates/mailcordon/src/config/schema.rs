//! The JSON schema of the configuration, for editors: `docs/config.schema.json` is generated from
//! it. These types only describe; `parse` reads, and a test holds their keys together.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde_json::Value;

/// The schema as JSON text with a closing line break.
pub fn json_schema() -> String {
    let schema: Value = schemars::schema_for!(File).into();
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

/// Configuration of mailcordon.
#[derive(JsonSchema)]
#[schemars(title = "mailcordon configuration", deny_unknown_fields)]
#[expect(dead_code, reason = "describes the file, never built")]
struct File {
    /// Version of the format.
    #[schemars(range(min = 1, max = 1))]
    version: Option<u32>,
    /// The connection to use when none is named.
    default_connection: Option<String>,
    /// One tenant and the way to it, by name.
    #[schemars(extend("propertyNames" = {"pattern": "^[A-Za-z0-9._-]{1,64}$"}))]
    connections: Option<BTreeMap<String, Connection>>,
    /// Ways to sign in that several connections share, by name.
    #[schemars(extend("propertyNames" = {"pattern": "^[A-Za-z0-9._-]{1,64}$"}))]
    auth: Option<BTreeMap<String, Auth>>,
}

/// One tenant and the way to it.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "describes the file, never built")]
struct Connection {
    /// The tenant: its GUID or one of its domains.
    tenant: String,
    /// Which Microsoft cloud; `commercial` unless given.
    cloud: Option<Cloud>,
    /// How to sign in, or the name of an `[auth.<name>]`.
    auth: AuthOrName,
    /// The hosts of a `custom` cloud.
    endpoints: Option<Endpoints>,
    /// The proxy of this connection.
    proxy: Option<Proxy>,
    /// PEM file with further certification authorities; relative to this file.
    ca_file: Option<String>,
    /// The tenant's initial `onmicrosoft.com` domain, for Compliance.
    organization: Option<String>,
    /// Labels, for choosing several connections at once.
    tags: Option<Vec<String>>,
    /// Addresses of people whose mail and mailboxes want a second look; a plan names those that it
    /// touches.
    vips: Option<Vec<String>>,
    /// The eDiscovery case that searches over Microsoft Graph are made in; `mailcordon containment`
    /// unless given.
    graph_case: Option<String>,
    /// eDiscovery requests a minute, shared by all processes that use this app in this tenant; 5
    /// unless given, which is what the service documents.
    #[schemars(range(min = 1, max = 600))]
    graph_requests_per_minute: Option<u32>,
    /// Divides every wait; for a simulated tenant on loopback whose clock goes faster.
    #[schemars(range(min = 1, max = 10000))]
    pace: Option<u32>,
    /// Whether the connection may be used; true unless given.
    enabled: Option<bool>,
}

/// A Microsoft cloud.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes the file, never built")]
enum Cloud {
    Commercial,
    Gcc,
    GccHigh,
    Dod,
    China,
    Custom,
}

/// Base URLs of a custom cloud; `http` on loopback only.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "describes the file, never built")]
struct Endpoints {
    /// Sign-in.
    authority: String,
    /// Exchange Online.
    exchange: String,
    /// Security & Compliance.
    compliance: String,
    /// Microsoft Graph; without it searches go by cmdlet.
    graph: Option<String>,
    /// Where the reports of Microsoft Graph come from.
    download: Option<String>,
}

/// An HTTP CONNECT or SOCKS5 proxy.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "describes the file, never built")]
struct Proxy {
    /// `http://host:port` or `socks5://host:port`.
    url: String,
    /// User name, if the proxy wants one.
    username: Option<String>,
    /// Where the password comes from.
    password: Option<SecretSource>,
}

/// Where a secret comes from.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "describes the file, never built")]
enum SecretSource {
    /// `env:NAME` or `file:PATH`.
    Named(#[schemars(regex(pattern = r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$"))] String),
    /// A program whose output is the secret.
    Program(Program),
}

/// A program whose output is the secret; started without a shell.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "describes the file, never built")]
struct Program {
    /// Program and arguments.
    #[schemars(length(min = 1))]
    exec: Vec<String>,
}

/// A way to sign in, or the name of a shared one.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "describes the file, never built")]
enum AuthOrName {
    /// The name of an `[auth.<name>]`.
    Name(String),
    /// A way to sign in.
    Auth(Auth),
}

/// A way to sign in.
#[derive(JsonSchema)]
#[schemars(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[expect(dead_code, reason = "describes the file, never built")]
enum Auth {
    /// An app with a client secret.
    #[schemars(rename = "oauth2")]
    OAuth2 {
        /// The app.
        client_id: String,
        /// Where its secret comes from.
        client_secret: SecretSource,
    },
    /// A user with a password.
    Basic {
        /// The app that asks; Microsoft's public client unless given.
        client_id: Option<String>,
        /// The user.
        username: String,
        /// Where the password comes from.
        password: SecretSource,
    },
    /// An app with a certificate.
    Certificate {
        /// The app.
        client_id: String,
        /// PEM or PFX; relative to this file.
        certificate_file: String,
        /// PEM with the private key, if the certificate's file has none; relative to this file.
        key_file: Option<String>,
        /// Where the password of the PFX or the key comes from.
        password: Option<SecretSource>,
    },
    /// An app with another issuer's token.
    Federated {
        /// The app.
        client_id: String,
        /// Where the token comes from.
        assertion: SecretSource,
    },
    /// The identity of the machine.
    ManagedIdentity {
        /// Client id of a user-assigned identity.
        client_id: Option<String>,
    },
    /// A user at a browser, once.
    DeviceCode {
        /// The app that asks; Microsoft's public client unless given.
        client_id: Option<String>,
        /// The user expected to sign in.
        username: Option<String>,
        /// Where the refresh token is kept instead of the keyring; relative to this file.
        token_file: Option<String>,
    },
}
