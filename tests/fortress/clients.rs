//! Clients of the API, of the control socket and of the status page that take more than their share, or say what they should not.

use super::runner::Test;

/// The tests of this file.
pub(crate) const TESTS: &[Test] = &[];
