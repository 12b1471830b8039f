//! Does what was drawn, and undoes it.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::haresources::Verb;
use crate::lab::host::{DISKS, HA_DIR};
use crate::lab::original;
use crate::lab::pair::{LabPair, OneWay};
use crate::paths::Paths;
use crate::replace::Draft;

use super::fault::{Behaviour, DaemonPart, Direction, Fault, FullPlace, SpoiledFile};
use super::script_lines::{self, trouble};

/// What fills a place up.
const FILLER: &str = "filler";

/// Cuts or mends.
pub(super) fn cut(
    pair: &LabPair,
    node: usize,
    medium: Option<&str>,
    direction: Direction,
    cut: bool,
) -> io::Result<()> {
    let media: Vec<String> = medium.map_or_else(|| pair.plan.media.clone(), |medium| vec![medium.to_owned()]);
    for medium in media {
        if let Some(cable) = pair.null_modem(&medium) {
            if direction != Direction::Hears {
                cable.set_silent(node, cut);
            }
            if direction != Direction::Sends {
                cable.set_silent(1 - node, cut);
            }
            continue;
        }
        for (way, other) in [(OneWay::Sends, Direction::Hears), (OneWay::Hears, Direction::Sends)] {
            if direction != other {
                pair.change_one_way(node, &medium, way, |faults| faults.cut = cut)?;
            }
        }
    }
    Ok(())
}

/// Lets a network cable lose so many frames of a hundred.
pub(super) fn lose(pair: &LabPair, node: usize, interface: &str, share: u8) -> io::Result<()> {
    pair.change_faults(node, interface, |faults| faults.loss = share)
}

/// Sends a signal to processes of a daemon.
///
/// # Errors
/// When no such process is there.
pub(super) fn signal(pair: &LabPair, node: usize, part: DaemonPart, signal: Signal) -> io::Result<()> {
    find(pair, node, part).map(|whom| send(&whom, signal))
}

/// Sends a signal to processes of the bench.
pub(super) fn send(whom: &[i32], signal: Signal) {
    for pid in whom {
        // One that dies this moment needs no signal.
        let _ = kill(Pid::from_raw(*pid), signal);
    }
}

/// The processes of a daemon, by their ids on the bench.
///
/// # Errors
/// When no such process is there.
pub(super) fn find(pair: &LabPair, node: usize, part: DaemonPart) -> io::Result<Vec<i32>> {
    let all = processes(pair, node);
    let whom: Vec<i32> = match part {
        DaemonPart::All => all.iter().map(|(here, _)| *here).collect(),
        // The first of them passes an order on to the others.
        DaemonPart::Core | DaemonPart::Supervisor if pair.plan.original == Some(node) => {
            all.iter().min_by_key(|(_, there)| *there).map(|(here, _)| *here).into_iter().collect()
        }
        DaemonPart::Core | DaemonPart::Supervisor => {
            let status = pair.status(node).ok_or_else(|| io::Error::other("it does not say who it is"))?;
            let wanted = if part == DaemonPart::Core { status.core } else { status.pid };
            all.iter().filter(|(_, there)| i64::from(*there) == i64::from(wanted)).map(|(here, _)| *here).collect()
        }
    };
    if whom.is_empty() {
        return Err(io::Error::other("no such process is there just now"));
    }
    Ok(whom)
}

/// Whether any process of a node's daemon is there.
pub(super) fn is_there(pair: &LabPair, node: usize) -> bool {
    !processes(pair, node).is_empty()
}

/// The processes of a node's daemon: their ids on the bench and on the host. Their commands tell them from scripts.
fn processes(pair: &LabPair, node: usize) -> Vec<(i32, i32)> {
    let Ok(machine) = pair.machine(node) else { return Vec::new() };
    let original = pair.plan.original == Some(node);
    let is_daemon = |pid: i32| {
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = command.split(|byte| *byte == 0).collect();
        if original {
            return words[0].starts_with(b"heartbeat: ") || words[0] == original::PROGRAM.as_bytes();
        }
        // The supervisor by its words, the process that does the work by its title.
        words[0].starts_with(b"latido: ")
            || words.get(1) == Some(&&b"daemon"[..]) && !words.contains(&&b"--upgrade"[..])
    };
    machine.host.processes().into_iter().filter(|(here, _)| is_daemon(*here)).collect()
}

fn run_dir() -> PathBuf {
    Path::new(HA_DIR).join("var/run")
}

/// Fills a place of a node to the last byte, or empties it again.
pub(super) fn fill(pair: &LabPair, node: usize, place: FullPlace, full: bool) -> io::Result<()> {
    let path = match place {
        FullPlace::Disk => Path::new(DISKS).join(FILLER),
        FullPlace::Run => run_dir().join(FILLER),
    };
    pair.machine(node)?.host.run(|| {
        if !full {
            return fs::remove_file(&path);
        }
        let mut file = fs::File::create(&path)?;
        for block in [vec![0; 65_536], vec![0; 512], vec![0; 1]] {
            while file.write_all(&block).is_ok() {}
        }
        Ok(())
    })?
}

/// Empties the disk of a node that is switched off.
pub(super) fn clean_disk(pair: &LabPair, node: usize) -> io::Result<()> {
    fs::remove_file(disk(pair, node).join(FILLER))
}

/// Makes a file of a node wrong, or right again.
pub(super) fn spoil(pair: &LabPair, node: usize, file: SpoiledFile, wrong: bool) -> io::Result<()> {
    let texts = pair.plan.texts(&pair.plan.ha_cf[node]);
    let (name, addition) = match file {
        SpoiledFile::HaCf => ("ha.cf", "keepalive soon\n"),
        SpoiledFile::Haresources => ("haresources", "nobody-we-know one\n"),
    };
    let right = texts.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| *text);
    let text = if wrong { format!("{right}{addition}") } else { right.to_owned() };
    write_over(&ha_file(pair, node, name), &text)
}

/// Gives the key file permissions that are refused, or its own.
pub(super) fn open_keys(pair: &LabPair, node: usize, open: bool) -> io::Result<()> {
    fs::set_permissions(ha_file(pair, node, "authkeys"), Permissions::from_mode(if open { 0o644 } else { 0o600 }))
}

/// Tells a script of a node what to do instead of its work, or to work again.
pub(super) fn trouble_with(
    pair: &LabPair,
    node: usize,
    name: &str,
    verb: Verb,
    how: Option<Behaviour>,
) -> io::Result<()> {
    let word = match how {
        Some(Behaviour::Fail) => "fail",
        Some(Behaviour::Hang) => "hang",
        Some(Behaviour::Slow) => "slow",
        None => "none",
    };
    write_over(&disk(pair, node).join(trouble(name, verb)), &format!("{word}\n"))
}

fn disk(pair: &LabPair, node: usize) -> PathBuf {
    Path::new(DISKS).join(&pair.plan.nodes[node])
}

/// Gives a node a fencing device that does what it is asked.
pub(super) fn give_fence(pair: &LabPair, node: usize) -> io::Result<()> {
    write_over(&disk(pair, node).join("fence"), &script_lines::fence_script())
}

/// Where a node's daemon writes its journal, as seen from the bench.
pub(super) fn journal(pair: &LabPair, node: usize) -> PathBuf {
    Paths::under(&disk(pair, node).join("ha.d")).journal()
}

fn ha_file(pair: &LabPair, node: usize, name: &str) -> PathBuf {
    disk(pair, node).join("ha.d").join(name)
}

/// In one step and with its mode, as an editor does: whoever reads meanwhile finds one text or the other.
fn write_over(path: &Path, text: &str) -> io::Result<()> {
    let draft = Draft::write(path.with_extension("new"), text.as_bytes(), 0o644)?;
    if let Ok(known) = fs::metadata(path) {
        draft.file().set_permissions(known.permissions())?;
    }
    draft.put(path)
}

/// Does a fault that is neither a request nor a matter of starting and ending a node.
///
/// # Errors
/// When the lab cannot do it.
pub(super) fn set(pair: &mut LabPair, node: usize, fault: &Fault, on: bool) -> io::Result<()> {
    match fault {
        Fault::Cut(medium, direction) => cut(pair, node, medium.as_deref(), *direction, on),
        Fault::Loss(interface, share) => lose(pair, node, interface, if on { *share } else { 0 }),
        Fault::CardGone(interface) if on => pair.remove_card(node, interface),
        Fault::CardGone(interface) => pair.insert_card(node, interface),
        Fault::Stall => signal(pair, node, DaemonPart::All, if on { Signal::SIGSTOP } else { Signal::SIGCONT }),
        Fault::Full(place) => fill(pair, node, *place, on),
        Fault::KeyFileOpen => open_keys(pair, node, on),
        Fault::WrongFile(file) => spoil(pair, node, *file, on),
        Fault::Script(name, verb, how) => trouble_with(pair, node, name, *verb, on.then_some(*how)),
        Fault::KillStorm(_)
        | Fault::BothTyped(..)
        | Fault::Kill(_)
        | Fault::PowerOff
        | Fault::Leave
        | Fault::Upgrade
        | Fault::Reload
        | Fault::Typed(..) => Ok(()),
    }
}
