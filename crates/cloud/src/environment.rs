//! What the machine gives: clock, randomness, the environment's values, folders. The binary reads
//! them once and hands them down, so that nothing here asks the machine by itself.

use std::{fmt, sync::Arc, time::Duration};

use kernel::{Clock, Random, Secret, SystemClock, SystemRandom};

use crate::{
    cache::TokenDir,
    refresh::{Keyring, OsKeyring},
    transport::Roots,
};

/// Values of the proxy variables.
#[derive(Debug, Clone, Default)]
pub struct ProxyEnvironment {
    /// `HTTPS_PROXY`, which may hold a user name and a password.
    pub https_proxy: Option<Secret>,
    /// `NO_PROXY`: names, suffixes, addresses, networks, `*`, separated by commas.
    pub no_proxy: Option<String>,
}

/// Where the machine's managed identity answers.
#[derive(Debug, Clone)]
pub struct IdentityEnvironment {
    /// Base URL of the instance metadata service.
    pub imds: String,
    /// `IDENTITY_ENDPOINT`, which App Service and Container Apps set.
    pub endpoint: Option<String>,
    /// `IDENTITY_HEADER`, set with it.
    pub header: Option<Secret>,
}

impl Default for IdentityEnvironment {
    fn default() -> Self {
        Self {
            imds: "http://169.254.169.254".to_owned(),
            endpoint: None,
            header: None,
        }
    }
}

/// How long things may take.
#[derive(Debug, Clone)]
pub struct Timeouts {
    /// Until TCP, proxy and TLS stand.
    pub connect: Duration,
    /// One token request, from its first byte to the answer's last.
    pub sign_in: Duration,
    /// The metadata service, which answers at once or does not exist.
    pub identity: Duration,
    /// Between two tries while Entra's replicas learn of a new certificate.
    pub certificate_retry: Duration,
    /// The longest wait before an overloaded sign-in host is asked again.
    pub longest_wait: Duration,
    /// An idle connection is not used after this time.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            sign_in: Duration::from_secs(30),
            identity: Duration::from_secs(10),
            certificate_retry: Duration::from_secs(10),
            longest_wait: Duration::from_secs(20),
            idle: Duration::from_mins(1),
        }
    }
}

/// What a person needs in order to sign in at another device.
#[derive(Clone)]
pub struct DeviceCode {
    /// The code to enter. It is for the person's eyes and for no log.
    pub user_code: String,
    /// Where to enter it.
    pub verification_uri: String,
    /// Entra's own sentence, escaped.
    pub message: String,
    /// How long the code can be used.
    pub expires_in: Duration,
}

impl fmt::Debug for DeviceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceCode")
            .field("verification_uri", &self.verification_uri)
            .field("expires_in", &self.expires_in)
            .finish_non_exhaustive()
    }
}

/// Shows a device code to the person who signs in.
pub type DevicePrompt = Arc<dyn Fn(&DeviceCode) + Send + Sync>;

/// All that a connection takes from the machine.
#[derive(Clone)]
pub struct Environment {
    /// Time and waiting. The deadlines of network calls run on the runtime's own timer.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// The proxy variables.
    pub proxy_env: ProxyEnvironment,
    /// Where sealed tokens are kept between runs.
    pub token_dir: TokenDir,
    /// The managed identity's endpoints.
    pub identity: IdentityEnvironment,
    /// Shows a device code; without it a device-code sign-in that needs a person fails.
    pub device_prompt: Option<DevicePrompt>,
    /// The operating system's keyring.
    pub keyring: Arc<dyn Keyring>,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// The machine's CA certificates, loaded at the first https connection and shared by all that
    /// hold a clone.
    pub roots: Roots,
}

impl Environment {
    /// The machine's clock and randomness, its keyring, no proxy, no token folder, nobody to ask.
    pub fn system() -> Self {
        Self {
            clock: Arc::new(SystemClock::default()),
            random: Arc::new(SystemRandom),
            proxy_env: ProxyEnvironment::default(),
            token_dir: TokenDir::nowhere(),
            identity: IdentityEnvironment::default(),
            device_prompt: None,
            keyring: Arc::new(OsKeyring),
            timeouts: Timeouts::default(),
            roots: Roots::system(),
        }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("token_dir", &self.token_dir)
            .field("timeouts", &self.timeouts)
            .field("device_prompt", &self.device_prompt.is_some())
            .finish_non_exhaustive()
    }
}
