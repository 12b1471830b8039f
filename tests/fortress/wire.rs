//! The segment without the key: replays, lower generations, numbers at the end of their range.

use super::runner::Test;

/// The tests of this file.
pub(crate) const TESTS: &[Test] = &[];
