//! The number of a node's life, `hb_generation` (`config.md` 8, `wire.md` 4.1): greater than any before, or the other node
//! takes what we say for a replay of an earlier life.
//!
//! It is on disk before the daemon goes on. A second copy lies in `/run/latido`: what a full or read-only disk could
//! not take, and what a clock that was set back would say again, is known from there until the machine is started anew.
//! Then nothing is known of a life that the disk did not take: so such a life counts by the time, which goes on by itself.

use std::io;
use std::path::{Path, PathBuf};

use crate::host::{files, spare};
use crate::paths::Paths;
use crate::time::Wall;
use crate::wire::Generation;

/// What stands at or above this was not counted.
const MOST: u64 = u64::MAX / 2;

/// A generation and where it came from, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NextGeneration {
    /// To be used in this life.
    pub generation: Generation,
    /// What an operator should know: a lost or broken file, a clock that was set back.
    pub remark: Option<String>,
    /// Why it is not on disk; it is to be written later, with [`write_down`].
    pub unwritten: Option<String>,
}

/// Counts the generation up and writes it down.
///
/// A missing or empty file starts at `now` + 1, far above any count; one that is broken or cannot be read too, where the
/// original would fall back to 1 and be taken for a replay. `from_time` is `hbgenmethod time`.
pub(crate) fn next_generation(paths: &Paths, now: Wall, from_time: bool) -> NextGeneration {
    let path = path(paths);
    let stored = stored(&path);
    let known = [stored.count(), remembered(paths)].into_iter().flatten().max();
    let (mut generation, remark) = choose(&stored, known, now, from_time, &path);
    let unwritten = write_down(paths, generation).err().map(|error| error.to_string());
    if unwritten.is_some() {
        generation = generation.max(Generation(now.0.saturating_add(1)));
    }
    // Of no use where the file is right, and all there is where it is not.
    let _ = remember(paths, generation);
    NextGeneration { generation, remark, unwritten }
}

/// Writes a number down where the next life looks, and waits for the disk.
///
/// # Errors
/// The path and the reason.
pub(crate) fn write_down(paths: &Paths, generation: Generation) -> io::Result<()> {
    files::replace(&path(paths), format!("{:>15}\n", generation.0).as_bytes(), 0o644)
}

fn path(paths: &Paths) -> PathBuf {
    paths.lib_dir.join("hb_generation")
}

enum Stored {
    Count(u64),
    Missing,
    Broken(String),
}

impl Stored {
    fn count(&self) -> Option<u64> {
        match self {
            Stored::Count(count) => Some(*count),
            Stored::Missing | Stored::Broken(_) => None,
        }
    }
}

fn stored(path: &Path) -> Stored {
    let text = match files::read_bounded(path, 64) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).trim().to_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Stored::Missing,
        Err(error) => return Stored::Broken(format!(" ({error})")),
    };
    match text.parse() {
        // What cannot be counted up any more is no count.
        Ok(count) if count < MOST => Stored::Count(count),
        Ok(_) | Err(_) if !text.is_empty() => Stored::Broken(String::new()),
        Ok(_) | Err(_) => Stored::Missing,
    }
}

fn choose(
    stored: &Stored,
    known: Option<u64>,
    now: Wall,
    from_time: bool,
    path: &Path,
) -> (Generation, Option<String>) {
    let after_known = known.map_or(0, |last| last.saturating_add(1));
    let fresh = now.0.saturating_add(1).max(after_known);
    let (number, remark) = match stored {
        Stored::Broken(why) => {
            let path = path.display();
            (fresh, Some(format!("BROKEN previous generation in {path}{why} - starting at {fresh}")))
        }
        Stored::Count(_) | Stored::Missing if from_time => {
            let late = after_known > now.0;
            let number = now.0.max(after_known);
            let why = format!("hbgenmethod time: {} was used already - generation {number}", now.0);
            (number, late.then_some(why))
        }
        Stored::Count(_) => (after_known, None),
        Stored::Missing => (fresh, Some(format!("No Previous generation - starting at {fresh}"))),
    };
    (Generation(number), remark)
}

/// Of this boot: the directory is empty after another.
fn remembered(paths: &Paths) -> Option<u64> {
    let text = spare::read(&copy(paths), 64)?;
    text.trim().parse().ok().filter(|count| *count < MOST)
}

fn remember(paths: &Paths, generation: Generation) -> io::Result<()> {
    spare::replace(&copy(paths), format!("{}\n", generation.0).as_bytes())
}

fn copy(paths: &Paths) -> PathBuf {
    paths.own_dir.join("latido-generation")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const FILE: bool = false;
    const TIME: bool = true;

    fn node() -> (tempfile::TempDir, Paths) {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::under(dir.path());
        crate::host::directories::make_directories(&paths).unwrap();
        (dir, paths)
    }

    fn next(paths: &Paths, now: u64, from_time: bool) -> u64 {
        next_generation(paths, Wall(now), from_time).generation.0
    }

    /// A directory in its place: nobody, root included, can read or replace it.
    fn block(paths: &Paths) {
        fs::create_dir_all(path(paths).join("in the way")).unwrap();
    }

    #[test]
    fn the_generation_is_counted_up_in_sixteen_bytes() {
        let (_dir, paths) = node();
        fs::write(path(&paths), "             41\n").unwrap();
        let next = next_generation(&paths, Wall(1_000_000), FILE);
        assert_eq!(next, NextGeneration { generation: Generation(42), remark: None, unwritten: None });
        assert_eq!(fs::read(path(&paths)).unwrap(), b"             42\n");
        assert_eq!(fs::metadata(path(&paths)).unwrap().permissions().mode() & 0o777, 0o644);
    }

    #[test]
    fn a_missing_generation_starts_above_any_count() {
        let (_dir, paths) = node();
        let first = next_generation(&paths, Wall(1_700_000_000), FILE);
        assert_eq!(first.generation, Generation(1_700_000_001));
        assert_eq!(first.remark.as_deref(), Some("No Previous generation - starting at 1700000001"));
        assert_eq!(next(&paths, 5, FILE), 1_700_000_002);
    }

    #[test]
    fn a_broken_generation_never_falls_back_to_one() {
        for text in ["rubbish\n", "18446744073709551615\n", "-4\n"] {
            let (_dir, paths) = node();
            fs::write(path(&paths), text).unwrap();
            let next = next_generation(&paths, Wall(1_700_000_000), FILE);
            assert_eq!(next.generation, Generation(1_700_000_001));
            assert!(next.remark.unwrap().starts_with("BROKEN previous generation"));
        }
    }

    #[test]
    fn a_file_that_is_lost_or_broken_while_the_machine_runs_costs_nothing_even_if_the_clock_is_wrong() {
        for spoil in [|path: &Path| fs::remove_file(path), |path: &Path| fs::write(path, "rubbish")] {
            let (_dir, paths) = node();
            fs::write(path(&paths), "41\n").unwrap();
            let last = next(&paths, 1_700_000_000, FILE);
            spoil(&path(&paths)).unwrap();
            assert_eq!(next(&paths, 7, FILE), last + 1);
        }
    }

    #[test]
    fn what_a_crash_left_beside_the_file_does_no_harm() {
        let (_dir, paths) = node();
        fs::write(path(&paths), "              7\n").unwrap();
        fs::write(paths.lib_dir.join("hb_generation.new"), "    9").unwrap();
        assert_eq!(next(&paths, 1, FILE), 8);
    }

    #[test]
    fn the_time_is_the_generation_unless_it_was_used_already() {
        let (_dir, paths) = node();
        assert_eq!(next(&paths, 1_700_000_000, TIME), 1_700_000_000);
        // Again in the same second, then with the clock set back by an hour, then with time gone by.
        assert_eq!(next(&paths, 1_700_000_000, TIME), 1_700_000_001);
        let back = next_generation(&paths, Wall(1_699_996_400), TIME);
        assert_eq!(back.generation, Generation(1_700_000_002));
        assert_eq!(
            back.remark.as_deref(),
            Some("hbgenmethod time: 1699996400 was used already - generation 1700000002")
        );
        assert_eq!(next(&paths, 1_700_000_500, TIME), 1_700_000_500);
        assert_eq!(next_generation(&paths, Wall(1_700_000_600), TIME).remark, None);
        // With the file alone, as after a boot.
        spare::remove(&copy(&paths));
        assert_eq!(next(&paths, 5, TIME), 1_700_000_601);
    }

    #[test]
    fn a_life_that_the_disk_does_not_take_counts_by_the_time_and_above_all_before() {
        let (_dir, paths) = node();
        fs::write(path(&paths), "41\n").unwrap();
        assert_eq!(next(&paths, 1_700_000_000, FILE), 42);
        fs::remove_file(path(&paths)).unwrap();
        block(&paths);
        let first = next_generation(&paths, Wall(1_700_000_000), FILE);
        assert!(first.unwritten.is_some() && first.generation == Generation(1_700_000_001));
        // The next life knows of it nevertheless, and so does the one that can write again.
        assert_eq!(next(&paths, 5, FILE), 1_700_000_002);
        fs::remove_dir_all(path(&paths)).unwrap();
        assert_eq!(next(&paths, 5, FILE), 1_700_000_003);
    }

    /// As after a boot: `/run` is empty.
    #[test]
    fn a_disk_that_still_holds_an_old_count_after_the_machine_was_started_anew_repeats_no_number() {
        let (_dir, paths) = node();
        fs::write(path(&paths), "41\n").unwrap();
        // It can be read, and takes nothing.
        fs::create_dir_all(paths.lib_dir.join("hb_generation.new/in the way")).unwrap();
        let first = next(&paths, 1_700_000_000, FILE);
        spare::remove(&copy(&paths));
        let second = next(&paths, 1_700_000_060, FILE);
        spare::remove(&copy(&paths));
        fs::remove_dir_all(paths.lib_dir.join("hb_generation.new")).unwrap();
        assert_eq!((first, second), (1_700_000_001, 1_700_000_061));
    }

    #[test]
    fn with_neither_place_to_write_the_clock_decides() {
        let (_dir, paths) = node();
        block(&paths);
        fs::create_dir_all(copy(&paths).join("in the way")).unwrap();
        fs::create_dir_all(paths.own_dir.join("latido-generation.spare/in the way")).unwrap();
        assert_eq!(next(&paths, 1_700_000_000, FILE), 1_700_000_001);
    }
}
