//! Small programs of the original's that scripts call by name (`packages.md` "What is where"): `send_arp`, `ha_logger` and `cl_respawn`
//! work; those that would change a pair of two nodes say what to type instead.

use std::io::{BufRead as _, Write as _};
use std::net::Ipv4Addr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use crate::agent::announce_once;
use crate::cli::pause;
use crate::clock::Clock;
use crate::daemon::open_log;
use crate::sys;

use super::log::{DAEMON, say_to_syslog};

/// A program that ends at once is not started again more often than this.
const BETWEEN_STARTS: Duration = Duration::from_secs(1);
/// Without `-i` and `-r`, as the original's usage has them.
const INTERVAL: Duration = Duration::from_millis(500);
const PAIRS: u32 = 1;
/// More is a mistake.
const MOST_PAIRS: u32 = 1000;

/// Programs that are answered with what does their work here.
const REFUSED: [(&str, &str); 5] = [
    ("hb_addnode", "a pair has two nodes. Write both names on the `node` line of ha.cf, on both, then: latido reload"),
    (
        "hb_delnode",
        "a pair has two nodes. To put another machine in the place of one: latido forget-peer, and `node` in ha.cf",
    ),
    ("hb_setsite", "there are no sites in a pair of two nodes"),
    ("hb_setweight", "there are no weights in a pair of two nodes"),
    (
        "TestHeartbeatComm",
        "it breaks a running pair. To see what happens when cables break: latido lab --config /etc/ha.d",
    ),
];

/// Whether this is an old program whose work is done in another way here.
pub(crate) fn is_refused(name: &str) -> bool {
    REFUSED.iter().any(|(known, _)| *known == name)
}

/// Says in which.
pub(crate) fn refuse(name: &str) -> ExitCode {
    let why = REFUSED.iter().find(|(known, _)| *known == name).map_or("not known", |(_, why)| why);
    complain!("{name}: {why}");
    ExitCode::FAILURE
}

/// What `send_arp` is to do.
#[derive(Debug, PartialEq, Eq)]
struct Announcement {
    nic: String,
    ip: Ipv4Addr,
    mac: Option<[u8; 6]>,
    every: Duration,
    pairs: u32,
    pid_file: Option<String>,
}

impl Announcement {
    /// The last two words, the broadcast address and the netmask, mean nothing, as in the original.
    fn read(words: &[String]) -> Option<Announcement> {
        let (mut every, mut pairs, mut pid_file) = (INTERVAL, PAIRS, None);
        let mut rest = words;
        while let [option, value, more @ ..] = rest
            && option.starts_with('-')
        {
            match option.as_str() {
                "-i" => every = Duration::from_millis(value.parse::<u32>().ok()?.into()),
                "-r" => pairs = value.parse().ok()?,
                "-p" => pid_file = Some(value.clone()),
                _ => return None,
            }
            rest = more;
        }
        let [nic, ip, mac, _, _] = rest else { return None };
        let mac = if mac == "auto" { None } else { Some(hardware_address(mac)?) };
        let nic = nic.split(':').next().unwrap_or(nic).to_owned();
        Some(Announcement { nic, ip: ip.parse().ok()?, mac, every, pairs: pairs.min(MOST_PAIRS), pid_file })
    }
}

/// `525400123456`, or with colons.
fn hardware_address(text: &str) -> Option<[u8; 6]> {
    let digits: String = text.chars().filter(|c| *c != ':').collect();
    if digits.len() != 12 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    Some(u64::from_str_radix(&digits, 16).ok()?.to_be_bytes()).and_then(|bytes| bytes[2..].try_into().ok())
}

/// `send_arp [-i MS] [-r COUNT] [-p PIDFILE] DEVICE IP MAC|auto BROADCAST NETMASK`: says where an address is.
pub(crate) fn send_arp(words: &[String]) -> ExitCode {
    let Some(wanted) = Announcement::read(words) else {
        complain!(
            "usage: send_arp [-i interval-ms] [-r count] [-p pidfile] device ip-address hardware-address|auto broadcast netmask"
        );
        return ExitCode::FAILURE;
    };
    if !note_pid("send_arp", wanted.pid_file.as_deref()) {
        return ExitCode::FAILURE;
    }
    for nth in 0..wanted.pairs {
        if nth > 0 {
            pause(wanted.every);
        }
        if let Err(error) = announce_once(&wanted.nic, wanted.ip, wanted.mac) {
            complain!("send_arp: cannot announce {} on {}: {error}", wanted.ip, wanted.nic);
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// `ha_logger [-t TAG] [-D ha-log|ha-debug] [MESSAGE…]`: to the system's log and, in a script of the daemon's, to its log.
pub(crate) fn ha_logger(words: &[String]) -> ExitCode {
    let (mut tag, mut debug) = ("ha_logger".to_owned(), false);
    let mut rest = words;
    while let [option, value, more @ ..] = rest
        && option.starts_with('-')
    {
        match (option.as_str(), value.as_str()) {
            ("-t", value) => value.clone_into(&mut tag),
            ("-D", "ha-log") => debug = false,
            ("-D", "ha-debug") => debug = true,
            _ => return logger_usage(),
        }
        rest = more;
    }
    if rest == ["--help"] {
        return logger_usage();
    }
    let log = |text: &str| {
        say_to_syslog(&tag, DAEMON, text);
        let variable = if debug { "HA_DEBUGLOG" } else { "HA_LOGFILE" };
        let file = std::env::var_os(variable).filter(|path| !path.is_empty() && path != "/dev/null");
        file.is_none_or(|path| append(Path::new(&path), &tag, text))
    };
    let mut all = true;
    if rest.is_empty() {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            all &= log(&line);
        }
    } else {
        all = log(&rest.join(" "));
    }
    if all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn logger_usage() -> ExitCode {
    complain!("usage: ha_logger [-t tag] [-D ha-log|ha-debug] [message]");
    ExitCode::FAILURE
}

fn append(path: &Path, tag: &str, text: &str) -> bool {
    let stamp = sys::local_time(Clock::start().since_1970().as_secs()).stamp();
    let line = format!("{stamp} {}: {}\n", crate::printable::line(tag), crate::printable::line(text));
    let written = open_log(path).and_then(|mut opened| opened.file.write_all(line.as_bytes()));
    if let Err(error) = &written {
        complain!("ha_logger: {}: {error}", path.display());
    }
    written.is_ok()
}

/// `cl_respawn [-m CODE] [-p PIDFILE] PROGRAM [ARG…]`: starts a program again whenever it ends, until it ends with CODE.
pub(crate) fn cl_respawn(words: &[String]) -> ExitCode {
    let (mut magic, mut pid_file) = (None, None);
    let mut rest = words;
    loop {
        rest = match rest {
            [option, more @ ..] if option == "-r" => more,
            [option, value, more @ ..] if ["-m", "-p", "-i", "-w"].contains(&option.as_str()) => {
                match (option.as_str(), value.parse::<i32>()) {
                    ("-m", Ok(code)) => magic = Some(code),
                    ("-p", _) => pid_file = Some(value.clone()),
                    // Its heartbeat to an apphbd, of which there is none.
                    ("-i" | "-w", Ok(_)) => {}
                    _ => return respawn_usage(),
                }
                more
            }
            [option, ..] if option.starts_with('-') => return respawn_usage(),
            _ => break,
        };
    }
    let [program, args @ ..] = rest else { return respawn_usage() };
    if !note_pid("cl_respawn", pid_file.as_deref()) {
        return ExitCode::FAILURE;
    }
    loop {
        match Command::new(program).args(args).status() {
            Ok(status) if magic.is_some() && status.code() == magic => return ExitCode::SUCCESS,
            Ok(status) => {
                let how = status.code().map_or_else(
                    || format!("by signal {}", status.signal().unwrap_or_default()),
                    |code| format!("with exit code {code}"),
                );
                say_to_syslog("cl_respawn", DAEMON, &format!("{program} ended {how}: started again"));
            }
            Err(error) => {
                complain!("cl_respawn: {program}: {error}");
                return ExitCode::FAILURE;
            }
        }
        pause(BETWEEN_STARTS);
    }
}

fn respawn_usage() -> ExitCode {
    complain!("usage: cl_respawn [-m magic_exit_code] [-p pidfile] [-i ms] [-w ms] [-r] program [argument…]");
    ExitCode::FAILURE
}

/// Writes our pid where it was asked for; that this is not possible has been said.
fn note_pid(program: &str, file: Option<&str>) -> bool {
    let Some(path) = file else { return true };
    let written = std::fs::write(path, format!("{}\n", std::process::id()));
    if let Err(error) = &written {
        complain!("{program}: cannot write {path}: {error}");
    }
    written.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn send_arp_understands_what_the_scripts_of_heartbeat_give_it() {
        let read = |line: &str| Announcement::read(&words(line));
        let all = read("-i 200 -r 5 -p /run/x.pid eth0:0 10.0.0.5 auto 10.0.0.255 ffffffffffff").unwrap();
        assert_eq!((all.nic.as_str(), all.pairs, all.every), ("eth0", 5, Duration::from_millis(200)));
        assert_eq!((all.mac, all.pid_file.as_deref()), (None, Some("/run/x.pid")));
        let given = read("eth0 10.0.0.5 525400123456 x x").unwrap();
        assert_eq!(given.mac, Some([0x52, 0x54, 0, 0x12, 0x34, 0x56]));
        for bad in ["", "eth0 10.0.0.5", "-z 1 eth0 10.0.0.5 auto x x", "eth0 host auto x x", "eth0 10.0.0.5 5254 x x"]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_refused_says_what_to_type() {
        assert!(is_refused("hb_addnode") && !is_refused("heartbeat"));
        let test = REFUSED.iter().find(|(name, _)| *name == "TestHeartbeatComm");
        assert!(test.is_some_and(|(_, why)| why.contains("latido lab")));
    }
}
