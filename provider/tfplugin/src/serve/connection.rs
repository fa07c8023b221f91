//! Connections: accepted from the socket, encrypted where asked for, handed to the gRPC server.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Connected;

/// Connections that wait for the gRPC server. Terraform makes one; when full, further ones wait in the kernel.
const WAITING: usize = 8;

/// A client on the same machine has said hello long before; one that has not is none.
const HELLO: Duration = Duration::from_secs(10);

/// Accepts until `done`; a client whose handshake fails is logged and forgotten.
pub(super) fn accept(
    listener: UnixListener,
    tls: Option<TlsAcceptor>,
    done: CancellationToken,
) -> mpsc::Receiver<io::Result<Connection>> {
    let (sender, receiver) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        loop {
            let stream = tokio::select! {
                () = done.cancelled() => return,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        tracing::error!(%error, "socket broken, no new connections");
                        return;
                    }
                },
            };
            // On a task of its own: a client that never says hello keeps no other waiting.
            let (tls, sender) = (tls.clone(), sender.clone());
            tokio::spawn(async move {
                match encrypt(stream, tls).await {
                    // The receiver is gone only when the server has ended.
                    Ok(connection) => drop(sender.send(Ok(connection)).await),
                    Err(error) => tracing::warn!(%error, "connection refused"),
                }
            });
        }
    });
    receiver
}

async fn encrypt(stream: UnixStream, tls: Option<TlsAcceptor>) -> io::Result<Connection> {
    let Some(acceptor) = tls else { return Ok(Connection::Plain(stream)) };
    let stream = tokio::time::timeout(HELLO, acceptor.accept(stream)).await??;
    Ok(Connection::Encrypted(Box::new(stream)))
}

/// A connection with or without TLS.
pub(super) enum Connection {
    Encrypted(Box<TlsStream<UnixStream>>),
    Plain(UnixStream),
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Encrypted(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Encrypted(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Encrypted(stream) => Pin::new(stream).poll_flush(cx),
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Encrypted(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
