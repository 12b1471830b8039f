//! Files, directories and scripts that somebody else may write: nothing of theirs is run, and the rest serves.

use super::runner::Test;

/// The tests of this file.
pub(crate) const TESTS: &[Test] = &[];
