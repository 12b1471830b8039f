//! `listen` in `latido.cf`: the status as a page, as JSON and as metrics, over HTTP, for reading only.
//!
//! A few connections at a time, each short and bounded; nothing a reader does can delay the loop or change anything. Who
//! says nothing makes room for who asks. A page of somebody else, whose name his resolver turns into our address, may not
//! read ours through an administrator's browser: a `Host` that is neither an address nor a name of this machine is refused.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::names::NodeName;
use crate::status::metrics::metrics;
use crate::status::text::describe;

use super::connection_limit::{ConnectionLimit, Slot, Standing};
use super::question::QuestionSender;

const MOST_READERS: usize = 16;
/// So many at a time from one address, or one network of IPv6.
const SHARE: usize = 6;
const LONGEST_REQUEST: usize = 4096;
/// How long a reader may take for its request, and again for its answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Listens; must be called inside the runtime.
pub(crate) fn open(address: SocketAddr, me: &NodeName, questions: QuestionSender) -> io::Result<JoinHandle<()>> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking().cloexec(), Some(Protocol::TCP))?;
    // A daemon that was exchanged takes the port over at once.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(16)?;
    let listener = TcpListener::from_std(socket.into())?;
    Ok(tokio::spawn(listen(listener, own_names(me), questions)))
}

async fn listen(listener: TcpListener, names: Vec<String>, questions: QuestionSender) {
    let limit = ConnectionLimit::new(MOST_READERS, 0, SHARE);
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                // No place left: the reader sees the connection closed.
                let Some(slot) = limit.admit(network(from.ip()), false) else { continue };
                let (questions, names) = (questions.clone(), names.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        () = serve(stream, &questions, &names, &slot) => {}
                        () = slot.out() => {}
                    }
                });
                // What it asks is read before the next one is let in.
                tokio::task::yield_now().await;
            }
            // Out of descriptors: the next attempt may find one.
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Who may choose among the addresses of a network is one reader.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// The names this machine goes by, in lower case: its own, and what `/etc/hosts` calls it besides.
fn own_names(me: &NodeName) -> Vec<String> {
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    names_of(&nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default(), me, &hosts)
}

fn names_of(host: &str, me: &NodeName, hosts: &str) -> Vec<String> {
    let (full, hosts) = (host.to_ascii_lowercase(), hosts.to_ascii_lowercase());
    let short = full.split('.').next().unwrap_or_default().to_owned();
    let mut names = vec!["localhost".to_owned(), me.as_str().to_ascii_lowercase(), full, short];
    names.retain(|name| !name.is_empty());
    for line in hosts.lines() {
        let words: Vec<&str> = line.split('#').next().unwrap_or_default().split_whitespace().skip(1).collect();
        if words.iter().any(|word| names[1..].iter().any(|name| name == word)) {
            names.extend(words.into_iter().map(str::to_owned));
        }
    }
    names
}

async fn serve(mut stream: TcpStream, questions: &QuestionSender, names: &[String], slot: &Slot<IpAddr>) {
    let Ok(Some(request)) = timeout(PATIENCE, read_request(&mut stream)).await else { return };
    slot.set(Standing::Busy);
    let answer = if is_for_us(&request, names) {
        answer(request.lines().next().unwrap_or_default(), questions).await
    } else {
        let why = "This page answers to the address or the name of this machine only.\n";
        page("421 Misdirected Request", "text/plain", why, request.split(' ').next().unwrap_or_default())
    };
    // Who does not read his answer is as silent as who asks nothing.
    slot.set(Standing::Silent);
    let _ = timeout(PATIENCE, async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    })
    .await;
}

/// Whether each `Host` names an address or this machine. Programs that send none are no browsers.
pub(crate) fn is_for_us(request: &str, names: &[String]) -> bool {
    let hosts = request.lines().skip(1).filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("host").then(|| value.trim())
    });
    // What a proxy would be asked for names the host in its first line.
    let target = request.lines().next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
    target.starts_with('/') && hosts.into_iter().all(|host| is_ours(host, names))
}

fn is_ours(host: &str, names: &[String]) -> bool {
    if host.parse::<IpAddr>().is_ok() || host.parse::<SocketAddr>().is_ok() {
        return true;
    }
    if let Some(inside) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return inside.parse::<Ipv6Addr>().is_ok();
    }
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        Some(_) => return false,
        None => host,
    };
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name.parse::<Ipv4Addr>().is_ok() || names.contains(&name)
}

/// The lines, once all have come; `None` for what is too long or ends early.
pub(crate) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    while !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut piece = [0; 1024];
        let read = stream.read(&mut piece).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&piece[..read]);
        if bytes.len() > LONGEST_REQUEST {
            return None;
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

pub(crate) async fn answer(request: &str, questions: &QuestionSender) -> String {
    let mut words = request.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if method != "GET" && method != "HEAD" {
        return page("405 Method Not Allowed", "text/plain", "This page is for reading.\n", method);
    }
    let path = path.split('?').next().unwrap_or_default();
    if !["/", "/status.json", "/metrics"].contains(&path) {
        return page("404 Not Found", "text/plain", "There are /, /status.json and /metrics.\n", method);
    }
    let Some(status) = questions.status().await else {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_an_address_or_a_name_of_this_machine() {
        let names = ["localhost".to_owned(), "alpha.example.org".to_owned(), "alpha".to_owned()];
        let good =
            ["10.0.0.1", "10.0.0.1:8080", "[fe80::1]", "[::1]:80", "localhost:1", "ALPHA", "alpha.example.org.:9"];
        good.into_iter().for_each(|host| assert!(is_ours(host, &names), "{host}"));
        let bad =
            ["evil.example", "10.0.0.1.evil.example", "localhost.evil.example:80", "", ":80", "alpha:x", "[x]", "a b"];
        bad.into_iter().for_each(|host| assert!(!is_ours(host, &names), "{host}"));
    }

    #[test]
    fn this_machine_is_called_what_etc_hosts_calls_it() {
        let hosts =
            "127.0.0.1 localhost\n10.0.0.1 pbx1.example.org PBX1 phone # evil\n10.0.0.2 pbx2.example.org pbx2\n";
        let names = names_of("pbx1", &NodeName::new("pbx1").unwrap(), hosts);
        assert!(
            ["pbx1", "pbx1.example.org", "phone", "localhost"].iter().all(|name| is_ours(name, &names)),
            "{names:?}"
        );
        assert!(["pbx2", "evil", "pbx1.evil.org"].iter().all(|name| !is_ours(name, &names)), "{names:?}");
    }

    #[test]
    fn every_host_line_counts_and_one_in_the_first_line_is_for_a_proxy() {
        let names = ["localhost".to_owned()];
        let asked = |text: &str| is_for_us(text, &names);
        assert!(asked("GET / HTTP/1.0\r\n\r\n") && asked("GET / HTTP/1.1\r\nhOsT: localhost:80\r\n\r\n"));
        assert!(!asked("GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n"));
        assert!(!asked("GET / HTTP/1.1\r\nHost : evil\r\n\r\n"));
        assert!(!asked("GET http://evil/ HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    }

    #[test]
    fn a_network_of_ipv6_is_one_reader() {
        let at = |text: &str| network(text.parse().unwrap());
        assert_eq!(at("2001:db8::1"), at("2001:db8::ffff:2"));
        assert_ne!(at("2001:db8::1"), at("2001:db8:0:1::1"));
        assert_eq!(at("::ffff:10.0.0.1"), at("10.0.0.1"));
        assert_ne!(at("10.0.0.1"), at("10.0.0.2"));
    }
}
