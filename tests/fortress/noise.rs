//! What can be caused from outside again and again: logged, told and kept within bounds.

use super::runner::Test;

/// The tests of this file.
pub(crate) const TESTS: &[Test] = &[];
