//! The old name `drbd-peer-outdater`: DRBD's fence-peer handler, which asks `dopd` and ends with DRBD's codes
//! (`api.md` 4.5).

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use crate::api::body::{Spelling, decode, encode};
use crate::api::frame::{ApiFramer, MAX_BODY, frame};
use crate::cli::print;
use crate::clock::Clock;
use crate::wire::{Kind, Message, field as wire};

use super::dopd::code;

const USAGE: &str = "usage: drbd-peer-outdater -r <string> -p <string> [-t <int>]
	-p <string>	drbd peer
	-r <string>	drbd resource
	-t <int>	timeout in seconds; default: 60

The drbd peer and drbd resource have to be specified either on the
commandline using the -p and -r options, or using the $DRBD_PEER and
$DRBD_RESOURCE environment variables. $DRBD_RESOURCE and $DRBD_PEER
will be ignored, if the command line options are used.";

#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    peer: String,
    resource: String,
    patience: Duration,
}

/// Behaves as `drbd-peer-outdater` does with these words.
pub(crate) fn drbd_peer_outdater(words: &[String]) -> ExitCode {
    if words.iter().any(|word| word == "-h") {
        print(USAGE);
        return ExitCode::SUCCESS;
    }
    let variable = |name: &str| std::env::var(name).ok();
    let Some(wanted) = read(words, variable("DRBD_PEER"), variable("DRBD_RESOURCE")) else {
        complain!("{USAGE}");
        return ExitCode::FAILURE;
    };
    let socket = crate::cli::paths_from_environment().dopd_socket();
    ExitCode::from(ask(&socket, &wanted).unwrap_or(code::UNREACHABLE))
}

fn read(words: &[String], peer: Option<String>, resource: Option<String>) -> Option<Wanted> {
    let (mut given_peer, mut given_resource, mut seconds) = (None, None, 60);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let (option, glued) = word.split_at_checked(2)?;
        let value = if glued.is_empty() { words.next()?.clone() } else { glued.to_owned() };
        match option {
            "-p" => given_peer = Some(value),
            "-r" => given_resource = Some(value),
            "-t" => seconds = value.parse().ok().filter(|seconds| *seconds > 0)?,
            _ => return None,
        }
    }
    let wanted = Wanted {
        peer: given_peer.or(peer)?,
        resource: given_resource.or(resource)?,
        patience: Duration::from_secs(seconds),
    };
    Some(wanted)
}

/// The code, or nothing when nobody answers in time.
fn ask(socket: &Path, wanted: &Wanted) -> Option<u8> {
    let clock = Clock::start();
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.set_write_timeout(Some(wanted.patience)).ok()?;
    let message = Message::new(&Kind::Other("outdater".into()))
        .with(wire::SRC, "drbd-peer-outdater")
        .with("outdater_peer", wanted.peer.as_str())
        .with("outdater_res", wanted.resource.as_str());
    stream.write_all(&frame(&encode(&message, Spelling::Classic))).ok()?;
    let mut framer = ApiFramer::default();
    let mut chunk = [0; 1024];
    loop {
        let left = wanted.patience.checked_sub(clock.mono().elapsed()).filter(|left| !left.is_zero())?;
        stream.set_read_timeout(Some(left)).ok()?;
        let read = stream.read(&mut chunk).ok().filter(|read| *read > 0)?;
        framer.push(&chunk[..read]);
        if let Some(body) = framer.next_body(MAX_BODY).ok()? {
            let answer = decode(&body).ok()?;
            return answer.get("dop_value")?.parse().ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(line: &str, peer: Option<&str>, resource: Option<&str>) -> Option<Wanted> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        read(&words, peer.map(str::to_owned), resource.map(str::to_owned))
    }

    #[test]
    fn words_win_over_the_variables_drbd_sets() {
        let expected = Wanted { peer: "beta".into(), resource: "r0".into(), patience: Duration::from_secs(8) };
        assert_eq!(wanted("-p beta -r r0 -t 8", Some("x"), Some("y")), Some(expected));
        let expected = Wanted { peer: "x".into(), resource: "y".into(), patience: Duration::from_secs(60) };
        assert_eq!(wanted("", Some("x"), Some("y")), Some(expected));
    }

    #[test]
    fn what_is_missing_or_strange_is_a_wrong_call() {
        for line in ["", "-p beta", "-r r0", "-p", "-x 1 -p a -r b", "-p a -r b -t many", "-p a -r b -t 0", "p"] {
            assert_eq!(wanted(line, None, None), None, "{line}");
        }
    }
}
