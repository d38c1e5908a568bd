//! Connections: accepting them, serving HTTP/1.1 on them, and ending one with a reset.

use std::{
    convert::Infallible,
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

use crate::body::Answer;

/// The service wants the connection to die without (another) answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is reset by a fault")]
pub(crate) struct Gone;

/// Says to the socket under a connection that its end is a reset.
#[derive(Debug, Clone, Default)]
pub(crate) struct ResetSwitch(Arc<AtomicBool>);

impl ResetSwitch {
    /// From now on the end of the connection is a reset.
    pub(crate) fn arm(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A TCP connection whose end may be a reset instead of a proper close.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    reset: ResetSwitch,
}

impl Wire {
    /// Wraps an accepted connection.
    pub(crate) fn new(stream: TcpStream) -> (Self, ResetSwitch) {
        let reset = ResetSwitch::default();
        (
            Self {
                stream,
                reset: reset.clone(),
            },
            reset,
        )
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.reset.0.load(Ordering::SeqCst) {
            // Without lingering the kernel sends RST and drops what the peer has not read.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// Serves requests on one connection until it ends.
pub(crate) async fn serve_connection<IO, H, F>(io: IO, handler: H)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Fn(Request<Incoming>) -> F + Send,
    F: Future<Output = Result<Answer, Gone>> + Send,
{
    let mut builder = http1::Builder::new();
    // The sandbox writes its own Date, and has no timer for slow heads: it listens on loopback.
    builder
        .auto_date_header(false)
        .header_read_timeout(None)
        .preserve_header_case(false);
    let served = builder
        .serve_connection(TokioIo::new(io), service_fn(handler))
        .with_upgrades()
        .await;
    if let Err(error) = served {
        tracing::trace!(%error, "a connection ended early");
    }
}

/// Accepts connections until told to stop, then drops those still open.
pub(crate) async fn accept<H, F>(
    listener: TcpListener,
    mut stop: watch::Receiver<bool>,
    on_connection: H,
) where
    H: Fn(Wire, ResetSwitch) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            _ = stop.changed() => break,
            Some(_) = open.join_next(), if !open.is_empty() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let _ = stream.set_nodelay(true);
                let (wire, reset) = Wire::new(stream);
                open.spawn(on_connection(wire, reset));
            }
            Err(error) => tracing::debug!(%error, "a connection could not be accepted"),
        }
    }
    open.shutdown().await;
}

/// What a handler that never resets gives.
pub(crate) fn fine(answer: Answer) -> Result<Answer, Gone> {
    Ok::<_, Infallible>(answer).map_err(|never| match never {})
}
