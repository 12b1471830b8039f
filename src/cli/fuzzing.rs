//! Ways for `fuzz/` and for tests to what is private here; built with the feature `fuzzing` alone.

use clap::Parser as _;
use clap::error::ErrorKind;

use crate::diagnostic::{Problem, SourceText};

/// Problems as `latido check` prints them.
pub fn rendered(problems: &[Problem], sources: &[&SourceText]) -> String {
    super::check::rendered_all(problems, sources, false)
}

/// Whether the program takes these words behind its name; what it answers when it does not. The old programs read their
/// words themselves.
///
/// # Errors
/// What the program would say.
pub fn takes(words: &[String]) -> Result<(), String> {
    let old = ["cl_status", "ipfail", "dopd", "drbd-peer-outdater"];
    if words.first().is_some_and(|word| old.contains(&word.as_str())) {
        return Ok(());
    }
    let line = std::iter::once("latido").chain(words.iter().map(String::as_str));
    match super::Latido::try_parse_from(line) {
        Ok(_) => Ok(()),
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}
