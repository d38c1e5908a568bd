//! TLS: rustls over aws-lc, set up when the first https connection is made. Loading the machine's
//! CA certificates takes longer than a whole one-shot run against loopback, which needs none.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use kernel::escape;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::sync::OnceCell;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::dial::Stream;
use crate::error::{SendError, SendKind};

/// The CA certificates to trust. Clones share what was loaded.
#[derive(Clone)]
pub struct Roots(Arc<RootsInner>);

struct RootsInner {
    fixed: Option<Vec<CertificateDer<'static>>>,
    loaded: OnceCell<Arc<RootCertStore>>,
}

impl Roots {
    /// The machine's own, loaded when first needed.
    pub fn system() -> Self {
        Self(Arc::new(RootsInner {
            fixed: None,
            loaded: OnceCell::new(),
        }))
    }

    /// Exactly these DER certificates and not the machine's.
    pub fn only(certificates: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let fixed = certificates.into_iter().map(CertificateDer::from).collect();
        Self(Arc::new(RootsInner {
            fixed: Some(fixed),
            loaded: OnceCell::new(),
        }))
    }

    async fn store(&self) -> Arc<RootCertStore> {
        let load = async || {
            let fixed = self.0.fixed.clone();
            tokio::task::spawn_blocking(move || {
                let mut store = RootCertStore::empty();
                let certificates = fixed.unwrap_or_else(|| {
                    let found = rustls_native_certs::load_native_certs();
                    for error in &found.errors {
                        tracing::warn!(
                            "some of the machine's CA certificates cannot be read: {error}"
                        );
                    }
                    found.certs
                });
                store.add_parsable_certificates(certificates);
                Arc::new(store)
            })
            .await
            .unwrap_or_else(|_| Arc::new(RootCertStore::empty()))
        };
        self.0.loaded.get_or_init(load).await.clone()
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.fixed.is_some() {
            "Roots(fixed)"
        } else {
            "Roots(system)"
        })
    }
}

/// Makes TLS connections.
#[derive(Debug)]
pub(super) struct Tls {
    roots: Roots,
    ca_file: Option<PathBuf>,
    config: OnceCell<Arc<ClientConfig>>,
}

impl Tls {
    pub fn new(roots: Roots, ca_file: Option<PathBuf>) -> Self {
        Self {
            roots,
            ca_file,
            config: OnceCell::new(),
        }
    }

    /// The TLS connection over `stream`, and the issuer of the certificate it showed.
    pub async fn connect(
        &self,
        host: &str,
        stream: Stream,
    ) -> Result<(TlsStream<Stream>, Option<String>), SendError> {
        let failed = |text: &str| SendError::not_sent(SendKind::Tls, host, text);
        let config = self
            .config
            .get_or_try_init(|| self.build(host))
            .await?
            .clone();
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| failed("its name cannot stand in a certificate"))?;
        let stream = TlsConnector::from(config)
            .connect(name, stream)
            .await
            .map_err(|error| failed(&words(&error)))?;
        let issuer = stream
            .get_ref()
            .1
            .peer_certificates()
            .and_then(<[_]>::first)
            .and_then(|leaf| x509_parser::parse_x509_certificate(leaf).ok())
            .map(|(_, leaf)| escape::clipped(&leaf.issuer().to_string(), 200));
        Ok((stream, issuer))
    }

    async fn build(&self, host: &str) -> Result<Arc<ClientConfig>, SendError> {
        let failed = |text: String| SendError::not_sent(SendKind::Configuration, host, text);
        let mut roots = self.roots.store().await;
        if let Some(path) = &self.ca_file {
            add_file(Arc::make_mut(&mut roots), path).map_err(failed)?;
        }
        if roots.is_empty() {
            return Err(failed(
                "This machine has no CA certificates; install them, or name a file with `ca_file`"
                    .to_owned(),
            ));
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn add_file(store: &mut RootCertStore, path: &Path) -> Result<(), String> {
    let name = escape::line(&path.display().to_string()).into_owned();
    let text = std::fs::read(path).map_err(|error| format!("The CA file `{name}`: {error}"))?;
    let mut found = 0;
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate =
            certificate.map_err(|_| format!("The CA file `{name}` is not whole PEM"))?;
        store
            .add(certificate)
            .map_err(|error| format!("A certificate in the CA file `{name}`: {error}"))?;
        found += 1;
    }
    if found == 0 {
        return Err(format!("The CA file `{name}` holds no PEM certificate"));
    }
    Ok(())
}

/// What a person can act on, where rustls says it; else its own words.
fn words(error: &std::io::Error) -> String {
    use rustls::{CertificateError as C, Error};
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>());
    let text = match inner {
        Some(Error::InvalidCertificate(C::UnknownIssuer)) => {
            "its certificate comes from a CA that this machine does not know"
        }
        Some(Error::InvalidCertificate(C::Expired | C::ExpiredContext { .. })) => {
            "its certificate has expired"
        }
        Some(Error::InvalidCertificate(C::NotValidYet | C::NotValidYetContext { .. })) => {
            "its certificate is not valid yet; check this machine's clock"
        }
        Some(Error::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. })) => {
            "its certificate is for another name"
        }
        Some(Error::InvalidMessage(_)) => "it does not speak TLS",
        _ if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            "the other side closed the connection during the handshake"
        }
        _ => return error.to_string(),
    };
    text.to_owned()
}
