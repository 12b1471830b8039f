//! `listen` in `latido.cf`: the status as a page, as JSON and as metrics, over HTTP, for reading only.
//!
//! A few connections at a time, each short and bounded; nothing a client does can delay the loop or change anything.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::client::metrics::metrics;
use crate::client::text::describe;

use super::control::Asker;

const MOST_READERS: usize = 8;
const LONGEST_REQUEST: usize = 4096;
/// How long a reader may take for its request, and again for its answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Listens; must be called inside the runtime.
pub(super) fn open(address: SocketAddr, asker: Asker) -> io::Result<JoinHandle<()>> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking().cloexec(), Some(Protocol::TCP))?;
    // A daemon that was exchanged takes the port over at once.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(16)?;
    let listener = TcpListener::from_std(socket.into())?;
    Ok(tokio::spawn(listen(listener, asker)))
}

async fn listen(listener: TcpListener, asker: Asker) {
    let places = Arc::new(Semaphore::new(MOST_READERS));
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // No place left: the reader sees the connection closed.
                let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
                let asker = asker.clone();
                tokio::spawn(async move {
                    serve(stream, &asker).await;
                    drop(place);
                });
            }
            // Out of descriptors: the next attempt may find one.
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn serve(mut stream: TcpStream, asker: &Asker) {
    let Ok(Some(request)) = timeout(PATIENCE, read_request(&mut stream)).await else { return };
    let answer = answer(&request, asker).await;
    let _ = timeout(PATIENCE, async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    })
    .await;
}

/// The first line, once all lines have come; `None` for what is too long or ends early.
pub(super) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    while !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut piece = [0; 1024];
        let read = stream.read(&mut piece).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&piece[..read]);
        if bytes.len() > LONGEST_REQUEST {
            return None;
        }
    }
    let line = bytes.split(|byte| *byte == b'\r').next()?;
    Some(String::from_utf8_lossy(line).into_owned())
}

pub(super) async fn answer(request: &str, asker: &Asker) -> String {
    let mut words = request.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if method != "GET" && method != "HEAD" {
        return page("405 Method Not Allowed", "text/plain", "This page is for reading.\n", method);
    }
    let path = path.split('?').next().unwrap_or_default();
    if !["/", "/status.json", "/metrics"].contains(&path) {
        return page("404 Not Found", "text/plain", "There are /, /status.json and /metrics.\n", method);
    }
    let Some(status) = asker.status().await else {
        return page("503 Service Unavailable", "text/plain", "The daemon is ending.\n", method);
    };
    match path {
        "/status.json" => {
            page("200 OK", "application/json", &serde_json::to_string(&status).unwrap_or_default(), method)
        }
        "/metrics" => page("200 OK", "text/plain; version=0.0.4", &metrics(&status), method),
        _ => {
            let troubles = &status.troubles;
            let sign =
                if troubles.is_empty() { "healthy".to_owned() } else { format!("DEGRADED: {}", troubles.join("; ")) };
            page("200 OK", "text/plain; charset=utf-8", &format!("{sign}\n\n{}\n", describe(&status)), method)
        }
    }
}

fn page(code: &str, kind: &str, body: &str, method: &str) -> String {
    let length = body.len();
    let body = if method == "HEAD" { "" } else { body };
    format!(
        "HTTP/1.1 {code}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nCache-Control: no-store\r\n\
         Connection: close\r\n\r\n{body}"
    )
}
