//! Taking connections until told to stop.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, response::Response};
use engine::Cancel;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
    service::TowerToHyperService,
};
use kernel::Clock;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    ServerOptions, app::App, health::Ready, metrics, rate::Rate, record::Record, reply,
    table::Table, tls,
};

/// How long a client may take for the head of a request, and for the TLS handshake.
const HEAD: Duration = Duration::from_secs(10);
/// The largest head of a request, in bytes.
const LARGEST_HEAD: usize = 64 * 1024;
/// How long requests that are under way may still take after the stop.
const GRACE: Duration = Duration::from_secs(10);
/// A pause after a socket that could not be taken.
const AFTER_ERROR: Duration = Duration::from_millis(100);

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is open to others and nothing encrypts.
    #[error("{0} is not a loopback address: give TLS files, or say that a proxy in front does TLS")]
    NotLoopback(SocketAddr),
    /// The address of the metrics is open to others, and nothing encrypts there.
    #[error(
        "{0} is not a loopback address, and the listener for metrics has no TLS of its own: say that a proxy in front does TLS"
    )]
    MetricsNotLoopback(SocketAddr),
    /// Certificate or key cannot be used.
    #[error("{0}")]
    Tls(String),
    /// The listener is unusable.
    #[error("the listener cannot be used: {0}")]
    Listener(#[from] std::io::Error),
}

/// The service over HTTP.
pub struct Server {
    app: Arc<App>,
    router: Router,
    tls: Option<TlsAcceptor>,
    behind_proxy: bool,
    metrics_listener: Option<TcpListener>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

impl Server {
    /// A server. Nothing is opened yet.
    ///
    /// # Errors
    ///
    /// The TLS files cannot be used.
    pub fn new(options: ServerOptions) -> Result<Self, ServeError> {
        let table = Table::new();
        let tls = options.tls.as_ref().map(tls::acceptor).transpose()?;
        let app = Arc::new(App {
            record: Record::new(options.store),
            workers: options.workers,
            connections: options.connections,
            rate: Rate::new(&options.limits, Arc::clone(&options.clock)),
            clock: options.clock,
            streams: Arc::new(Semaphore::new(options.limits.streams)),
            limits: options.limits,
            metrics: options.metrics,
            stopping: Cancel::default(),
            ready: Ready::default(),
            version: options.version,
            document: table.document().to_string().into(),
        });
        Ok(Self {
            router: table.router(&app),
            app,
            tls,
            behind_proxy: options.behind_proxy,
            metrics_listener: options.metrics_listener,
        })
    }

    /// Serves until `shutdown` ends; then takes no more connections, ends waits and streams, and
    /// lets what is under way come to its end for a while. [`engine::Workers::stop`] is the
    /// caller's, after this.
    ///
    /// # Errors
    ///
    /// The address is not a loopback one, and there is neither TLS nor a proxy that does it; or that
    /// of the metrics is not, where only a proxy can do it.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), ServeError> {
        let address = listener.local_addr()?;
        if !address.ip().is_loopback() && self.tls.is_none() && !self.behind_proxy {
            return Err(ServeError::NotLoopback(address));
        }
        if let Some(metrics) = &self.metrics_listener {
            let address = metrics.local_addr()?;
            if !address.ip().is_loopback() && !self.behind_proxy {
                return Err(ServeError::MetricsNotLoopback(address));
            }
        }
        let limit = Arc::new(Semaphore::new(self.app.limits.sockets));
        let main = Accepting {
            router: self.router,
            tls: self.tls,
            graceful: GracefulShutdown::new(),
            limit: Arc::clone(&limit),
            clock: Arc::clone(&self.app.clock),
        };
        let scrapes = Accepting {
            router: scrape_router(&self.app),
            tls: None,
            graceful: GracefulShutdown::new(),
            limit,
            clock: Arc::clone(&self.app.clock),
        };
        tokio::select! {
            () = main.accept(&listener) => {}
            () = scrapes.accept_some(self.metrics_listener.as_ref()) => {}
            () = shutdown => {}
        }
        drop(listener);
        self.app.stopping.cancel();
        let rest = async {
            tokio::join!(main.graceful.shutdown(), scrapes.graceful.shutdown());
        };
        tokio::select! {
            () = rest => {}
            () = self.app.clock.sleep(GRACE) => {
                tracing::warn!("requests were under way for too long and were cut off");
            }
        }
        Ok(())
    }
}

/// One listener's side.
struct Accepting {
    router: Router,
    tls: Option<TlsAcceptor>,
    graceful: GracefulShutdown,
    limit: Arc<Semaphore>,
    clock: Arc<dyn Clock>,
}

impl Accepting {
    async fn accept_some(&self, listener: Option<&TcpListener>) {
        match listener {
            Some(listener) => self.accept(listener).await,
            None => std::future::pending().await,
        }
    }

    async fn accept(&self, listener: &TcpListener) {
        loop {
            let Ok(permit) = Arc::clone(&self.limit).acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((stream, _)) => self.take(stream, permit),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be taken");
                    self.clock.sleep(AFTER_ERROR).await;
                }
            }
        }
    }

    fn take(&self, stream: TcpStream, permit: OwnedSemaphorePermit) {
        let _ = stream.set_nodelay(true);
        let router = self.router.clone();
        let watcher = self.graceful.watcher();
        let Some(tls) = self.tls.clone() else {
            tokio::spawn(talk(stream, router, watcher, permit));
            return;
        };
        let clock = Arc::clone(&self.clock);
        tokio::spawn(async move {
            tokio::select! {
                shaken = tls.accept(stream) => match shaken {
                    Ok(stream) => talk(stream, router, watcher, permit).await,
                    Err(error) => tracing::debug!(%error, "a TLS handshake failed"),
                },
                () = clock.sleep(HEAD) => {}
            }
        });
    }
}

/// Answers the requests of one connection.
async fn talk<S>(stream: S, router: Router, watcher: Watcher, permit: OwnedSemaphorePermit)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(LARGEST_HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection broke");
    }
    drop(permit);
}

/// What a listener of its own for metrics answers.
fn scrape_router(app: &Arc<App>) -> Router {
    let app = Arc::clone(app);
    let scrape = move || async move {
        match metrics::render(&app).await {
            Ok(text) => reply::with(200, "text/plain", Body::from(text)),
            Err(error) => {
                tracing::error!(%error, "metrics could not be made");
                let mut response = Response::new(Body::empty());
                *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
                response
            }
        }
    };
    Router::new().route("/metrics", axum::routing::get(scrape))
}
