//! More messages than a client reads: the one that does not read is let go, the others hear every one, the beat goes on
//! (`api.md` 1.6, 7). And programs of `respawn` that die (`api.md` 5).

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, ExitCode, Stdio};
use std::time::Duration;

use latido::api::body::{Spelling, decode, encode};
use latido::api::frame::{ApiFramer, frame};
use latido::api::{MAX_BODY, field};
use latido::wire::{Kind as Type, Message};
use nix::sys::signal::Signal;

use super::rig::{self, run};
use super::runner::{Pace, Test};
use super::support::Kind::Latido;
use super::support::clock::{epoch, pass, wait_until};
use super::support::host::Host;
use super::support::{Pair, shell};
use crate::tests;

/// The tests of this file.
pub(crate) const TESTS: &[Test] = tests!(
    true,
    Pace::Together,
    [
        a_stopped_client_is_let_go_and_the_others_hear_every_message,
        an_ipfail_that_is_killed_is_back_at_once_and_its_partner_hears_of_it,
    ]
);

/// The words by which this program is such a client: `listen-NAME`, `shout-NAME`.
pub(crate) const KINDS: [&str; 2] = ["listen-", "shout-"];

const MESSAGES: usize = 2000;
const SOCKET: &str = "/run/heartbeat/register";

/// One of these clients; whatever becomes of the test, it ends.
struct Guest(Child);

impl Guest {
    fn succeeds(&mut self) -> bool {
        self.0.wait().expect("our child").success()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // Stopped or not.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn begin(host: &Host, kind: &str) -> Guest {
    let program = std::env::current_exe().expect("this program");
    let mut command = shell::inside(host.init(), true);
    // Its number in there is written down, for signals.
    let pid = host.dir.join(kind).display().to_string();
    let script = "echo $$ >\"$0\"; exec \"$@\"";
    command.args(["sh", "-c", script, &pid]).arg(program).args([super::hostile::ROLE, kind, "0"]);
    command.stdout(Stdio::null());
    Guest(command.spawn().expect("nsenter is part of util-linux"))
}

fn online(pair: &Pair, node: &str, client: &str) {
    let ask = format!("cl_status clientstatus {node} {client} 1000");
    wait_until(&format!("{client} on {node}"), 10.0, || run(pair.host(node), &ask).1 == "online\n");
}

/// Two Latidos: a real node that is to send so many forgets what it sent before it is acknowledged.
fn a_stopped_client_is_let_go_and_the_others_hear_every_message() {
    let plan = rig::plan(Latido, Latido);
    let pair = rig::pair(&plan, "apiauth default uid=root\n");
    rig::start(&pair);
    let alpha = pair.host("alpha");
    let mut listeners = ["deaf", "awake"].map(|name| begin(alpha, &format!("listen-{name}")));
    ["deaf", "awake"].into_iter().for_each(|name| online(&pair, "alpha", name));
    let deaf_pid = std::fs::read_to_string(alpha.dir.join("listen-deaf")).expect("it runs");
    run(alpha, &format!("kill -STOP {deaf_pid}"));
    let from = epoch();
    let mut shouters = ["deaf", "awake"].map(|name| begin(pair.host("beta"), &format!("shout-{name}")));
    assert!(listeners[1].succeeds(), "it did not hear them all");
    pair.await_log("alpha", 0, "sendq length=64(max is 64)", 20.0);
    for shouter in &mut shouters {
        assert!(shouter.succeeds(), "the leave of the stopped one was not heard");
    }
    let beats: Vec<f64> = pair.tap.beats("alpha").into_iter().filter(|at| *at > from).collect();
    let worst = beats.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
    assert!(worst < 2.0 * f64::from(plan.keepalive_ms) / 1000.0, "a gap of {worst} s");
    run(alpha, &format!("kill -KILL {deaf_pid}"));
}

fn an_ipfail_that_is_killed_is_back_at_once_and_its_partner_hears_of_it() {
    let pair = rig::pair(&rig::plan(Latido, Latido), super::cl_status::LINES);
    rig::start(&pair);
    ["alpha", "beta"].into_iter().for_each(|node| online(&pair, node, "ipfail"));
    let host = pair.host("alpha");
    let before = run(host, "pidof ipfail").1;
    let told = pair.tap.talk().len();
    run(host, &format!("kill -{} {before}", Signal::SIGKILL as i32));
    wait_until("a new ipfail", 3.0, || {
        let now = run(host, "pidof ipfail").1;
        !now.is_empty() && now != before && run(host, "cl_status clientstatus alpha ipfail").1 == "online\n"
    });
    // The tap reads on its own: it may note the join after `cl_status` was answered.
    let said = || pair.tap.talk().split_off(told);
    wait_until("the new one's join on the wire", 3.0, || said().contains("st=join"));
    let talk = said();
    let (leave, join) = (talk.find("st=leave"), talk.find("st=join"));
    assert!(leave.is_some() && leave < join, "{talk}");
    // Stopped, the daemon ends them and waits for them, and answers until then.
    assert!(host.stop().wait().expect("our child").success());
    assert_eq!(run(host, "pidof ipfail").1, "");
    assert!(host.log().contains("killing /usr/libexec/heartbeat/ipfail process group"));
}

/// The client's side.
pub(crate) fn client(kind: &str) -> ExitCode {
    let done = match kind.split_once('-') {
        Some(("listen", name)) => listen(name),
        Some(("shout", name)) => shout(name),
        _ => Err(std::io::ErrorKind::InvalidInput.into()),
    };
    if done.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct Client {
    stream: UnixStream,
    framer: ApiFramer,
}

impl Client {
    fn sign_on(name: &str) -> std::io::Result<Client> {
        let stream = UnixStream::connect(SOCKET)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut client = Client { stream, framer: ApiFramer::default() };
        let (pid, gid) = (std::process::id(), nix::unistd::getegid());
        let sign_on = Message::new(&Type::Other(field::REQUEST.into()))
            .with("reqtype", "signon")
            .with("pid", pid.to_string())
            .with("from_id", name)
            .with("uid", "0")
            .with("gid", gid.to_string());
        client.say(&sign_on)?;
        Ok(client)
    }

    fn say(&mut self, message: &Message) -> std::io::Result<()> {
        self.stream.write_all(&frame(&encode(message, Spelling::Classic)))
    }

    fn next(&mut self) -> std::io::Result<Message> {
        let mut chunk = [0; 4096];
        loop {
            if let Ok(Some(body)) = self.framer.next_body(MAX_BODY) {
                return decode(&body).map_err(|_| std::io::ErrorKind::InvalidData.into());
            }
            match self.stream.read(&mut chunk)? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                read => self.framer.push(&chunk[..read]),
            }
        }
    }
}

/// Hears them all, in whatever order.
fn listen(name: &str) -> std::io::Result<()> {
    let mut client = Client::sign_on(name)?;
    let mut missing: std::collections::BTreeSet<String> = (0..MESSAGES).map(|n| n.to_string()).collect();
    while !missing.is_empty() {
        let message = client.next().inspect_err(|error| {
            shell::print(&format!("{name} (pid {}): {error}, {} messages missing", std::process::id(), missing.len()));
        })?;
        if message.get("t") == Some("gossip") {
            missing.remove(message.get("number").unwrap_or_default());
        }
    }
    Ok(())
}

/// Says them all while it reads what comes back; the one whose partner is deaf waits to hear that it was let go.
fn shout(name: &str) -> std::io::Result<()> {
    let mut client = Client::sign_on(name)?;
    let mut writer = client.stream.try_clone()?;
    let shouting = std::thread::spawn(move || {
        for n in 0..MESSAGES {
            let message = Message::new(&Type::Other("gossip".into()))
                .with("number", n.to_string())
                .with("text", "x".repeat(500))
                .with("dest", "alpha");
            writer.write_all(&frame(&encode(&message, Spelling::Classic)))?;
            // A burst is more than anybody's queue takes.
            pass(Duration::from_millis(2));
        }
        Ok::<(), std::io::Error>(())
    });
    let mut waits = name == "deaf";
    while waits {
        let message = client.next()?;
        let leave = message.get("t") == Some(field::CLIENT_STATUS) && message.get("st") == Some("leave");
        waits = !leave || !message.get("info").is_some_and(|info| info.starts_with("send failed"));
    }
    shouting.join().unwrap_or_else(|_| Err(std::io::ErrorKind::Other.into()))
}
