//! Who this node is and whom it heard, between its lives: uuid, and how far each peer was heard (`config.md` 8,
//! `wire.md` 4.7). The generation has a file of its own (`generation`).

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use crate::host::disk_thread::DiskThread;
use crate::host::files::{naming, read_bounded, remove_leftover, replace, replace_unsynced};
use crate::names::NodeName;
use crate::paths::Paths;
use crate::wire::{Generation, Sequence};

/// Reads this node's uuid, or makes one; `true` when it is new.
///
/// # Errors
/// When the file can neither be read nor written.
pub(crate) fn node_uuid(paths: &Paths) -> io::Result<([u8; 16], bool)> {
    let path = paths.lib_dir.join("hb_uuid");
    match read_bounded(&path, 17).map(<[u8; 16]>::try_from) {
        Ok(Ok(uuid)) if uuid != [0; 16] => return Ok((uuid, false)),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(naming(&path, &error)),
    }
    let uuid = random_uuid()?;
    replace(&path, &uuid, 0o644)?;
    Ok((uuid, true))
}

/// Writes a uuid down for the lives to come, unless there is one.
///
/// # Errors
/// When the file can be neither read nor written.
pub(crate) fn keep_uuid(paths: &Paths, uuid: &[u8; 16]) -> io::Result<()> {
    let path = paths.lib_dir.join("hb_uuid");
    match read_bounded(&path, 17).map(<[u8; 16]>::try_from) {
        Ok(Ok(known)) if known != [0; 16] => Ok(()),
        Ok(_) => replace(&path, uuid, 0o644),
        Err(error) if error.kind() == io::ErrorKind::NotFound => replace(&path, uuid, 0o644),
        Err(error) => Err(naming(&path, &error)),
    }
}

/// The uuid of `uuidfrom nodename`: the name's first 15 bytes, then zeroes.
pub(crate) fn uuid_from_name(name: &NodeName) -> [u8; 16] {
    let mut uuid = [0; 16];
    for (to, from) in uuid.iter_mut().take(15).zip(name.as_str().bytes()) {
        *to = from;
    }
    uuid
}

fn random_uuid() -> io::Result<[u8; 16]> {
    let mut uuid = random_bytes::<16>()?;
    uuid[6] = (uuid[6] & 0x0f) | 0x40;
    uuid[8] = (uuid[8] & 0x3f) | 0x80;
    Ok(uuid)
}

/// A number nobody can guess, for the core's delays.
///
/// # Errors
/// When `/dev/urandom` cannot be read.
pub(crate) fn random_seed() -> io::Result<u64> {
    random_bytes::<8>().map(u64::from_ne_bytes)
}

fn random_bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// How far each peer was heard, as kept in `latido-peers`: one line `NAME GENERATION SEQUENCE [AHEAD]` each, the last being
/// by how many seconds its clock was ahead of ours. While the disk takes nothing it is kept in `/run/latido`.
#[derive(Debug)]
pub(crate) struct Remembered {
    path: PathBuf,
    in_memory: PathBuf,
    peers: Vec<PeerHeard>,
    disk: DiskThread,
}

/// How far one peer was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PeerHeard {
    pub(crate) node: NodeName,
    pub(crate) generation: Generation,
    pub(crate) sequence: Sequence,
    pub(crate) ahead: Option<i64>,
}

impl Remembered {
    /// Reads the file; a missing one is empty, and lines that make no sense are left out.
    pub(crate) fn read(paths: &Paths, disk: DiskThread) -> Remembered {
        let [path, in_memory] = [&paths.lib_dir, &paths.own_dir].map(|dir| dir.join("latido-peers"));
        // That one is there only while it is the newer.
        let text = read_bounded(&in_memory, 65_536).or_else(|_| read_bounded(&path, 65_536)).unwrap_or_default();
        let peers = String::from_utf8_lossy(&text).lines().filter_map(parse_peer).collect();
        Remembered { path, in_memory, peers, disk }
    }

    /// What is known.
    pub(crate) fn peers(&self) -> &[PeerHeard] {
        &self.peers
    }

    /// Writes down how far a peer was heard; a file that cannot be replaced now is tried again the next time.
    pub(crate) fn remember(&mut self, heard: PeerHeard) {
        match self.peers.iter_mut().find(|known| known.node == heard.node) {
            Some(known) if *known == heard => return,
            Some(known) => *known = heard,
            None => self.peers.push(heard),
        }
        self.write();
    }

    /// Forgets a peer.
    pub(crate) fn forget(&mut self, node: &NodeName) {
        self.peers.retain(|known| known.node != *node);
        self.write();
    }

    fn write(&mut self) {
        let lines: String = self.peers.iter().map(PeerHeard::to_line).collect();
        let (path, in_memory) = (self.path.clone(), self.in_memory.clone());
        self.disk.later(move || {
            let written = replace_unsynced(&path, lines.as_bytes(), 0o644).and_then(|()| remove_leftover(&in_memory));
            let written = written.or_else(|_| replace_unsynced(&in_memory, lines.as_bytes(), 0o644));
            written.unwrap_or_else(|error| log::debug!("{error}"));
        });
    }
}

impl PeerHeard {
    fn to_line(&self) -> String {
        let PeerHeard { node, generation, sequence, ahead } = self;
        let ahead = ahead.map_or_else(String::new, |seconds| format!(" {seconds}"));
        format!("{node} {} {}{ahead}\n", generation.0, sequence.0)
    }
}

pub(crate) fn parse_peer(line: &str) -> Option<PeerHeard> {
    let mut words = line.split_whitespace();
    let node = NodeName::new(words.next()?)?;
    let generation = words.next()?.parse().ok().map(Generation)?;
    let sequence = words.next()?.parse().ok().map(Sequence)?;
    let ahead = words.next().map(str::parse).transpose().ok()?;
    words.next().is_none().then_some(PeerHeard { node, generation, sequence, ahead })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn node() -> (tempfile::TempDir, Paths) {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::under(dir.path());
        crate::host::directories::make_directories(&paths).unwrap();
        (dir, paths)
    }

    #[test]
    fn the_uuid_is_made_once() {
        let (_dir, paths) = node();
        let (first, new) = node_uuid(&paths).unwrap();
        assert!(new);
        assert_eq!(node_uuid(&paths).unwrap(), (first, false));
        assert_eq!(fs::read(paths.lib_dir.join("hb_uuid")).unwrap(), first);
    }

    #[test]
    fn what_was_heard_survives_a_restart() {
        let (_dir, paths) = node();
        let beta = NodeName::new("beta").unwrap();
        let mut heard = Remembered::read(&paths, DiskThread::at_once());
        assert!(heard.peers().is_empty());
        let of = |sequence, ahead| PeerHeard { node: beta.clone(), generation: Generation(3), sequence, ahead };
        heard.remember(of(Sequence(10), None));
        heard.remember(of(Sequence(30), Some(-7)));
        assert_eq!(Remembered::read(&paths, DiskThread::at_once()).peers(), [of(Sequence(30), Some(-7))]);
        heard.forget(&beta);
        assert!(Remembered::read(&paths, DiskThread::at_once()).peers().is_empty());
    }

    #[test]
    fn what_was_heard_while_the_disk_took_nothing_is_kept_until_the_machine_is_started_anew() {
        let (_dir, paths) = node();
        let of = |generation, sequence| {
            let node = NodeName::new("beta").unwrap();
            PeerHeard { node, generation: Generation(generation), sequence: Sequence(sequence), ahead: None }
        };
        let read = || Remembered::read(&paths, DiskThread::at_once());
        read().remember(of(9, 10));
        let in_the_way = paths.lib_dir.join("latido-peers.new");
        fs::create_dir_all(in_the_way.join("x")).unwrap();
        // Whose count went back.
        read().remember(of(3, 30));
        assert_eq!(read().peers(), [of(3, 30)]);
        fs::remove_dir_all(&in_the_way).unwrap();
        read().remember(of(3, 31));
        assert!(!paths.own_dir.join("latido-peers").exists());
        assert_eq!(read().peers(), [of(3, 31)]);
    }

    #[test]
    fn a_uuid_is_kept_where_there_is_none_and_never_exchanged() {
        let (_dir, paths) = node();
        let mine = uuid_from_name(&NodeName::new("alpha").unwrap());
        keep_uuid(&paths, &mine).unwrap();
        assert_eq!(node_uuid(&paths).unwrap(), (mine, false));
        keep_uuid(&paths, &[7; 16]).unwrap();
        assert_eq!(node_uuid(&paths).unwrap(), (mine, false));
        fs::remove_file(paths.lib_dir.join("hb_uuid")).unwrap();
        fs::create_dir(paths.lib_dir.join("hb_uuid")).unwrap();
        assert!(keep_uuid(&paths, &mine).is_err(), "what cannot be read may be one");
    }

    #[test]
    fn a_damaged_line_of_the_peers_is_left_out() {
        let (_dir, paths) = node();
        fs::write(paths.lib_dir.join("latido-peers"), "beta 1\nx y z\nGamma 4 5\n\u{0}\ndelta 1 2 x\n").unwrap();
        let node = NodeName::new("gamma").unwrap();
        let gamma = PeerHeard { node, generation: Generation(4), sequence: Sequence(5), ahead: None };
        assert_eq!(Remembered::read(&paths, DiskThread::at_once()).peers(), [gamma]);
    }
}
