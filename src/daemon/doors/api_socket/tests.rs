//! Connections at a socket of our own: credentials, frames in crumbs, false headers, slow readers.

use std::os::unix::fs::PermissionsExt as _;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

struct Rig {
    dir: tempfile::TempDir,
    path: PathBuf,
    socket: ApiSocket,
}

fn rig() -> Rig {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("register");
    let socket = ApiSocket::open(&path, dir.path()).unwrap();
    Rig { dir, path, socket }
}

impl Rig {
    /// The next event that is no audit.
    async fn next(&mut self) -> SocketEvent {
        loop {
            let heard = self.socket.next().await;
            if !matches!(heard, SocketEvent::Audit) {
                return heard;
            }
        }
    }

    async fn connect(&mut self) -> (ClientId, UnixStream) {
        let stream = UnixStream::connect(&self.path).await.unwrap();
        let SocketEvent::Connected { client, caller, connection } = self.next().await else { panic!("no connection") };
        assert_eq!(caller.pid, std::process::id());
        assert_eq!(caller.uid, nix::unistd::geteuid().as_raw());
        self.socket.keep(client, connection);
        (client, stream)
    }
}

#[tokio::test]
async fn anyone_may_connect_and_is_known_by_the_kernels_word() {
    let mut rig = rig();
    assert_eq!(fs::metadata(&rig.path).unwrap().permissions().mode() & 0o777, 0o777);
    let (client, mut stream) = rig.connect().await;
    // In crumbs, and two frames in one write.
    let bytes = [frame::frame(b"one"), frame::frame(b"two")].concat();
    stream.write_all(&bytes[..5]).await.unwrap();
    stream.write_all(&bytes[5..]).await.unwrap();
    for expected in [b"one", b"two"] {
        let SocketEvent::Body { client: from, body } = rig.next().await else { panic!("no body") };
        assert_eq!((from, body.as_slice()), (client, expected.as_slice()));
        // The second waits until the first is done.
        tokio::select! {
            biased;
            heard = rig.socket.next() => assert!(matches!(heard, SocketEvent::Audit), "{heard:?}"),
            () = tokio::task::yield_now() => {}
        }
        rig.socket.go_on(client);
    }
    assert_eq!(rig.socket.say(client, &parcel(b"answer")), Ok(()));
    let mut answer = [0; 14];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer[8..], b"answer");
    drop(stream);
    let SocketEvent::Gone { client: gone, why: CloseReason::Eof } = rig.next().await else { panic!("no end") };
    assert_eq!(gone, client);
}

#[tokio::test]
async fn a_header_that_claims_too_much_ends_that_connection_alone() {
    let mut rig = rig();
    let (other, mut second) = rig.connect().await;
    for (length, magic) in [(300_000_i32, 0xabcd_u32), (-1, 0xabcd), (20_000, 0xabcd), (4, 0x1234)] {
        let (client, mut stream) = rig.connect().await;
        stream.write_all(&[length.to_ne_bytes(), magic.to_ne_bytes()].concat()).await.unwrap();
        let SocketEvent::Gone { client: gone, why: CloseReason::Rubbish(_) } = rig.next().await else {
            panic!("it was accepted")
        };
        assert_eq!(gone, client);
        rig.socket.cut(client);
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap_or(0), 0);
    }
    second.write_all(&frame::frame(b"x")).await.unwrap();
    assert!(matches!(rig.next().await, SocketEvent::Body { client, .. } if client == other));
}

#[tokio::test]
async fn only_who_may_sends_long_bodies() {
    let mut rig = rig();
    let (client, mut stream) = rig.connect().await;
    rig.socket.limit(client, Limits { queue: 64, body: crate::api::MAX_BODY });
    stream.write_all(&frame::frame(&vec![b'x'; 100_000])).await.unwrap();
    assert!(matches!(rig.next().await, SocketEvent::Body { body, .. } if body.len() == 100_000));
}

#[tokio::test]
async fn who_does_not_read_is_noticed_and_nobody_waits_for_it() {
    let mut rig = rig();
    let (client, mut stream) = rig.connect().await;
    let news = parcel(&[b'x'; 600]);
    let mut said = 0;
    let why = loop {
        match rig.socket.say(client, &news) {
            Ok(()) => said += 1,
            Err(why) => break why,
        }
        // Lets the connection's own task fill the kernel's buffer.
        tokio::task::yield_now().await;
        assert!(said < 5000, "a queue without end");
    };
    assert_eq!(why, CloseReason::Slow { waiting: 64, most: 64 });
    rig.socket.cut(client);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(!rest.is_empty() && rest.len() <= said * news.len());
}

#[tokio::test]
async fn what_was_said_before_the_end_still_arrives() {
    let mut rig = rig();
    let (client, mut stream) = rig.connect().await;
    rig.socket.say(client, &parcel(b"refused")).unwrap();
    rig.socket.close(client);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert_eq!(&rest[8..], b"refused");
}

#[tokio::test]
async fn where_there_is_no_place_left_the_one_who_has_been_silent_for_longest_goes() {
    let mut rig = rig();
    let mut streams = Vec::new();
    for _ in 0..connection_limit::affordable(MOST_CONNECTIONS) {
        streams.push(rig.connect().await);
    }
    // Who is signed on stays, however silent.
    rig.socket.is_known(streams[0].0);
    let mut late = UnixStream::connect(&rig.path).await.unwrap();
    late.write_all(&frame::frame(b"x")).await.unwrap();
    let (mut gone, mut heard) = (None, false);
    while gone.is_none() || !heard {
        match rig.next().await {
            SocketEvent::Gone { client, .. } => gone = Some(client),
            SocketEvent::Connected { client, connection, .. } => rig.socket.keep(client, connection),
            SocketEvent::Body { .. } => heard = true,
            SocketEvent::Audit => {}
        }
    }
    assert_eq!(gone, Some(streams[1].0));
}

#[tokio::test(start_paused = true)]
async fn whoever_never_signs_on_is_sent_away_by_the_audit() {
    let mut rig = rig();
    let (client, _stream) = rig.connect().await;
    for _ in 0..MOST_AUDITS {
        assert_eq!(rig.socket.audit(|_| false), []);
    }
    assert_eq!(rig.socket.audit(|_| true), []);
    assert!(matches!(rig.socket.audit(|_| false)[..], [(gone, CloseReason::Rubbish(_))] if gone == client));
    assert!(matches!(rig.socket.next().await, SocketEvent::Audit));
}

#[tokio::test]
async fn the_socket_goes_with_the_daemon_and_a_leftover_is_replaced() {
    let rig = rig();
    let path = rig.path.clone();
    let again = ApiSocket::open(&path, rig.dir.path()).unwrap();
    drop(rig.socket);
    drop(again);
    assert!(!path.exists());
}
