//! From an origin to a stream of bytes: address, TCP, proxy, TLS.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};

use super::{
    PeerInfo,
    proxy::{Proxies, Proxy, ProxyKind},
    socks,
    tls::Tls,
};
use crate::{
    clouds::Origin,
    error::{SendError, SendKind},
};

/// Bytes in both directions.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection of any make.
pub(super) type Stream = Box<dyn Duplex>;

/// How long one of several addresses of a host may take before the next is tried.
const ONE_ADDRESS: Duration = Duration::from_secs(4);

/// Makes connections for one connection of the configuration.
#[derive(Debug)]
pub(crate) struct Dialer {
    proxies: Proxies,
    tls: Tls,
    limit: Duration,
}

impl Dialer {
    pub fn new(
        proxies: Proxies,
        roots: super::Roots,
        ca_file: Option<std::path::PathBuf>,
        limit: Duration,
    ) -> Self {
        Self {
            proxies,
            tls: Tls::new(roots, ca_file),
            limit,
        }
    }

    /// A connection to `origin`. Nothing of a request was sent when this fails.
    pub(super) async fn dial(&self, origin: &Origin) -> Result<(Stream, PeerInfo), SendError> {
        let work = Box::pin(self.dial_now(origin));
        timeout(self.limit, work).await.unwrap_or_else(|_| {
            let detail = format!("no connection within {} s", self.limit.as_secs());
            Err(SendError::not_sent(
                SendKind::Connect,
                origin.bare_host(),
                detail,
            ))
        })
    }

    async fn dial_now(&self, origin: &Origin) -> Result<(Stream, PeerInfo), SendError> {
        let host = origin.bare_host();
        let mut info = PeerInfo::default();
        let stream = match self.proxies.route(origin) {
            None => tcp(host, origin.port, host, SendKind::Dns, SendKind::Connect).await?,
            Some(proxy) => {
                info.proxy = Some(proxy.label());
                via(proxy, origin).await?
            }
        };
        if !origin.https {
            return Ok((stream, info));
        }
        let (stream, issuer) = self.tls.connect(host, stream).await?;
        info.issuer = issuer;
        Ok((Box::new(stream), info))
    }
}

async fn via(proxy: &Proxy, origin: &Origin) -> Result<Stream, SendError> {
    let target = origin.bare_host();
    let unreachable = SendKind::ProxyConnect;
    let stream = tcp(&proxy.host, proxy.port, target, unreachable, unreachable)
        .await
        .map_err(|mut error| {
            error.detail = format!(
                "The proxy {} cannot be reached: {}",
                proxy.label(),
                error.detail
            );
            error
        })?;
    match proxy.kind {
        ProxyKind::Http => super::proxy::connect(proxy, origin, stream).await,
        ProxyKind::Socks5 => socks::connect(proxy, origin, stream).await,
    }
}

/// Connects to a host by name or address; `target` is the host to name in an error.
async fn tcp(
    host: &str,
    port: u16,
    target: &str,
    unknown: SendKind,
    unreachable: SendKind,
) -> Result<Stream, SendError> {
    let addresses: Vec<SocketAddr> = match host.parse() {
        Ok(ip) => vec![SocketAddr::new(ip, port)],
        Err(_) => tokio::net::lookup_host((host, port))
            .await
            .map_err(|error| SendError::not_sent(unknown, target, error.to_string()))?
            .collect(),
    };
    let mut last = "the name has no address".to_owned();
    let count = addresses.len();
    for (index, address) in addresses.into_iter().enumerate() {
        let connecting = TcpStream::connect(address);
        let outcome = if index + 1 == count {
            connecting.await
        } else {
            timeout(ONE_ADDRESS, connecting)
                .await
                .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
        };
        match outcome {
            Ok(stream) => {
                // A request is one small write that waits for its answer.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!("TCP_NODELAY is refused: {error}");
                }
                return Ok(Box::new(stream));
            }
            Err(error) => last = format!("{address}: {error}"),
        }
    }
    Err(SendError::not_sent(unreachable, target, last))
}
