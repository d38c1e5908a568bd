//! The ways to sign in, as the file writes them.

use std::{path::PathBuf, sync::Arc};

use cloud::PUBLIC_CLIENT_ID;
use kernel::Failure;

use super::{
    Source,
    document::{Document, Found, Section},
    source,
};

/// A way to sign in, without its secret.
#[derive(Debug, Clone)]
pub enum Auth {
    /// An app with a client secret (`type = "oauth2"`).
    ClientSecret {
        /// The app.
        client_id: String,
        /// Its secret.
        client_secret: Arc<Source>,
    },
    /// A user with a password (`type = "basic"`).
    Password {
        /// The app that asks; Microsoft's public client unless given.
        client_id: String,
        /// The user.
        username: String,
        /// The password.
        password: Arc<Source>,
    },
    /// An app with a certificate.
    Certificate {
        /// The app.
        client_id: String,
        /// PEM with the certificate (and the key, unless `key_file` has it), or PFX; absolute.
        certificate_file: PathBuf,
        /// PEM with the private key; absolute.
        key_file: Option<PathBuf>,
        /// The password of the PFX or of the key.
        password: Option<Arc<Source>>,
    },
    /// An app with another issuer's token.
    Federated {
        /// The app.
        client_id: String,
        /// The token; read anew for every sign-in, since it lives shortly.
        assertion: Arc<Source>,
    },
    /// The identity of the machine.
    ManagedIdentity {
        /// The client id of a user-assigned identity; none for the machine's own.
        client_id: Option<String>,
    },
    /// A user at a browser, once; then a kept refresh token.
    DeviceCode {
        /// The app that asks; Microsoft's public client unless given.
        client_id: String,
        /// The user expected to sign in, to remind whoever is asked.
        username: Option<String>,
        /// Where the refresh token is kept instead of the keyring; absolute.
        token_file: Option<PathBuf>,
    },
}

/// What kind of sign-in an [`Auth`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthKind {
    /// Client secret.
    OAuth2,
    /// User name and password.
    Basic,
    /// Certificate.
    Certificate,
    /// Federated assertion.
    Federated,
    /// Managed identity.
    ManagedIdentity,
    /// Device code.
    DeviceCode,
}

impl AuthKind {
    /// Every kind with its spelling in the file.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("oauth2", Self::OAuth2),
        ("basic", Self::Basic),
        ("certificate", Self::Certificate),
        ("federated", Self::Federated),
        ("managed_identity", Self::ManagedIdentity),
        ("device_code", Self::DeviceCode),
    ];

    /// The keys it takes.
    pub(super) fn keys(self) -> &'static [&'static str] {
        match self {
            Self::OAuth2 => &["type", "client_id", "client_secret"],
            Self::Basic => &["type", "client_id", "username", "password"],
            Self::Certificate => &[
                "type",
                "client_id",
                "certificate_file",
                "key_file",
                "password",
            ],
            Self::Federated => &["type", "client_id", "assertion"],
            Self::ManagedIdentity => &["type", "client_id"],
            Self::DeviceCode => &["type", "client_id", "username", "token_file"],
        }
    }

    /// Its spelling in the file.
    pub fn as_str(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, kind)| *kind == self)
            .map_or("oauth2", |(name, _)| name)
    }
}

impl Auth {
    /// Its kind.
    pub fn kind(&self) -> AuthKind {
        match self {
            Self::ClientSecret { .. } => AuthKind::OAuth2,
            Self::Password { .. } => AuthKind::Basic,
            Self::Certificate { .. } => AuthKind::Certificate,
            Self::Federated { .. } => AuthKind::Federated,
            Self::ManagedIdentity { .. } => AuthKind::ManagedIdentity,
            Self::DeviceCode { .. } => AuthKind::DeviceCode,
        }
    }
}

/// Reads an `auth` table.
pub(super) fn read(table: &Section<'_, '_>) -> Result<Auth, Failure> {
    let kind = table.choice(&table.required("type")?, AuthKind::ALL)?;
    table.only(kind.keys())?;
    let client_id = table
        .get("client_id")
        .map(|found| client_id(table, &found))
        .transpose()?;
    let needed = |client_id: Option<String>| {
        client_id.ok_or_else(|| {
            let rule = format!(
                "`type = \"{}\"` needs the client id of the app",
                kind.as_str()
            );
            table
                .document
                .problem(table.offset, &table.path("client_id"), &rule)
        })
    };
    let public = || PUBLIC_CLIENT_ID.to_owned();
    Ok(match kind {
        AuthKind::OAuth2 => Auth::ClientSecret {
            client_id: needed(client_id)?,
            client_secret: required_secret(table, "client_secret")?,
        },
        AuthKind::Basic => Auth::Password {
            client_id: client_id.unwrap_or_else(public),
            username: table.required_text("username")?.to_owned(),
            password: required_secret(table, "password")?,
        },
        AuthKind::Certificate => Auth::Certificate {
            client_id: needed(client_id)?,
            certificate_file: path(&table.document, table.required_text("certificate_file")?),
            key_file: table
                .text("key_file")?
                .map(|text| path(&table.document, text)),
            password: secret(table, "password")?,
        },
        AuthKind::Federated => Auth::Federated {
            client_id: needed(client_id)?,
            assertion: required_secret(table, "assertion")?,
        },
        AuthKind::ManagedIdentity => Auth::ManagedIdentity { client_id },
        AuthKind::DeviceCode => Auth::DeviceCode {
            client_id: client_id.unwrap_or_else(public),
            username: table.text("username")?.map(str::to_owned),
            token_file: table
                .text("token_file")?
                .map(|text| path(&table.document, text)),
        },
    })
}

fn required_secret(table: &Section<'_, '_>, key: &str) -> Result<Arc<Source>, Failure> {
    source::read(table, &table.required(key)?).map(Arc::new)
}

fn secret(table: &Section<'_, '_>, key: &str) -> Result<Option<Arc<Source>>, Failure> {
    table
        .get(key)
        .map(|found| source::read(table, &found).map(Arc::new))
        .transpose()
}

fn client_id(table: &Section<'_, '_>, found: &Found<'_, '_>) -> Result<String, Failure> {
    let text = table.text_of(found)?;
    // A client secret pasted here by mistake must not be shown, so the rule names no value.
    let fits = text.len() <= 64
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if fits {
        return Ok(text.to_owned());
    }
    Err(table.refuse(
        found,
        "it is no client id: copy `Application (client) ID` from Entra",
    ))
}

/// A path from the file. Editors and certificate tools hand out `file:` forms too; both are taken.
fn path(document: &Document<'_>, text: &str) -> PathBuf {
    document.resolve(text.strip_prefix("file:").unwrap_or(text))
}
