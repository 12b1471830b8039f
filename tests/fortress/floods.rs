//! A minute of each flood: own beats on time, no move, log and journal bounded, root is answered.

use super::runner::Test;

/// The tests of this file.
pub(crate) const TESTS: &[Test] = &[];
