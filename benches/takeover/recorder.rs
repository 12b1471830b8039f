//! The stand-in resource of the bench: does nothing but write down when its process began, and remember its state.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use super::support::clock::epoch;

/// Where a host tells its recorders its directory.
pub(crate) const DIRECTORY: &str = "recorder-directory";

/// Runs as `.../ha.d/resource.d/NAME [ARGS] VERB`.
pub(crate) fn run(words: &[String]) -> ExitCode {
    let at = epoch();
    let path = Path::new(&words[0]);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let verb = words.last().map_or("", String::as_str);
    let Ok(dir) = fs::read_to_string(Path::new("/etc/ha.d").join(DIRECTORY)) else {
        return ExitCode::FAILURE;
    };
    let state = Path::new(&dir).join("state").join(&*name);
    if let Ok(mut record) = fs::OpenOptions::new().append(true).create(true).open(Path::new(&dir).join("record")) {
        let _ = writeln!(record, "{at:.6} {name} {verb}");
    }
    match verb {
        "start" => drop(fs::write(state, "")),
        "stop" => drop(fs::remove_file(state)),
        _ => drop(writeln!(std::io::stdout(), "{}", if state.exists() { "running" } else { "stopped" })),
    }
    ExitCode::SUCCESS
}
