//! TLS of the listener.

use std::sync::Arc;

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio_rustls::TlsAcceptor;

use crate::{ServeError, TlsFiles};

/// Reads certificate chain and key.
pub(crate) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, ServeError> {
    let unusable = |what: &str, path: &std::path::Path, why: String| {
        ServeError::Tls(format!("{what} {} cannot be used: {why}", path.display()))
    };
    let path = &files.certificates;
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| unusable("the certificate file", path, error.to_string()))?;
    if chain.is_empty() {
        let why = "there is no certificate in it".to_owned();
        return Err(unusable("the certificate file", path, why));
    }
    let key = PrivateKeyDer::from_pem_slice(files.key_pem.expose().as_bytes())
        .map_err(|error| unusable("the key file", &files.key, error.to_string()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ServeError::Tls(error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| unusable("the certificate file", path, error.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
