//! Directories, sockets, locks and pids that somebody else made, swapped or had before.

use super::runner::Test;

/// The tests of this file.
pub(crate) const TESTS: &[Test] = &[];
