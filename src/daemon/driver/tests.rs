//! The real loop, with real scripts and sockets in a directory, over cables inside this process.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::task::{JoinHandle, LocalSet, spawn_local};

use crate::auth::{KeyId, Keyring, Method};
use crate::cluster::EventName;
use crate::daemon::life::own_supervisor::CoreStart;
use crate::daemon::terms::Terms;
use crate::daemon::writing::logging::Terminal;
use crate::host::read_config;
use crate::link::{CableFault, MemoryMedium, memory_pair};
use crate::names::{MediumId, NodeName};
use crate::paths::Paths;
use crate::record::{Player, ShowLevel};
use crate::status::{Answer, Ask, Status};
use crate::wire::{Form, Message, seal};

use super::super::start::assemble;
use super::*;

/// How long anything here may take on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(20);

const HA_CF: &str = "keepalive 50ms\ndeadtime 1\nwarntime 600ms\ninitdead 2\nbcast eth0\nserial /dev/ttyS0\n\
    auto_failback on\nnode alpha beta\n";
const HARESOURCES: &str = "alpha web\nbeta mail\n";
const SCRIPT: &str = "#!/bin/sh\ncd \"${0%/*}/..\" || exit 9\nname=${0##*/}\necho \"$name $1\" >>calls\n\
    case $1 in start) : >\"up-$name\" ;; stop) rm -f \"up-$name\" ;;\n\
    *) if [ -e \"up-$name\" ]; then echo running; else echo stopped; fi ;; esac\n";

/// One node: its directory, its ends of the two cables, its loop.
struct Node {
    dir: TempDir,
    ends: [MemoryMedium; 2],
    done: JoinHandle<u8>,
    _supervisor_end: UnixStream,
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

impl Node {
    fn start(name: &str, ends: [MemoryMedium; 2]) -> Node {
        Node::start_with(name, ends, "")
    }

    fn start_with(name: &str, ends: [MemoryMedium; 2], latido_cf: &str) -> Node {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::under(dir.path());
        write(&paths.ha_cf(), HA_CF, 0o644);
        write(&paths.haresources(), HARESOURCES, 0o644);
        write(&paths.latido_cf(), latido_cf, 0o644);
        write(&paths.authkeys(), "auth 1\n1 sha1 Xk29ab7Qw\n", 0o600);
        fs::create_dir_all(paths.resource_dir()).unwrap();
        for name in ["web", "mail"] {
            write(&paths.resource_dir().join(name), SCRIPT, 0o755);
        }
        let read = read_config::ReadOptions {
            as_node: NodeName::new(name),
            without_resolver: true,
            ..read_config::ReadOptions::default()
        };
        let config = read_config::load_with(&paths, &read).1.unwrap();
        crate::host::directories::make_directories(&paths).unwrap();
        let clock = Clock::start();
        let log = Log::start(clock, Terminal::Nobody, 0);
        let options = DaemonOptions {
            paths,
            called: crate::host::called::Called::by("latido".into()),
            without_resources: false,
            without_realtime: true,
            debug: 0,
            to_terminal: false,
            watch_over: None,
            record: Some(dir.path().join("record")),
        };
        let media = ["eth0", "/dev/ttyS0"].map(MediumId::new);
        let links = Links::in_memory(media.into_iter().zip(ends.clone()).collect(), &clock);
        let (supervisor_end, theirs) = UnixStream::pair().unwrap();
        let supervisor = std::process::id();
        let (deaths, attempt) = (0, 0);
        let core_start = CoreStart {
            socket: theirs,
            supervisor,
            before: None,
            deaths,
            hopeless: false,
            leaving: false,
            told: false,
            attempt,
            limit: None,
        };
        let driver = assemble(&options, &config, &clock, &log, core_start, links, Terms::default()).unwrap();
        Node { dir, ends, done: spawn_local(driver.run()), _supervisor_end: supervisor_end }
    }

    async fn ask(&self, ask: &Ask) -> Answer {
        let path = Paths::under(self.dir.path()).control_socket();
        let mut stream = BufReader::new(tokio::net::UnixStream::connect(path).await.unwrap());
        let question = serde_json::to_string(ask).unwrap() + "\n";
        stream.write_all(question.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_line(&mut answer).await.unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    async fn status(&self) -> Status {
        let Answer::Status(status) = self.ask(&Ask::Status).await else { panic!("no status") };
        *status
    }

    /// Waits until it is so.
    async fn until(&self, what: &str, is_so: impl Fn(&Status) -> bool) {
        let waiting = async {
            while !is_so(&self.status().await) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
            panic!("never {what}: {:#?}\n{}", self.status().await, self.calls());
        }
    }

    async fn holds(&self, keys: &[&str]) {
        let held = |status: &Status| {
            let held = status.groups.iter().filter(|group| group.state == "held");
            held.map(|group| group.key.as_str()).eq(keys.iter().copied()) && status.stable
        };
        self.until(&format!("held {keys:?}"), held).await;
    }

    fn calls(&self) -> String {
        fs::read_to_string(self.dir.path().join("calls")).unwrap_or_default()
    }
}

/// Level and words of every report in a node's journal.
fn reported(node: &Node) -> Vec<String> {
    let journal = fs::read_to_string(Paths::under(node.dir.path()).journal()).unwrap();
    let entries = journal.lines().filter_map(crate::journal::parse);
    let reports = entries.filter(|entry| ![Some(EventName::Script), Some(EventName::Asked)].contains(&entry.kind()));
    reports.map(|entry| format!("{}: {}", entry.level, entry.text)).collect()
}

/// The same of another core that lives through what the node wrote down.
fn replayed(node: &Node) -> Vec<String> {
    let record = fs::read_to_string(node.dir.path().join("record")).unwrap();
    let mut player = Player::new(ShowLevel::Changes);
    let lines: Vec<String> = record.lines().flat_map(|line| player.play(line).unwrap()).collect();
    lines.iter().filter_map(|line| Some(line.split_once(" report  ")?.1.to_owned())).collect()
}

fn cables() -> ([MemoryMedium; 2], [MemoryMedium; 2]) {
    let ((network, far_network), (serial, far_serial)) = (memory_pair(), memory_pair());
    ([network, serial], [far_network, far_serial])
}

/// Two nodes, each with its own group.
async fn both_up() -> (Node, Node) {
    let (near, far) = cables();
    let (alpha, beta) = (Node::start("alpha", near), Node::start("beta", far));
    alpha.holds(&["web"]).await;
    beta.holds(&["mail"]).await;
    (alpha, beta)
}

fn played(play: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(LocalSet::new().run_until(play));
}

#[test]
fn each_node_starts_its_own_and_a_cut_off_node_takes_all_until_the_cables_are_mended() {
    played(async {
        let (alpha, beta) = both_up().await;
        alpha.ends.iter().for_each(|end| end.set_fault(CableFault::Cut));
        alpha.holds(&["web", "mail"]).await;
        beta.holds(&["web", "mail"]).await;
        alpha.ends.iter().for_each(|end| end.set_fault(CableFault::None));
        alpha.holds(&["web"]).await;
        beta.holds(&["mail"]).await;
        assert!(!alpha.calls().contains("web stop"), "{}", alpha.calls());
        assert!(!beta.calls().contains("mail stop"), "{}", beta.calls());
    });
}

#[test]
fn the_status_counts_what_came_over_each_medium_and_what_was_refused() {
    played(async {
        let (near, far) = cables();
        let alpha = Node::start("alpha", near);
        let over = |status: &Status, medium: &str| {
            status.traffic.iter().find(|traffic| traffic.medium == medium).cloned().unwrap_or_default()
        };
        let forged = seal(
            &Message::new(&Kind::Status).with("src", "beta"),
            &Keyring::single(KeyId::new(1).unwrap(), Method::Sha1, "another secret"),
            Form::ClassicNul,
        );
        far[0].try_send(b"GET / HTTP/1.0\r\n").unwrap();
        far[0].try_send(&forged).unwrap();
        alpha
            .until("counted both", |status| {
                let rejected = over(status, "eth0").rejected;
                rejected.get("bad_signature") == Some(&1) && rejected.get("not_a_message") == Some(&1)
            })
            .await;
        let status = alpha.status().await;
        let (eth0, line) = (over(&status, "eth0"), over(&status, "/dev/ttyS0"));
        assert!(eth0.sent > 0 && line.sent > 0 && eth0.accepted == 0, "{eth0:?} {line:?}");
        assert_eq!((line.rejected.len(), line.rejected.values().sum::<u64>()), (6, 0), "{line:?}");
        let _beta = Node::start("beta", far);
        alpha.until("heard beta", |status| over(status, "eth0").accepted > 0).await;
    });
}

#[test]
fn what_a_node_writes_down_replays_to_what_its_journal_says() {
    played(async {
        let (mut alpha, mut beta) = both_up().await;
        alpha.ends[0].set_broken(Some("unplugged"));
        alpha.ends.iter().for_each(|end| end.set_fault(CableFault::Cut));
        alpha.holds(&["web", "mail"]).await;
        beta.holds(&["web", "mail"]).await;
        alpha.ends[0].set_broken(None);
        alpha.ends.iter().for_each(|end| end.set_fault(CableFault::None));
        alpha.holds(&["web"]).await;
        beta.holds(&["mail"]).await;
        assert!(matches!(alpha.ask(&Ask::Standby { set: "all".to_owned() }).await, Answer::Moved(_)));
        for node in [&mut alpha, &mut beta] {
            // Dropped, the loop leaves a record that is whole.
            node.done.abort();
            assert!((&mut node.done).await.unwrap_err().is_cancelled());
            let reports = reported(node);
            assert!(reports.iter().any(|report| report.contains("is dead (silent for")), "{reports:#?}");
            assert_eq!(replayed(node), reports);
        }
    });
}

#[test]
fn one_of_two_cables_lost_shows_in_the_status_and_runs_no_script() {
    played(async {
        let (alpha, beta) = both_up().await;
        let before = (alpha.calls(), beta.calls());
        alpha.ends[0].set_fault(CableFault::Cut);
        let link = |status: &Status, medium: &str| {
            let links = status.nodes.iter().filter(|node| !node.here).flat_map(|node| &node.links);
            links.filter(|link| link.medium == medium).any(|link| link.up)
        };
        beta.until("eth0 dead", |status| !link(status, "eth0") && link(status, "/dev/ttyS0")).await;
        assert_eq!((alpha.calls(), beta.calls()), before);
    });
}

#[test]
fn a_medium_that_fails_is_named_with_its_reason_and_comes_back_by_itself() {
    played(async {
        let (alpha, _beta) = both_up().await;
        let failure = |status: &Status| {
            let links = status.nodes.iter().filter(|node| !node.here).flat_map(|node| &node.links);
            links.filter_map(|link| link.failure.clone()).collect::<Vec<_>>().join(" ")
        };
        alpha.ends[1].set_broken(Some("unplugged"));
        alpha.until("failing", |status| failure(status).contains("unplugged")).await;
        alpha.ends[1].set_broken(None);
        alpha.until("mended", |status| failure(status).is_empty()).await;
        alpha.holds(&["web"]).await;
    });
}

#[test]
fn a_flood_of_rubbish_on_one_medium_moves_nothing() {
    played(async {
        let (alpha, beta) = both_up().await;
        let before = beta.calls();
        // As fast as the other end can be given time to hear, for twice deadtime.
        let end = tokio::time::Instant::now() + Duration::from_secs(2);
        while tokio::time::Instant::now() < end {
            for _ in 0..200 {
                alpha.ends[0].try_send(b">>>\nt=status\nst=dead\nsrc=alpha\n<<<\n").unwrap();
            }
            tokio::task::yield_now().await;
        }
        beta.holds(&["mail"]).await;
        assert_eq!(beta.calls(), before);
    });
}

#[test]
fn a_hand_over_is_answered_when_it_is_over() {
    played(async {
        let (alpha, beta) = both_up().await;
        let answer = alpha.ask(&Ask::Standby { set: "all".to_owned() }).await;
        assert_eq!(answer, Answer::Moved(vec!["web".to_owned()]));
        beta.holds(&["web", "mail"]).await;
        assert!(alpha.calls().ends_with("web stop\n"), "{}", alpha.calls());
        assert!(matches!(alpha.ask(&Ask::Standby { set: "some".to_owned() }).await, Answer::Refused(_)));
    });
}

#[test]
fn what_a_script_writes_into_the_fifo_is_obeyed() {
    played(async {
        let (alpha, beta) = both_up().await;
        let fifo = Paths::under(alpha.dir.path()).fifo();
        fs::write(&fifo, ">>>\nt=ask_resources\nrsc_hold=all\ninfo=me\n<<<\n").unwrap();
        beta.holds(&["web", "mail"]).await;
        // Half a message and rubbish are left.
        fs::write(&fifo, ">>>\nt=ask_resources\nrsc_hold=all").unwrap();
        fs::write(&fifo, b"\0\xff<<<>>>\n").unwrap();
        alpha.status().await;
        assert!(!alpha.done.is_finished() && !beta.done.is_finished());
    });
}

#[test]
fn the_status_page_is_served_for_reading_and_who_says_too_much_is_cut_off() {
    played(async {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (near, far) = cables();
        let alpha = Node::start_with("alpha", near, &format!("listen {free}\n"));
        let _beta = Node::start("beta", far);
        alpha.holds(&["web"]).await;
        let get = async |request: &str| {
            let mut stream = tokio::net::TcpStream::connect(free).await.unwrap();
            // Who is cut off may find the connection closed at any of these.
            let _ = stream.write_all(request.as_bytes()).await;
            let mut answer = String::new();
            let _ = tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut answer).await;
            answer
        };
        let page = get("GET / HTTP/1.1\r\nHost: Alpha:80\r\n\r\n").await;
        assert!(page.starts_with("HTTP/1.1 200 OK") && page.contains("alpha (here)"), "{page}");
        let json = get("GET /status.json HTTP/1.0\r\n\r\n").await;
        let status: Status = serde_json::from_str(json.split_once("\r\n\r\n").unwrap().1).unwrap();
        assert_eq!(status.me, "alpha");
        assert!(get("GET /metrics HTTP/1.1\r\n\r\n").await.contains("latido_group_held{group=\"web\"} 1\n"));
        assert!(get("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n").await.starts_with("HTTP/1.1 421"));
        assert!(get("POST / HTTP/1.1\r\n\r\n").await.starts_with("HTTP/1.1 405"));
        assert!(get("GET /etc/passwd HTTP/1.1\r\n\r\n").await.starts_with("HTTP/1.1 404"));
        assert_eq!(get(&"x".repeat(10_000)).await, "");
        alpha.holds(&["web"]).await;
    });
}
