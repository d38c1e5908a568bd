//! From an origin to a stream of bytes: TCP, and TLS where the origin says so.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use kernel::{ErrorKind, Failure, escape, failure::code};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::OnceCell,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::origin::Origin;

/// How long reaching a service may take.
const LIMIT: Duration = Duration::from_secs(15);

/// Bytes in both directions.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Reaches one origin.
pub struct Wire {
    origin: Origin,
    ca_file: Option<PathBuf>,
    tls: OnceCell<Arc<ClientConfig>>,
}

impl Wire {
    /// To that origin, trusting the machine's certificates and those in a file.
    pub fn new(origin: Origin, ca_file: Option<PathBuf>) -> Self {
        Self {
            origin,
            ca_file,
            tls: OnceCell::new(),
        }
    }

    /// Where it leads.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// A connection. Nothing of a request was sent when this fails.
    pub async fn dial(&self) -> Result<Box<dyn Duplex>, Failure> {
        let work = Box::pin(self.dial_now());
        timeout(LIMIT, work)
            .await
            .unwrap_or_else(|_| Err(self.unreachable("it did not answer in time")))
    }

    async fn dial_now(&self) -> Result<Box<dyn Duplex>, Failure> {
        let stream = self.tcp().await?;
        if !self.origin.https {
            return Ok(Box::new(stream));
        }
        let config = self.tls.get_or_try_init(|| self.config()).await?;
        let name = ServerName::try_from(self.origin.host.clone())
            .map_err(|_| self.untrusted("its name cannot stand in a certificate"))?;
        let stream = TlsConnector::from(Arc::clone(config))
            .connect(name, stream)
            .await
            .map_err(|error| self.untrusted(&error.to_string()))?;
        Ok(Box::new(stream))
    }

    async fn tcp(&self) -> Result<TcpStream, Failure> {
        let (host, port) = (self.origin.host.as_str(), self.origin.port);
        let found = tokio::net::lookup_host((host, port)).await;
        let found = found.map_err(|error| self.unreachable(&error.to_string()))?;
        // A name may lead anywhere, whatever it says.
        let mine = |address: &SocketAddr| self.origin.https || address.ip().is_loopback();
        let mut last = "the name has no address that may be used".to_owned();
        for address in found.filter(mine) {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    // A request is one small write that waits for its answer.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Err(error) => last = format!("{address}: {error}"),
            }
        }
        Err(self.unreachable(&last))
    }

    /// Reading the machine's certificates takes a moment, so it is done when they are needed.
    async fn config(&self) -> Result<Arc<ClientConfig>, Failure> {
        let ca_file = self.ca_file.clone();
        let roots = tokio::task::spawn_blocking(move || roots(ca_file.as_deref())).await;
        let roots = roots.map_err(|error| Failure::internal(error.to_string()))??;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Failure::internal(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    fn unreachable(&self, why: &str) -> Failure {
        let text = format!("the service {} cannot be reached: {why}", self.origin);
        Failure::new(ErrorKind::ServiceUnavailable, code::CONNECTION_FAILED, text)
            .status(502)
            .hint("check `--server` and whether `mailcordon serve` runs there")
    }

    fn untrusted(&self, why: &str) -> Failure {
        let text = format!("no TLS with the service {}: {why}", self.origin);
        Failure::new(ErrorKind::ServiceUnavailable, code::TLS_FAILED, text)
            .status(502)
            .hint("`--server-ca` names the certificates of an authority of your own")
    }
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, Failure> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca_file {
        let name = path.display().to_string();
        let refused = |why: String| {
            let name = escape::clipped(&name, 200);
            Failure::new(
                ErrorKind::Configuration,
                code::CONFIGURATION,
                format!("the CA file {name}: {why}"),
            )
        };
        let text = std::fs::read(path).map_err(|error| refused(error.to_string()))?;
        let before = store.len();
        for certificate in CertificateDer::pem_slice_iter(&text) {
            let certificate = certificate.map_err(|_| refused("it is not whole PEM".to_owned()))?;
            store
                .add(certificate)
                .map_err(|error| refused(error.to_string()))?;
        }
        if store.len() == before {
            return Err(refused("it holds no PEM certificate".to_owned()));
        }
    }
    if store.is_empty() {
        return Err(Failure::new(
            ErrorKind::Configuration,
            code::CONFIGURATION,
            "this machine has no CA certificates",
        )
        .hint("install them, or name a file with `--server-ca`"));
    }
    Ok(store)
}
