//! Asking a service whether it works (`latido.cf`, `monitor … with`): a TCP connection, a SIP `OPTIONS`, a program.
//!
//! The SIP request is what RFC 3261 11.1 asks for, with a `Contact` the server can answer to; any answer will do, for
//! one that refuses is alive.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::net::{TcpStream, UdpSocket, lookup_host};
use tokio::time::{sleep, timeout};

use crate::cluster::Probe;
use crate::daemon::life::identity::random_seed;
use crate::daemon::programs::children::Ended;
use crate::haresources::{Exit, Outcome};
use crate::host::lookup::Call;
use crate::host::script::Output;
use crate::host::trust;
use crate::names::JobId;

use super::{Driver, carrier};

/// RFC 3261 17.1.2.2: an unreliable request is repeated after T1, then ever more slowly.
const T1: Duration = Duration::from_millis(500);

impl Driver {
    /// Asks; the answer comes as the end of the job.
    pub(crate) fn probe(&mut self, job: JobId, probe: Probe, limit: Duration) {
        let refused = match probe {
            // The core runs the script itself.
            Probe::Status => Some("a status is not a probe".to_owned()),
            Probe::Tcp(target) => {
                self.children.spawn(async move { Ended::Resource(job, within(limit, tcp(&target)).await) });
                None
            }
            Probe::Sip(target) => {
                self.children.spawn(async move { Ended::Resource(job, within(limit, sip(&target)).await) });
                None
            }
            Probe::Carrier(address) => {
                self.children.spawn(async move { Ended::Resource(job, within(limit, carrier(address)).await) });
                None
            }
            Probe::Command(words) => self.probe_with_command(job, &words, limit).err(),
        };
        if let Some(why) = refused {
            self.soon_done(job, Outcome::not_found(why));
        }
    }

    fn probe_with_command(&mut self, job: JobId, words: &[String], limit: Duration) -> Result<(), String> {
        let Some((program, rest)) = words.split_first() else { return Err("an empty command".to_owned()) };
        trust::refuse(Path::new(program))?;
        let call = Call { program: program.into(), name: None, arguments: rest.iter().map(Into::into).collect() };
        let ended = move |outcome| Ended::Resource(job, outcome);
        let result = self.children.start_job(job, &call, Output::Kept, limit, &self.environment, ended);
        result.map(drop).map_err(|error| format!("cannot run {program}: {error}"))
    }
}

async fn within(limit: Duration, asking: impl Future<Output = Result<String, String>>) -> Outcome {
    match timeout(limit, asking).await {
        Ok(Ok(said)) => Outcome { exit: Exit::Code(0), said },
        Ok(Err(said)) => Outcome { exit: Exit::Code(1), said },
        Err(_) => Outcome { exit: Exit::TimedOut, said: format!("no answer within {} ms", limit.as_millis()) },
    }
}

/// The kernel answers within two seconds or not at all, and is not waited for on the loop.
async fn carrier(address: String) -> Result<String, String> {
    let looked = tokio::task::spawn_blocking(move || carrier::of_address(&address)).await;
    looked.unwrap_or_else(|error| Err(error.to_string()))
}

async fn address(target: &str) -> Result<SocketAddr, String> {
    let mut found = lookup_host(target).await.map_err(|error| format!("{target}: {error}"))?;
    found.next().ok_or_else(|| format!("{target} has no address"))
}

async fn tcp(target: &str) -> Result<String, String> {
    TcpStream::connect(target).await.map(|_| "connected".to_owned()).map_err(|error| format!("{target}: {error}"))
}

async fn sip(target: &str) -> Result<String, String> {
    let to = address(target).await?;
    let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let said = |error: std::io::Error| format!("{target}: {error}");
    let socket = UdpSocket::bind(any).await.map_err(said)?;
    socket.connect(to).await.map_err(said)?;
    let own = socket.local_addr().map_err(said)?;
    let id = random_seed().map_err(said)?;
    let request = options_request(to, own, id);
    let mut pause = T1;
    let mut answer = [0; 2048];
    loop {
        socket.send(request.as_bytes()).await.map_err(said)?;
        let mut patience = std::pin::pin!(sleep(pause));
        // What is no answer to us is no reason to ask again sooner.
        loop {
            tokio::select! {
                received = socket.recv(&mut answer) => {
                    let text = String::from_utf8_lossy(&answer[..received.map_err(said)?]).into_owned();
                    if is_answer(&text, id) {
                        return Ok(text.lines().next().unwrap_or_default().to_owned());
                    }
                }
                () = &mut patience => break,
            }
        }
        pause *= 2;
    }
}

fn options_request(to: SocketAddr, own: SocketAddr, id: u64) -> String {
    format!(
        "OPTIONS sip:{to} SIP/2.0\r\n\
         Via: SIP/2.0/UDP {own};branch=z9hG4bK{id:016x};rport\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:latido@{own}>;tag={id:x}\r\n\
         To: <sip:{to}>\r\n\
         Call-ID: {id:016x}@{}\r\n\
         CSeq: 1 OPTIONS\r\n\
         Contact: <sip:latido@{own}>\r\n\
         Accept: application/sdp\r\n\
         User-Agent: latido\r\n\
         Content-Length: 0\r\n\r\n",
        own.ip()
    )
}

/// A final or provisional answer to our own question, not somebody else's packet.
pub(crate) fn is_answer(text: &str, id: u64) -> bool {
    text.starts_with("SIP/2.0 ") && text.contains(&format!("{id:016x}@"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_has_every_header_a_server_insists_on() {
        let text = options_request("10.0.0.1:5060".parse().unwrap(), "10.0.0.2:40000".parse().unwrap(), 7);
        for header in
            ["Via:", "Max-Forwards:", "From:", "To:", "Call-ID:", "CSeq:", "Contact: <sip:latido@10.0.0.2:40000>"]
        {
            assert!(text.contains(header), "{header}");
        }
        assert!(text.ends_with("\r\n\r\n"));
    }

    #[tokio::test]
    async fn any_answer_to_our_own_question_will_do_and_nothing_else() {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let target = server.local_addr().unwrap().to_string();
        let answering = async {
            let mut bytes = [0; 2048];
            let (n, from) = server.recv_from(&mut bytes).await.unwrap();
            let request = String::from_utf8_lossy(&bytes[..n]).into_owned();
            let call = request.lines().find(|line| line.starts_with("Call-ID")).unwrap().to_owned();
            server.send_to(b"SIP/2.0 200 OK\r\nCall-ID: 00@x\r\n\r\n", from).await.unwrap();
            server.recv_from(&mut bytes).await.unwrap();
            server
                .send_to(format!("SIP/2.0 503 Service Unavailable\r\n{call}\r\n\r\n").as_bytes(), from)
                .await
                .unwrap();
        };
        let (said, ()) = tokio::join!(sip(&target), answering);
        assert_eq!(said.unwrap(), "SIP/2.0 503 Service Unavailable");
    }

    #[tokio::test]
    async fn a_flood_of_other_packets_makes_us_ask_no_more_often() {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let target = server.local_addr().unwrap().to_string();
        let flooding = async {
            let mut bytes = [0; 2048];
            let (n, from) = server.recv_from(&mut bytes).await.unwrap();
            let first = String::from_utf8_lossy(&bytes[..n]).into_owned();
            for _ in 0..1000 {
                server.send_to(b"SIP/2.0 200 OK\r\nCall-ID: 00@x\r\n\r\n", from).await.unwrap();
                tokio::task::yield_now().await;
            }
            let mut asked = 1;
            while server.try_recv_from(&mut bytes).is_ok() {
                asked += 1;
            }
            let call = first.lines().find(|line| line.starts_with("Call-ID")).unwrap();
            server.send_to(format!("SIP/2.0 200 OK\r\n{call}\r\n\r\n").as_bytes(), from).await.unwrap();
            asked
        };
        let (said, asked) = tokio::join!(sip(&target), flooding);
        assert_eq!(said.unwrap(), "SIP/2.0 200 OK");
        assert!(asked < 10, "asked {asked} times");
    }

    #[tokio::test]
    async fn a_port_nobody_listens_at_does_not_work() {
        let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
        assert!(tcp(&gone).await.is_err());
        assert!(sip(&gone).await.is_err());
    }
}
