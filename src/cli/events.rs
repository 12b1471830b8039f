//! `latido events`: the journal, newest last, and whatever is added to it.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use crate::daemon::writing::journal::previous;
use crate::journal::{self, EventEntry};
use crate::paths::Paths;
use crate::sys;

/// Between two looks at the file.
const LOOK: Duration = Duration::from_millis(200);

/// Options of `latido events`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example: latido events --last 20 --follow")]
pub(super) struct Args {
    /// Go on printing what happens
    #[arg(short, long)]
    follow: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// Only the last N
    #[arg(short = 'n', long, value_name = "N")]
    last: Option<usize>,
    /// The node's directory
    #[arg(short = 'd', long = "dir", value_name = "DIR", env = "HA_DIR", default_value = "/etc/ha.d")]
    dir: PathBuf,
}

/// Prints.
pub(super) fn run(args: &Args) -> ExitCode {
    let path = Paths::under(&args.dir).journal();
    let lines = match read(&path) {
        Ok(lines) => lines,
        Err(why) => {
            complain!("latido events: {why}");
            return ExitCode::from(2);
        }
    };
    let skipped = args.last.map_or(0, |last| lines.len().saturating_sub(last));
    if !lines[skipped..].iter().all(|line| show(line, args.json)) {
        return ExitCode::SUCCESS;
    }
    if args.follow {
        follow(&path, args.json);
    }
    ExitCode::SUCCESS
}

/// All lines, of both files.
pub(super) fn read(path: &Path) -> Result<Vec<String>, String> {
    log::debug!("reading {} and {}", previous(path).display(), path.display());
    let mut bytes = std::fs::read(previous(path)).unwrap_or_default();
    match std::fs::read(path) {
        Ok(newer) => bytes.extend(newer),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && bytes.is_empty() => {
            return Err(format!(
                "{} is not there: no latido daemon has run on this node yet; `latido status` says how to start one",
                path.display()
            ));
        }
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            let path = path.display();
            return Err(format!(
                "not allowed to read {path}: become root (sudo latido ...) or a member of group haclient"
            ));
        }
        Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
    }
    Ok(String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect())
}

/// False when nobody reads any more.
fn show(line: &str, json: bool) -> bool {
    let Some(entry) = journal::parse(line) else { return true };
    let text = if json { serde_json::to_string(&entry).unwrap_or_default() } else { describe(&entry) };
    super::printed(&text)
}

fn describe(entry: &EventEntry) -> String {
    let level = if entry.is_plain() { "" } else { &entry.level };
    format!("{}  {:<6} {level:<6}{}", local(entry.t), entry.node, entry.text)
}

/// `2026-11-21 06:53:12.345`
pub(super) fn local(t: f64) -> String {
    let whole = Duration::try_from_secs_f64(t).unwrap_or_default();
    let at = sys::local_time(whole.as_secs());
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:03}",
        at.year,
        at.month,
        at.day,
        at.hour,
        at.minute,
        at.second,
        whole.subsec_millis()
    )
}

fn follow(path: &Path, json: bool) {
    let mut place: Option<(u64, u64)> = std::fs::metadata(path).ok().map(|meta| (meta.ino(), meta.len()));
    loop {
        super::pause(LOOK);
        let Ok(mut file) = File::open(path) else { continue };
        let Ok(meta) = file.metadata() else { continue };
        // A new file: the old one was full.
        let from = place.filter(|(inode, at)| *inode == meta.ino() && *at <= meta.len()).map_or(0, |(_, at)| at);
        let mut read = 0;
        if file.seek(SeekFrom::Start(from)).is_ok() {
            let mut reader = BufReader::new(file.take(meta.len() - from));
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|n| n > 0) && line.ends_with('\n') {
                read += line.len() as u64;
                if !show(line.trim_end(), json) {
                    return;
                }
                line.clear();
            }
        }
        place = Some((meta.ino(), from + read));
    }
}
