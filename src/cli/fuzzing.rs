//! Doors for `fuzz/` to what is private here; built with the feature `fuzzing` alone.

use crate::diagnostic::{Problem, SourceText};

/// Problems as `latido check` prints them.
pub fn rendered(problems: &[Problem], sources: &[&SourceText]) -> String {
    super::check::rendered_all(problems, sources, false)
}
