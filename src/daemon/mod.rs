//! To be written.

pub mod read_config;
