//! One client with many strange ways, led through the same dialogue at a real socket and at ours: the same answers, word
//! for word (`api.md` 1.3, 2.1 to 2.7).

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use latido::api::body::{Spelling, decode, encode};
use latido::api::frame::{ApiFramer, frame};
use latido::api::{MAX_BODY, field};
use latido::wire::{Kind as Type, Message, Value};

use super::rig;
use super::runner::{Pace, Test};
use super::support::Kind::{Latido, Real};
use super::support::host::Host;
use super::support::shell;
use crate::tests;

/// The tests of this file.
pub(crate) const TESTS: &[Test] =
    tests!(true, Pace::Together, [a_strange_client_gets_the_same_answers_from_a_real_daemon_and_from_us]);

/// The word by which this program is that client.
pub(crate) const KIND: &str = "strange";

const SOCKET: &str = "/run/heartbeat/register";
/// Longer than a daemon needs for an answer with this keepalive, and much longer, for a busy machine; in milliseconds.
const SILENCES: [u64; 2] = [200, 1000];
/// A name root may have by default.
const NAME: &str = "lha-snmpagent";

fn a_strange_client_gets_the_same_answers_from_a_real_daemon_and_from_us() {
    let [usual, long] = SILENCES;
    let hasty = differences(usual);
    if !hasty.is_empty() {
        // An answer that comes too late is a question without one, and one with two.
        assert_eq!(differences(long), "", "before, with less patience:\n{hasty}");
    }
}

/// Where the answers of a real daemon and ours differ, when the client waits so long for one.
fn differences(silence: u64) -> String {
    let [theirs, ours] = [(Real, Latido), (Latido, Real)].map(|(alpha, beta)| {
        let pair = rig::pair(&rig::plan(alpha, beta).timed(50, 1500), "");
        rig::start(&pair);
        dialogue(pair.host("alpha"), silence)
    });
    let lines = theirs.lines().count();
    assert!(lines > 60, "{lines} lines:\n{theirs}");
    let different: Vec<String> = theirs
        .lines()
        .zip(ours.lines())
        .filter(|(theirs, ours)| theirs != ours)
        .map(|(theirs, ours)| format!("  the original: {theirs}\n  ours:         {ours}"))
        .collect();
    if different.is_empty() && lines != ours.lines().count() {
        return format!("the original: {lines} lines, ours {}", ours.lines().count());
    }
    different.join("\n")
}

fn dialogue(host: &Host, silence: u64) -> String {
    let program = std::env::current_exe().expect("this program");
    let mut command = shell::inside(host.init(), true);
    command.arg(program).args([super::hostile::ROLE, KIND, &silence.to_string()]);
    // A real daemon tells whom it refused that it has left, and sometimes those who left.
    let is_told = |line: &&str| !line.contains("st=leave");
    shell::must(command).lines().filter(is_told).map(|line| line.to_owned() + "\n").collect()
}

/// The client's side: prints what it hears.
pub(crate) fn client() -> ExitCode {
    match talk() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print(&format!("failed: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn print(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// How long nothing must come for silence: the last word of the command line.
fn silence() -> Duration {
    let word = std::env::args().nth(3).and_then(|word| word.parse().ok());
    Duration::from_millis(word.expect("milliseconds"))
}

struct Client {
    stream: UnixStream,
    framer: ApiFramer,
}

impl Client {
    fn connect() -> std::io::Result<Client> {
        let stream = UnixStream::connect(SOCKET)?;
        stream.set_read_timeout(Some(silence()))?;
        Ok(Client { stream, framer: ApiFramer::default() })
    }

    fn send(&mut self, bytes: &[u8]) {
        // Who was cut off hears it from `hear`.
        let _ = self.stream.write_all(bytes);
    }

    fn say(&mut self, message: &Message) {
        self.send(&frame(&encode(message, Spelling::Classic)));
    }

    /// Prints what comes until nothing comes any more.
    fn hear(&mut self, what: &str) {
        let mut chunk = [0; 4096];
        loop {
            while let Ok(Some(body)) = self.framer.next_body(MAX_BODY) {
                match decode(&body) {
                    Ok(message) => print(&format!("{what}: {}", shown(&message))),
                    Err(error) => print(&format!("{what}: not a message: {error:?}")),
                }
            }
            match self.stream.read(&mut chunk) {
                Ok(0) => return print(&format!("{what}: closed")),
                Ok(read) => self.framer.push(&chunk[..read]),
                Err(_) => return print(&format!("{what}: silence")),
            }
        }
    }
}

/// The fields in order of name, without those that differ from run to run.
fn shown(message: &Message) -> String {
    let varies = ["hbversion", "seq", "hg", "ts", "ld", "ttl", "auth", "client_gen", "srcuuid", "destuuid"];
    let mut fields: Vec<String> = message
        .fields()
        .filter(|(name, _)| !varies.contains(name))
        .map(|(name, value)| match value {
            Value::Text(text) => format!("{name}={text}"),
            Value::Binary(bytes) => format!("{name}=<{} bytes>", bytes.len()),
            Value::Opaque { .. } => format!("{name}=?"),
        })
        .collect();
    fields.sort();
    fields.join(" ")
}

fn message(t: &str, fields: &[(&str, &str)]) -> Message {
    fields.iter().fold(Message::new(&Type::Other(t.into())), |message, (name, value)| message.with(name, *value))
}

fn sign_on(fields: &[(&str, &str)]) -> Message {
    let pid = std::process::id().to_string();
    let gid = nix::unistd::getegid().to_string();
    let usual = message(field::REQUEST, &[("reqtype", "signon"), ("pid", &pid), ("uid", "0"), ("gid", &gid)]);
    fields.iter().fold(usual, |message, (name, value)| message.with(name, *value))
}

fn talk() -> std::io::Result<()> {
    refusals()?;
    questions()?;
    forms()?;
    named()?;
    casual()
}

fn refusals() -> std::io::Result<()> {
    let cases: [&[(&str, &str)]; 9] = [
        &[("pid", "0")],
        &[("pid", "4000000")],
        &[("pid", "1")],
        &[("pid", "x")],
        &[("uid", "x")],
        &[("uid", "7")],
        &[("gid", "7")],
        &[("from_id", "foo")],
        &[("from_id", "ipfail")],
    ];
    for case in cases {
        let mut client = Client::connect()?;
        client.say(&sign_on(case));
        client.hear(&format!("sign-on with {case:?}"));
    }
    let mut first = Client::connect()?;
    first.say(&sign_on(&[("from_id", NAME)]));
    first.hear("named sign-on");
    let mut second = Client::connect()?;
    second.say(&sign_on(&[("from_id", NAME)]));
    second.hear("its double");
    first.say(&sign_on(&[("from_id", NAME)]));
    first.hear("once more");
    first.say(&message(field::REQUEST, &[("reqtype", "signoff"), ("from_id", NAME)]));
    first.hear("signed off");
    Ok(())
}

fn signed_on() -> std::io::Result<(Client, String)> {
    let mut client = Client::connect()?;
    client.say(&sign_on(&[]));
    client.hear("sign-on");
    Ok((client, std::process::id().to_string()))
}

fn questions() -> std::io::Result<()> {
    let (mut client, me) = signed_on()?;
    let cases: [&[(&str, &str)]; 34] = [
        &[("reqtype", "nodelist")],
        &[("reqtype", "nodestatus")],
        &[("reqtype", "nodestatus"), ("node", "")],
        &[("reqtype", "nodestatus"), ("node", "BETA")],
        &[("reqtype", "nodestatus"), ("node", "nosuch")],
        &[("reqtype", "nodetype"), ("node", "alpha")],
        &[("reqtype", "nodetype"), ("node", "nosuch")],
        &[("reqtype", "nodeweight"), ("node", "beta")],
        &[("reqtype", "nodeweight")],
        &[("reqtype", "nodesite"), ("node", "beta")],
        &[("reqtype", "numnodes")],
        &[("reqtype", "iflist"), ("node", "beta")],
        &[("reqtype", "iflist"), ("node", "alpha")],
        &[("reqtype", "iflist"), ("node", rig::PING)],
        &[("reqtype", "iflist"), ("node", "nosuch")],
        &[("reqtype", "iflist")],
        &[("reqtype", "ifstatus"), ("node", "beta"), ("ifname", "eth0")],
        &[("reqtype", "ifstatus"), ("node", "beta"), ("ifname", "eth9")],
        &[("reqtype", "ifstatus"), ("node", "beta")],
        &[("reqtype", "getparm"), ("pname", "keepalive")],
        &[("reqtype", "getparm"), ("pname", "nosuch")],
        &[("reqtype", "getparm")],
        &[("reqtype", "getrsc")],
        &[("reqtype", "getuuid"), ("queryname", "beta")],
        &[("reqtype", "getuuid"), ("queryname", "nosuch")],
        &[("reqtype", "getuuid"), ("queryname", rig::PING)],
        &[("reqtype", "getuuid")],
        &[("reqtype", "getnodename")],
        &[("reqtype", "setfilter"), ("fmask", "0")],
        &[("reqtype", "setfilter"), ("fmask", "1")],
        &[("reqtype", "setsignal")],
        &[("reqtype", "setsignal"), ("signal", "9")],
        &[("reqtype", "set_sendqlen"), ("sendqlen", "100")],
        &[("reqtype", "nosuch")],
    ];
    for case in cases {
        client.say(&message(field::REQUEST, case).with("from_id", me.as_str()));
        client.hear(&format!("{case:?}"));
    }
    client.say(&message(field::REQUEST, &[("reqtype", "numnodes"), ("from_id", "nobody")]));
    client.hear("in the name of nobody");
    client.say(&message(field::REQUEST, &[("reqtype", "numnodes"), ("pid", &me)]));
    client.hear("with its pid alone");
    client.say(&message(field::REQUEST, &[("from_id", &me)]));
    client.hear("without a type");
    client.say(&message(field::REQUEST, &[("reqtype", "signoff"), ("from_id", &me)]));
    client.hear("signoff");
    Ok(())
}

fn forms() -> std::io::Result<()> {
    let (mut client, me) = signed_on()?;
    let numnodes = message(field::REQUEST, &[("reqtype", "numnodes"), ("from_id", &me)]);
    client.send(&frame(&encode(&numnodes, Spelling::Netstring)));
    client.hear("a netstring");
    let classic = encode(&numnodes, Spelling::Classic);
    client.send(&frame(&classic[..classic.len() - 1]));
    client.hear("without the NUL");
    let blank = String::from_utf8_lossy(&classic).replace("reqtype", "\n\nreqtype");
    client.send(&frame(blank.as_bytes()));
    client.hear("with blank lines");
    client.send(&[frame(&classic), frame(&classic)].concat());
    client.hear("two in one write");
    frame(&classic).chunks(1).for_each(|byte| client.send(byte));
    client.hear("byte by byte");
    for junk in [b"junk".as_slice(), b"", b">>>\nt=x\n", b">>>\nno equals\n<<<\n\0"] {
        client.send(&frame(junk));
        client.hear("junk");
    }
    client.say(&numnodes);
    client.hear("after the junk");
    client.send(&[4_i32.to_ne_bytes(), 0x1234_i32.to_ne_bytes()].concat());
    client.hear("another magic");
    let mut early = Client::connect()?;
    early.say(&numnodes);
    early.hear("before it signed on");
    early.say(&sign_on(&[]));
    early.hear("a sign-on after it");
    Ok(())
}

fn named() -> std::io::Result<()> {
    let mut client = Client::connect()?;
    client.say(&sign_on(&[("from_id", NAME)]));
    client.hear("named sign-on");
    let (mut listener, _) = signed_on()?;
    client.say(&message("gossip", &[("from_id", "root"), ("to_id", "everybody"), ("src", "elsewhere"), ("a", "b=c")]));
    client.hear("its own gossip");
    listener.hear("a casual listener");
    client.say(&message("gossip", &[("dest", "beta")]));
    client.hear("gossip for the other node");
    client.say(&message("query-cstatus", &[("cn", NAME)]));
    client.hear("a query to all");
    client.say(&message(
        field::REQUEST,
        &[("reqtype", "clientstatus"), ("from_id", NAME), ("node", "beta"), ("cn", NAME)],
    ));
    client.hear("a client elsewhere");
    for node in ["nosuch", rig::PING] {
        client.say(&message(
            field::REQUEST,
            &[("reqtype", "clientstatus"), ("from_id", NAME), ("node", node), ("cn", NAME)],
        ));
        client.hear("a client nowhere");
    }
    Ok(())
}

fn casual() -> std::io::Result<()> {
    let (mut client, _) = signed_on()?;
    client.say(&message("gossip", &[]));
    client.hear("gossip of a casual client");
    Ok(())
}
