//! Signing in: one flow per kind of credential, each a request to Entra's token endpoint (or the
//! machine's identity endpoint) and its answer.

pub mod aadsts;
pub(crate) mod answer;
pub(crate) mod certificate;
mod device;
mod identity;
mod post;
mod sentences;

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use kernel::Secret;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use self::{
    aadsts::{Refusal, Who},
    answer::TokenAnswer,
    certificate::SigningCertificate,
    post::Form,
};
use crate::{
    environment::Environment,
    error::{ConfigError, SignInError},
    secret::{Reading, SharedSecret},
    settings::{Auth, Settings},
    token::Token,
    transport::Transport,
};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How often Entra is asked while a new certificate spreads through its replicas.
const CERTIFICATE_TRIES: u32 = 4;

/// The certificate as read last, so that it is parsed once.
struct Parsed {
    readings: Vec<Reading>,
    certificate: Arc<SigningCertificate>,
}

/// Signs in for one connection.
pub(crate) struct SignIn {
    pub(self) tenant: String,
    pub(self) authority: String,
    pub(self) auth: Auth,
    pub(self) environment: Environment,
    pub(self) transport: Arc<Transport>,
    parsed: Mutex<Option<Parsed>>,
    /// The refresh token of a device-code sign-in; the lock also keeps two services from asking a
    /// person twice.
    pub(self) kept: Mutex<Option<Secret>>,
}

impl std::fmt::Debug for SignIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignIn")
            .field("tenant", &self.tenant)
            .field("auth", &self.auth)
            .finish_non_exhaustive()
    }
}

impl SignIn {
    pub fn new(
        settings: &Settings,
        environment: &Environment,
        transport: Arc<Transport>,
    ) -> Result<Self, ConfigError> {
        check_tenant(&settings.tenant)?;
        check_client_id(&settings.auth)?;
        identity::check(environment)?;
        Ok(Self {
            tenant: settings.tenant.clone(),
            authority: settings.endpoints.authority().to_owned(),
            auth: settings.auth.clone(),
            environment: environment.clone(),
            transport,
            parsed: Mutex::new(None),
            kept: Mutex::new(None),
        })
    }

    /// A new token for a scope. `claims` is what a 401 asked for, as JSON.
    pub async fn sign_in(&self, scope: &str, claims: Option<&str>) -> Result<Token, SignInError> {
        match &self.auth {
            Auth::ClientSecret { client_id, secret } => {
                self.with_text(secret, scope, claims, &|form, value| {
                    form.add("grant_type", "client_credentials")
                        .add("client_id", client_id)
                        .add("client_secret", value)
                })
                .await
            }
            Auth::Password {
                client_id,
                username,
                password,
            } => {
                self.with_text(password, scope, claims, &|form, value| {
                    form.add("grant_type", "password")
                        .add("client_id", client_id)
                        .add("username", username)
                        .add("password", value)
                })
                .await
            }
            Auth::Certificate {
                client_id,
                certificate,
                key,
                password,
            } => {
                let files = [Some(certificate), key.as_ref(), password.as_ref()];
                self.with_certificate(client_id, files, scope, claims).await
            }
            Auth::Federated {
                client_id,
                assertion,
            } => {
                let reading = assertion.fresh().await?;
                let value = reading.text(&assertion.describe())?;
                let form = Form::new()
                    .add("grant_type", "client_credentials")
                    .add("client_id", client_id)
                    .add("client_assertion_type", ASSERTION_TYPE)
                    .add("client_assertion", value.expose().trim());
                Ok(self
                    .finish(form, scope, claims, Some(&value))
                    .await?
                    .into_token())
            }
            Auth::ManagedIdentity { client_id } => {
                self.managed_identity(client_id.as_deref(), scope).await
            }
            Auth::DeviceCode { client_id, store } => {
                Box::pin(self.device_code(client_id, store, scope, claims)).await
            }
        }
    }

    /// Sends a form with a secret in it; when Entra says that the secret is wrong and the source
    /// says something else by now, once more.
    async fn with_text(
        &self,
        secret: &SharedSecret,
        scope: &str,
        claims: Option<&str>,
        build: &(dyn Fn(Form, &str) -> Form + Send + Sync),
    ) -> Result<Token, SignInError> {
        let name = secret.describe();
        let reading = secret.get().await?;
        let value = reading.text(&name)?;
        let form = build(Form::new(), value.expose());
        match self.finish(form, scope, claims, Some(&value)).await {
            Err(SignInError::Refused(refusal)) if refusal.blames_the_credential() => {
                let Some(newer) = secret.after(&reading).await? else {
                    return Err(SignInError::Refused(refusal));
                };
                tracing::info!("the secret from {name} has changed; signing in again");
                let value = newer.text(&name)?;
                let form = build(Form::new(), value.expose());
                Ok(self
                    .finish(form, scope, claims, Some(&value))
                    .await?
                    .into_token())
            }
            other => Ok(other?.into_token()),
        }
    }

    async fn with_certificate(
        &self,
        client_id: &str,
        files: [Option<&SharedSecret>; 3],
        scope: &str,
        claims: Option<&str>,
    ) -> Result<Token, SignInError> {
        let mut tries = 0;
        let mut looked_again = false;
        loop {
            tries += 1;
            let certificate = self.certificate(files).await?;
            let source_name = files[0].map(SharedSecret::describe).unwrap_or_default();
            let assertion = certificate
                .assertion(
                    client_id,
                    &self.token_endpoint(),
                    self.environment.clock.now(),
                    &*self.environment.random,
                )
                .map_err(|reason| SignInError::Certificate {
                    source_name,
                    reason,
                })?;
            let form = Form::new()
                .add("grant_type", "client_credentials")
                .add("client_id", client_id)
                .add("client_assertion_type", ASSERTION_TYPE)
                .add("client_assertion", assertion.expose());
            let refusal = match self.finish(form, scope, claims, Some(&assertion)).await {
                Err(SignInError::Refused(refusal)) => refusal,
                other => return Ok(other?.into_token()),
            };
            if refusal.blames_the_credential() && !looked_again {
                looked_again = true;
                if self.certificate_changed(files).await? {
                    tracing::info!("the certificate has changed; signing in again");
                    continue;
                }
            }
            if !refusal.may_be_a_rotation() || tries >= CERTIFICATE_TRIES {
                return Err(SignInError::Refused(refusal));
            }
            tracing::warn!("Entra does not know the certificate; if it is new, it may in a moment");
            self.environment
                .clock
                .sleep(self.environment.timeouts.certificate_retry)
                .await;
        }
    }

    /// The parsed certificate, parsed again when its files were read again.
    async fn certificate(
        &self,
        files: [Option<&SharedSecret>; 3],
    ) -> Result<Arc<SigningCertificate>, SignInError> {
        let mut readings = Vec::with_capacity(3);
        for file in files.into_iter().flatten() {
            readings.push(file.get().await?);
        }
        let mut parsed = self.parsed.lock().await;
        if let Some(parsed) = parsed
            .as_ref()
            .filter(|parsed| same(&parsed.readings, &readings))
        {
            return Ok(parsed.certificate.clone());
        }
        let mut left = readings.iter();
        let [first, key, password] = files.map(|file| file.and_then(|_| left.next()));
        let source_name = files[0].map(SharedSecret::describe).unwrap_or_default();
        let password = match (password, files[2]) {
            (Some(reading), Some(source)) => Some(reading.text(&source.describe())?),
            _ => None,
        };
        let certificate = SigningCertificate::parse(
            first.map(Reading::bytes).unwrap_or_default(),
            key.map(Reading::bytes),
            password.as_ref(),
        )
        .map_err(|reason| SignInError::Certificate {
            source_name,
            reason,
        })?;
        let certificate = Arc::new(certificate);
        *parsed = Some(Parsed {
            readings,
            certificate: certificate.clone(),
        });
        Ok(certificate)
    }

    /// Reads the files again and tells whether any has changed.
    async fn certificate_changed(
        &self,
        files: [Option<&SharedSecret>; 3],
    ) -> Result<bool, SignInError> {
        let mut changed = false;
        for file in files.into_iter().flatten() {
            let before = file.get().await?;
            changed |= file.after(&before).await?.is_some();
        }
        Ok(changed)
    }

    /// When the certificate of this connection ends; `None` for other credentials.
    pub async fn certificate_expiry(&self) -> Result<Option<jiff::Timestamp>, SignInError> {
        let Auth::Certificate {
            certificate,
            key,
            password,
            ..
        } = &self.auth
        else {
            return Ok(None);
        };
        let files = [Some(certificate), key.as_ref(), password.as_ref()];
        Ok(self.certificate(files).await?.not_after())
    }

    /// The bytes that a sealed token's key is derived from; `None` where tokens stay in memory.
    pub async fn sealing_material(&self) -> Result<Option<Zeroizing<Vec<u8>>>, SignInError> {
        let files = match &self.auth {
            Auth::ClientSecret { secret, .. } => [Some(secret), None, None],
            Auth::Certificate {
                certificate,
                key,
                password,
                ..
            } => [Some(certificate), key.as_ref(), password.as_ref()],
            _ => return Ok(None),
        };
        let mut material = Zeroizing::new(Vec::new());
        for file in files {
            // The length in front keeps two splits of the same bytes apart.
            let bytes = match file {
                Some(file) => Some(file.get().await?),
                None => None,
            };
            let bytes = bytes.as_ref().map(Reading::bytes).unwrap_or_default();
            material.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
            material.extend_from_slice(bytes);
        }
        Ok(Some(material))
    }

    /// The token endpoint of the tenant.
    pub(self) fn token_endpoint(&self) -> String {
        format!("{}/{}/oauth2/v2.0/token", self.authority, self.tenant)
    }

    /// Adds scope and claims, sends, and reads the answer.
    pub(self) async fn finish(
        &self,
        form: Form,
        scope: &str,
        claims: Option<&str>,
        secret: Option<&Secret>,
    ) -> Result<TokenAnswer, SignInError> {
        let mut form = form.add("scope", scope);
        if let Some(claims) = claims {
            form = form.add("claims", claims);
        }
        let who = self.who(scope, secret);
        Box::pin(self.post_token(&self.token_endpoint(), form, who)).await
    }

    pub(self) fn who<'a>(&'a self, scope: &'a str, secret: Option<&'a Secret>) -> Who<'a> {
        let username = match &self.auth {
            Auth::Password { username, .. } => Some(username.as_str()),
            _ => None,
        };
        Who {
            tenant: &self.tenant,
            client_id: self.auth.client_id(),
            username,
            scope,
            secret,
        }
    }
}

fn same(one: &[Reading], other: &[Reading]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(a, b)| a.bytes() == b.bytes())
}

/// A refusal as an error.
impl From<Refusal> for SignInError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

/// The tenant stands in paths: a GUID or a domain, nothing else.
fn check_tenant(tenant: &str) -> Result<(), ConfigError> {
    let fine = !tenant.is_empty()
        && tenant.len() <= 253
        && tenant
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
        && !tenant.starts_with(['.', '-'])
        && !tenant.ends_with(['.', '-'])
        && !tenant.contains("..");
    if fine {
        return Ok(());
    }
    Err(ConfigError::BadTenant {
        tenant: kernel::escape::clipped(tenant, 120),
    })
}

fn check_client_id(auth: &Auth) -> Result<(), ConfigError> {
    let id = auth.client_id();
    let optional = matches!(auth, Auth::ManagedIdentity { client_id: None });
    let fine = id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') && id.len() <= 64;
    if optional || (fine && !id.is_empty()) {
        return Ok(());
    }
    Err(ConfigError::BadClientId {
        client_id: kernel::escape::clipped(id, 80),
    })
}

/// The part of a JWT that may be shown: nothing. Used to keep a value that looks like one out of
/// messages.
pub(crate) fn looks_like_a_token(text: &str) -> bool {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')))
        .any(|word| word.len() > 40 && word.starts_with("eyJ"))
        || text.contains("access_token")
        || URL_SAFE_NO_PAD
            .decode(text.trim())
            .is_ok_and(|bytes| bytes.len() > 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_cannot_leave_its_place_in_the_path() {
        for good in [
            "contoso.onmicrosoft.com",
            "11111111-2222-4333-8444-555555555555",
            "a",
        ] {
            check_tenant(good).unwrap();
        }
        for bad in [
            "",
            "..",
            "a/b",
            "a?b",
            "a#b",
            "a%2fb",
            ".a",
            "a.",
            "a b",
            "ä.example",
            "a\\b",
        ] {
            assert!(check_tenant(bad).is_err(), "{bad}");
        }
    }
}
