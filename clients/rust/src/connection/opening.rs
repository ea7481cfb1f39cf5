//! Waiting for the first words of a server, as gRPC does before it calls a connection ready.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

use super::unreachable::Unreachable;

/// The type of a frame of HTTP/2 is its fourth byte, and the first frame of a server has the type SETTINGS.
const TYPE_AT: usize = 3;
const SETTINGS: u8 = 4;

/// A stream that says when the server has begun to speak HTTP/2.
///
/// TLS of version 1.3 is ready for the client before the server has seen its certificate, and a plaintext connection is
/// ready before anything was said. So only the server's first frame shows that calls can be sent.
pub(crate) struct Opening<S> {
    stream: S,
    first: Vec<u8>,
    opened: Option<oneshot::Sender<Result<(), Unreachable>>>,
}

impl<S> Opening<S> {
    /// Returns the stream, and what reports how the connection began.
    pub(crate) fn new(stream: S) -> (Self, oneshot::Receiver<Result<(), Unreachable>>) {
        let (opened, opening) = oneshot::channel();
        (Self { stream, first: Vec::new(), opened: Some(opened) }, opening)
    }

    fn note(&mut self, read: Result<&[u8], &io::Error>) {
        if self.opened.is_none() {
            return;
        }
        let outcome = match read {
            Err(error) => Err(Unreachable::handshake(error)),
            Ok([]) => Err(Unreachable::closed()),
            Ok(bytes) => {
                self.first.extend(bytes.iter().take(TYPE_AT + 1 - self.first.len()));
                match self.first.get(TYPE_AT) {
                    None => return,
                    Some(&SETTINGS) => Ok(()),
                    Some(_) => Err(Unreachable::other_protocol(&self.first)),
                }
            }
        };
        // Who waited may have gone.
        let _ = self.opened.take().map(|opened| opened.send(outcome));
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Opening<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = into.filled().len();
        let read = ready!(Pin::new(&mut this.stream).poll_read(context, into));
        match &read {
            Ok(()) => this.note(Ok(&into.filled()[before..])),
            Err(error) => this.note(Err(error)),
        }
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Opening<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// Returns what is said of a connection whose server sends these bytes one by one, and closes.
    async fn opened(bytes: &'static [u8]) -> Option<Result<(), Unreachable>> {
        let (client, mut server) = duplex(1);
        let (mut stream, mut opening) = Opening::new(client);
        let sends = async move { server.write_all(bytes).await };
        let reads = async { stream.read_to_end(&mut Vec::new()).await };
        let _ = tokio::join!(sends, reads);
        opening.try_recv().ok()
    }

    #[tokio::test]
    async fn the_first_frame_of_settings_opens_it() {
        assert!(matches!(opened(&[0, 0, 18, 4, 0, 0]).await, Some(Ok(()))));
    }

    #[tokio::test]
    async fn anything_else_does_not() {
        for bytes in [&b""[..], &[0, 0][..], &[21, 3, 3, 0, 2][..], b"HTTP/1.1 400"] {
            assert!(matches!(opened(bytes).await, Some(Err(_))), "{bytes:?}");
        }
    }
}
