//! `latido replay FILE`: lets this program live through what a daemon recorded, and prints what it would have done.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::record::{LONGEST_LINE, Player, ShowLevel};

/// Options of `latido replay`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Nothing runs and nothing is sent: the record says what happened to the node, this program decides again. Times are
seconds since that daemon started.

Examples:
  latido daemon --record /var/log/latido.record     on the node: write it
  latido replay /var/log/latido.record              anywhere: play it
  latido replay --all - < latido.record             heartbeats too
Exit code: 0 played to its end, 1 no record, or cut off (the line is named), 2 cannot be read.")]
pub(super) struct Args {
    /// What `latido daemon --record` wrote; - for the standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Show heartbeats and acknowledgements as well
    #[arg(short, long)]
    all: bool,
}

/// Plays and prints.
pub(super) fn run(args: &Args) -> ExitCode {
    let name = args.file.display();
    let input: Box<dyn BufRead> = if args.file == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        match File::open(&args.file) {
            Ok(file) => Box::new(BufReader::new(file)),
            Err(error) => {
                complain!("latido replay: cannot open {name}: {error}");
                return ExitCode::from(2);
            }
        }
    };
    match play(input, if args.all { ShowLevel::Everything } else { ShowLevel::Changes }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(End::ReaderWentAway) => ExitCode::SUCCESS,
        Err(End::Unreadable(error)) => {
            complain!("latido replay: cannot read {name}: {error}");
            ExitCode::from(2)
        }
        Err(End::NoRecord(why)) => {
            complain!("latido replay: {name}:{why}");
            ExitCode::FAILURE
        }
    }
}

enum End {
    Unreadable(io::Error),
    ReaderWentAway,
    NoRecord(String),
}

fn play(mut input: Box<dyn BufRead>, shown: ShowLevel) -> Result<(), End> {
    let mut player = Player::new(shown);
    let mut out = io::stdout().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        // What has no end is no record.
        let most = LONGEST_LINE as u64;
        if input.by_ref().take(most).read_until(b'\n', &mut line).map_err(End::Unreadable)? == 0 {
            break;
        }
        let lines = player.play(&String::from_utf8_lossy(&line)).map_err(|stuck| End::NoRecord(stuck.to_string()))?;
        for line in lines {
            writeln!(out, "{line}").map_err(|_| End::ReaderWentAway)?;
        }
    }
    player.end().map_err(|stuck| End::NoRecord(stuck.to_string()))
}
