//! Where refresh tokens of device-code sign-ins are kept.

use std::{fmt, path::PathBuf, sync::Arc};

use kernel::{Secret, escape};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{error::SignInError, files, settings::RefreshStore};

/// The operating system's keyring. Calls may block: they are made on a thread that may.
pub trait Keyring: fmt::Debug + Send + Sync {
    /// The entry of an account, if there is one. The error is for a person.
    fn load(&self, account: &str) -> Result<Option<Secret>, String>;
    /// Makes or replaces the entry of an account.
    fn save(&self, account: &str, secret: &Secret) -> Result<(), String>;
    /// Removes the entry of an account, if there is one.
    fn remove(&self, account: &str) -> Result<(), String>;
}

/// The keyring of this machine: on Linux the kernel's, which needs no daemon and forgets at
/// reboot. Other systems have none here yet, and say so.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsKeyring;

#[cfg(target_os = "linux")]
impl OsKeyring {
    fn entry(account: &str) -> Result<keyring_core::Entry, String> {
        use keyring_core::api::CredentialStoreApi;
        linux_keyutils_keyring_store::Store::new()
            .and_then(|store| store.build("mailcordon", account, None))
            .map_err(|error| error.to_string())
    }
}

#[cfg(target_os = "linux")]
impl Keyring for OsKeyring {
    fn load(&self, account: &str) -> Result<Option<Secret>, String> {
        match Self::entry(account)?.get_password() {
            Ok(text) => Ok(Some(Secret::new(text))),
            Err(keyring_core::Error::NoEntry) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    fn save(&self, account: &str, secret: &Secret) -> Result<(), String> {
        Self::entry(account)?
            .set_password(secret.expose())
            .map_err(|error| error.to_string())
    }

    fn remove(&self, account: &str) -> Result<(), String> {
        match Self::entry(account)?.delete_credential() {
            Ok(()) | Err(keyring_core::Error::NoEntry) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Keyring for OsKeyring {
    fn load(&self, _account: &str) -> Result<Option<Secret>, String> {
        Ok(None)
    }

    fn save(&self, _account: &str, _secret: &Secret) -> Result<(), String> {
        Err("no keyring is supported on this system; name a file instead".to_owned())
    }

    fn remove(&self, _account: &str) -> Result<(), String> {
        Ok(())
    }
}

/// One account's refresh token in one place.
pub(crate) struct Keeper {
    store: RefreshStore,
    keyring: Arc<dyn Keyring>,
    account: String,
}

/// What stands in a file: with the account, so that another connection's file is not taken for
/// ours.
#[derive(Serialize, Deserialize)]
struct Content {
    account: String,
    refresh_token: String,
}

impl Keeper {
    pub fn new(store: &RefreshStore, keyring: Arc<dyn Keyring>, account: String) -> Self {
        Self {
            store: store.clone(),
            keyring,
            account,
        }
    }

    /// The kept token, if there is one.
    pub async fn load(&self) -> Result<Option<Secret>, SignInError> {
        match &self.store {
            RefreshStore::Memory => Ok(None),
            RefreshStore::Keyring => {
                let found = self
                    .on_keyring(|keyring, account| keyring.load(account))
                    .await;
                // Without a keyring a person can still sign in.
                Ok(found.unwrap_or_else(|reason| {
                    tracing::warn!("the keyring cannot be read: {reason}");
                    None
                }))
            }
            RefreshStore::File(path) => {
                let bytes = files::read_private(path).map_err(|reason| self.failed(reason))?;
                let Some(bytes) = bytes.map(Zeroizing::new) else {
                    return Ok(None);
                };
                let content: Option<Content> = serde_json::from_slice(&bytes).ok();
                let ours = content.filter(|content| content.account == self.account);
                if ours.is_none() {
                    tracing::warn!("{} holds no sign-in of this connection", self.place());
                }
                Ok(ours.map(|content| Secret::new(content.refresh_token)))
            }
        }
    }

    /// Keeps a token.
    pub async fn save(&self, token: &Secret) -> Result<(), SignInError> {
        match &self.store {
            RefreshStore::Memory => Ok(()),
            RefreshStore::Keyring => {
                let token = token.clone();
                self.on_keyring(move |keyring, account| keyring.save(account, &token))
                    .await
                    .map_err(|reason| self.failed(reason))
            }
            RefreshStore::File(path) => {
                let content = Content {
                    account: self.account.clone(),
                    refresh_token: token.expose().to_owned(),
                };
                let bytes = serde_json::to_vec(&content).map(Zeroizing::new);
                let bytes = bytes.map_err(|error| self.failed(error.to_string()))?;
                files::write_private(path, &bytes, u64::from(std::process::id()))
                    .map_err(|reason| self.failed(reason))
            }
        }
    }

    /// Forgets a token that is of no more use. That it stays is no harm.
    pub async fn remove(&self) {
        let outcome = match &self.store {
            RefreshStore::Memory => Ok(()),
            RefreshStore::Keyring => {
                self.on_keyring(|keyring, account| keyring.remove(account))
                    .await
            }
            RefreshStore::File(path) => remove_file(path),
        };
        if let Err(reason) = outcome {
            tracing::debug!("the old sign-in stays in {}: {reason}", self.place());
        }
    }

    async fn on_keyring<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Keyring, &str) -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let keyring = self.keyring.clone();
        let account = self.account.clone();
        tokio::task::spawn_blocking(move || work(&*keyring, &account))
            .await
            .unwrap_or_else(|_| Err("the keyring call was abandoned".to_owned()))
    }

    fn place(&self) -> String {
        match &self.store {
            RefreshStore::Keyring => "the system's keyring".to_owned(),
            RefreshStore::File(path) => {
                format!("the file `{}`", escape::line(&path.display().to_string()))
            }
            RefreshStore::Memory => "memory".to_owned(),
        }
    }

    fn failed(&self, reason: String) -> SignInError {
        SignInError::Store {
            place: self.place(),
            reason,
        }
    }
}

fn remove_file(path: &PathBuf) -> Result<(), String> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.to_string()),
        _ => Ok(()),
    }
}
