//! `latido init`: asks, or takes flags, for a pair; shows and writes commented files that `latido check` passes.
//!
//! All or nothing: when one file would be overwritten and `--yes` was not given, none is written. The key is made once
//! and never touched again; a new one is made by `latido keygen`.

mod ask;
mod pair;
mod words;

use std::fs;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ask::Hints;
use pair::PairToWrite;

use crate::auth::Method;
use crate::config::value::BAUD_RATES;
use crate::config::{Config, Facts as _, HaCf, OnlyName, Sources};
use crate::diagnostic::{Problem, SourceText};
use crate::host::cards;
use crate::host::read_config::{self, ReadOptions};
use crate::names::NodeName;
use crate::paths::Paths;

use super::diff::diff;
use super::keygen::key_file;
use super::print;
use super::replace::replace;

/// Options of `latido init`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  latido init                          asks what it needs to know
  latido init --nodes alpha,beta --serial /dev/ttyS0 --bcast eth1 \\
      --address 192.168.1.10/24/eth0 --drbd r0 --disk /dev/drbd0:/data:ext4 --service asterisk \\
      --ping 192.168.1.254 --monitor asterisk,10 --fence '/usr/local/sbin/power-off %n'
  latido init ... --dry-run            shows what it would write

Writes ha.cf, haresources, latido.cf with --fence or --monitor, and authkeys if there is none; then: latido propagate copies them to the other node.
Exit code: 0 written or nothing to do, 1 something is there and --yes was not given, 2 wrong or incomplete words.")]
pub(super) struct Args {
    /// Directory of the files
    #[arg(short = 'd', long = "dir", value_name = "DIR", env = "HA_DIR", default_value = "/etc/ha.d")]
    dir: PathBuf,
    /// The two nodes, as `uname -n` prints their names; the service is at home on the first
    #[arg(long, value_name = "HOME,OTHER", value_delimiter = ',', value_parser = words::node)]
    nodes: Vec<NodeName>,
    /// Serial port of a null-modem cable; may be given several times
    #[arg(long, value_name = "DEVICE", value_parser = words::device)]
    serial: Vec<String>,
    /// Speed of the serial lines in bits per second
    #[arg(long, value_name = "BITS", default_value_t = 19200, value_parser = baud)]
    baud: u32,
    /// Interface to send heartbeats on by UDP broadcast; may be given several times
    #[arg(long, value_name = "INTERFACE", value_delimiter = ',', value_parser = words::interface)]
    bcast: Vec<String>,
    /// UDP to the other node's address: the interface and the IPv4 or IPv6 addresses of both nodes; may be given several times
    #[arg(long, value_name = "INTERFACE,ADDRESS,ADDRESS", value_parser = words::ucast)]
    ucast: Vec<(String, Vec<String>)>,
    /// UDP port, if not 694
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Outside host whose answers show that the network works, with the ipfail that acts on it; may be given several times
    #[arg(long, value_name = "ADDRESS", value_parser = words::ping)]
    ping: Vec<String>,
    /// Seconds of silence after which a node is dead [default: 10; with serial lines alone 15, with slow ones 30]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=3600))]
    deadtime: Option<u32>,
    /// Move the service home by itself when its node returns
    #[arg(long)]
    failback: bool,
    /// Address that clients use; may be given several times
    #[arg(long, value_name = "ADDRESS/PREFIX/INTERFACE", value_parser = words::address)]
    address: Vec<String>,
    /// DRBD resource that becomes primary; may be given several times
    #[arg(long, value_name = "RESOURCE", value_parser = words::word)]
    drbd: Vec<String>,
    /// File system to mount; may be given several times
    #[arg(long, value_name = "DEVICE:DIRECTORY:TYPE", value_parser = disk)]
    disk: Vec<DiskArgument>,
    /// Init script, systemd unit or script of resource.d; may be given several times
    #[arg(long, value_name = "NAME", value_parser = words::service)]
    service: Vec<String>,
    /// What switches a dead node off: a device of cluster-glue and the file with its parameters; may be given several times
    #[arg(long, value_name = "TYPE,FILE", value_parser = words::stonith)]
    stonith: Vec<(String, String)>,
    /// The same by a command, with %n for the node; may be given several times
    #[arg(long, value_name = "COMMAND", value_parser = words::fence)]
    fence: Vec<String>,
    /// Ask a resource every SECONDS whether it works; may be given several times
    #[arg(long, value_name = "NAME,SECONDS", value_parser = words::monitor)]
    monitor: Vec<(String, u32)>,
    /// Ask for what no flag said, even when standard input is no terminal
    #[arg(long)]
    ask: bool,
    /// Show the files and the differences, write nothing
    #[arg(long)]
    dry_run: bool,
    /// Overwrite files that differ; each is kept as FILE.old
    #[arg(short = 'y', long)]
    yes: bool,
}

/// A file system, as one value for clap.
#[derive(Clone, Debug)]
struct DiskArgument([String; 3]);

fn disk(text: &str) -> Result<DiskArgument, String> {
    words::disk(text).map(DiskArgument)
}

fn baud(text: &str) -> Result<u32, String> {
    let known = text.parse().ok().filter(|baud| BAUD_RATES.contains(baud));
    known.ok_or_else(|| format!("heartbeat knows the speeds {}", BAUD_RATES.map(|baud| baud.to_string()).join(", ")))
}

/// Runs it.
pub(super) fn run(args: &Args) -> ExitCode {
    match init(args) {
        Ok(code) => code,
        Err(why) => {
            complain!("latido init: {why}");
            ExitCode::from(2)
        }
    }
}

fn init(args: &Args) -> Result<ExitCode, String> {
    let paths = Paths::under(&args.dir);
    let pair = complete(args, &paths)?;
    let files = drafts(&pair, &paths)?;
    judge(&files, &pair)?;
    let fresh = files.iter().all(|file| file.old.is_none());
    let mut overwritten = Vec::new();
    for file in &files {
        show(file, fresh && !args.dry_run);
        if file.old.as_deref().is_some_and(|old| old != file.text) {
            overwritten.push(file.path.display().to_string());
        }
    }
    if args.dry_run {
        print("Nothing was written (--dry-run).");
        return Ok(ExitCode::SUCCESS);
    }
    if !overwritten.is_empty() && !args.yes {
        complain!("latido init: nothing was written: {} would be overwritten. Add --yes.", overwritten.join(" and "));
        return Ok(ExitCode::FAILURE);
    }
    let written = write(&files)?;
    // The files are good; what this machine lacks for them is not written by us.
    Ok(if tell_what_is_next(&paths, &pair, written) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What the flags say, and the answers to what they leave open.
fn complete(args: &Args, paths: &Paths) -> Result<PairToWrite, String> {
    let mut pair = PairToWrite {
        nodes: args.nodes.clone(),
        serial: args.serial.clone(),
        baud: args.baud,
        bcast: args.bcast.clone(),
        ucast: args.ucast.clone(),
        port: args.port.filter(|port| *port != HaCf::default().udpport),
        ping: args.ping.clone(),
        deadtime: args.deadtime.unwrap_or(0),
        failback: args.failback,
        drbd: args.drbd.clone(),
        disk: args.disk.iter().map(|disk| disk.0.clone()).collect(),
        address: args.address.clone(),
        service: args.service.clone(),
        stonith: args.stonith.clone(),
        fence: args.fence.clone(),
        monitor: args.monitor.clone(),
    };
    if args.ask || std::io::stdin().is_terminal() {
        let (input, output) = (std::io::stdin(), std::io::stderr());
        ask::complete(&mut pair, &hints(paths), args.ask, &mut input.lock(), &mut output.lock())?;
    }
    if pair.deadtime == 0 {
        pair.deadtime = pair.proposed_deadtime();
    }
    match pair.nodes.as_slice() {
        [first, second] if first != second => {}
        _ => return Err("name the two nodes: --nodes HOME,OTHER (or answer questions: --ask)".to_owned()),
    }
    if pair.serial.is_empty() && pair.bcast.is_empty() && pair.ucast.is_empty() {
        return Err("say how the nodes hear each other: --serial, --bcast or --ucast (or answer: --ask)".to_owned());
    }
    Ok(pair)
}

fn hints(paths: &Paths) -> Hints {
    let facts = read_config::host_facts(paths, &ReadOptions::default());
    let interfaces = facts.interfaces().unwrap_or_default();
    let known = interfaces.iter().map(|interface| interface.name.clone()).collect();
    let usable = interfaces.into_iter().filter(|interface| interface.has_ipv4() && is_a_path(&interface.name));
    Hints {
        here: facts.node_name(),
        serial: ["/dev/ttyS0", "/dev/ttyS1"].into_iter().find(|path| Path::new(path).exists()).map(str::to_owned),
        interfaces: usable.map(|interface| interface.name).collect(),
        known,
        gateway: fs::read_to_string("/proc/net/route").ok().as_deref().and_then(gateway),
    }
}

/// Whether heartbeats on it would reach another machine, and belong to it: no loopback, no second name of a card, no
/// port of a bridge or of a bond, no bridge of this machine's own guests.
fn is_a_path(name: &str) -> bool {
    let inside = ["docker", "virbr", "veth", "br-", "lxcbr", "cni"].iter().any(|start| name.starts_with(start));
    name != "lo" && !inside && words::interface(name).is_ok() && !cards::is_a_port(name)
}

/// The router of the default route, in the kernel's own form.
fn gateway(routes: &str) -> Option<String> {
    routes.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, "00000000", gateway, ..] = fields.as_slice() else { return None };
        let address = u32::from_str_radix(gateway, 16).ok().filter(|address| *address != 0)?;
        Some(std::net::Ipv4Addr::from(address.to_ne_bytes()).to_string())
    })
}

/// A file as it would be.
struct Draft {
    path: PathBuf,
    text: String,
    mode: u32,
    /// What is there now.
    old: Option<String>,
    secret: bool,
}

fn drafts(pair: &PairToWrite, paths: &Paths) -> Result<Vec<Draft>, String> {
    let read = |path: &Path| match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("cannot read {}: {error}; nothing was written", path.display())),
    };
    let draft = |path: PathBuf, text: String| {
        Ok::<_, String>(Draft { old: read(&path)?, path, text, mode: 0o644, secret: false })
    };
    let keys = match read(&paths.authkeys())? {
        Some(old) => Draft { path: paths.authkeys(), text: old.clone(), mode: 0o600, old: Some(old), secret: true },
        None => {
            let text = key_file(1, Method::Sha1)?;
            Draft { path: paths.authkeys(), text, mode: 0o600, old: None, secret: true }
        }
    };
    let mut drafts = vec![draft(paths.ha_cf(), pair.ha_cf())?, draft(paths.haresources(), pair.haresources())?, keys];
    if let Some(text) = pair.latido_cf() {
        drafts.push(draft(paths.latido_cf(), text)?);
    }
    Ok(drafts)
}

/// Reads the drafts as the daemon would on the first node: what it refuses is not written.
fn judge(files: &[Draft], pair: &PairToWrite) -> Result<(), String> {
    let source = |at: usize| files.get(at).map(|file| SourceText::new(file.path.display().to_string(), &*file.text));
    let sources = Sources {
        ha_cf: source(0),
        haresources: source(1),
        authkeys: source(2),
        latido_cf: source(3),
        ..Sources::default()
    };
    let home = pair.nodes.first().cloned().ok_or("no node")?;
    match Config::assemble(&sources, &OnlyName(home)) {
        Ok(config) if !config.warnings.iter().any(Problem::is_error) => Ok(()),
        Ok(Config { warnings: problems, .. }) | Err(problems) => {
            problems.iter().filter(|problem| problem.is_error()).for_each(|problem| complain!("{problem}"));
            Err("the daemon would refuse this; nothing was written".to_owned())
        }
    }
}

fn show(file: &Draft, briefly: bool) {
    let path = file.path.display();
    match &file.old {
        Some(old) if *old == file.text => print(&format!("{path}: is as it should be")),
        Some(old) => print(&format!("{path}: differs\n{}", diff(old, &file.text).trim_end())),
        None if briefly => {}
        None if file.secret => print(&format!("{path}: new")),
        None => print(&format!("{path}: new\n{}", diff("", &file.text).trim_end())),
    }
}

/// Writes what is new or differs; how many files that were.
fn write(files: &[Draft]) -> Result<usize, String> {
    let mut written = 0;
    for file in files.iter().filter(|file| file.old.as_deref() != Some(&file.text)) {
        let old = replace(&file.path, &file.text, file.mode)?;
        let kept = old.map_or(String::new(), |old| format!(" (the old one is {})", old.display()));
        print(&format!("{}: written{kept}", file.path.display()));
        written += 1;
    }
    Ok(written)
}

/// The files may be for another machine, so what this host lacks is no reason to refuse. `false` when it is one of the two
/// nodes and cannot work with them.
fn tell_what_is_next(paths: &Paths, pair: &PairToWrite, written: usize) -> bool {
    if written == 0 {
        print("Nothing to do: the files already say this.");
    }
    let here = read_config::host_name(&paths.ha_dir).filter(|name| pair.nodes.contains(name));
    let problems: Vec<Problem> =
        match read_config::load(paths, if here.is_none() { pair.nodes.first().cloned() } else { None }) {
            Ok(config) => config.warnings,
            Err(problems) => problems,
        };
    problems.iter().for_each(|problem| print(&problem.to_string()));
    if let Some(disks) = pair.unprotected() {
        print(&format!(
            "WARNING: nothing protects {disks}: a node that hangs or is cut off is not switched off, and both nodes may \
             write at once.\n  Name a device: latido init ... --stonith TYPE,FILE, or --fence COMMAND (man latido.cf)."
        ));
    }
    if here.is_none() {
        print("This host is neither of the two nodes: its interfaces, ports and scripts were not looked at.");
    }
    let dir = paths.ha_dir.display();
    let given = if paths.ha_dir == Path::new("/etc/ha.d") { String::new() } else { format!(" -d {dir}") };
    print(&format!(
        "Next: latido check {dir}; latido lab --config {dir}; latido propagate{given}; latido start{given} on both; latido doctor{given}"
    ));
    here.is_none() || !problems.iter().any(Problem::is_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_router_is_the_gateway_of_the_default_route() {
        let head = "Iface Destination Gateway Flags\n";
        let hex = format!("{:08X}", u32::from_ne_bytes([192, 168, 1, 254]));
        assert_eq!(
            gateway(&format!("{head}eth0 0001A8C0 00000000 0001\neth0 00000000 {hex} 0003\n")).as_deref(),
            Some("192.168.1.254")
        );
        assert_eq!(gateway(&format!("{head}eth0 00000000 00000000 0001\n")), None);
        assert_eq!(gateway(""), None);
    }

    #[test]
    fn no_alias_no_loopback_and_no_bridge_of_guests_is_proposed() {
        for name in ["lo", "eth0:0", "docker0", "virbr0", "veth1a2b"] {
            assert!(!is_a_path(name), "{name}");
        }
        assert!(is_a_path("eth0") && is_a_path("bond0"));
    }
}
