//! What each fuzz target does with its bytes, and where its seeds come from. Knows no engine: `fuzz_targets/` hands these
//! functions to libFuzzer; `tests/fuzz_seeds.rs` of the project is made of the same files, and replays the seeds and their
//! mutations with any toolchain.
//!
//! Nothing here opens a socket, starts a program or writes a file.

use std::fs;
use std::path::{Path, PathBuf};

mod bytes;

pub mod api;
pub mod compress;
pub mod core;
pub mod files;
pub mod local;
pub mod notes;
pub mod packets;
pub mod plays;
pub mod wire;

/// A name and what is in it.
pub type Seed = (String, Vec<u8>);

/// One target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Of its file in `fuzz_targets/`.
    pub name: &'static str,
    /// What it does; it panics when something is wrong.
    pub run: fn(&[u8]),
    /// What it begins with.
    pub seeds: fn() -> Vec<Seed>,
    /// What its inputs are made of, for the engine to put together.
    pub words: fn() -> Vec<String>,
    /// Longer inputs find nothing that shorter ones do not.
    pub max_len: usize,
    /// How much it does with each input, beside one that only parses.
    pub weight: u64,
}

/// All of them.
pub const TARGETS: [Target; 9] = [
    Target { name: "wire", run: wire::run, seeds: wire::seeds, words: wire::words, max_len: 4096, weight: 2 },
    Target {
        name: "compress",
        run: compress::run,
        seeds: compress::seeds,
        words: wire::words,
        max_len: 4096,
        weight: 5,
    },
    Target { name: "files", run: files::run, seeds: files::seeds, words: files::words, max_len: 4096, weight: 4 },
    Target { name: "api", run: api::run, seeds: api::seeds, words: api::words, max_len: 2048, weight: 1 },
    Target { name: "local", run: local::run, seeds: local::seeds, words: local::words, max_len: 4096, weight: 1 },
    Target { name: "notes", run: notes::run, seeds: notes::seeds, words: notes::words, max_len: 16384, weight: 1 },
    Target { name: "packets", run: packets::run, seeds: packets::seeds, words: Vec::new, max_len: 512, weight: 1 },
    Target { name: "plays", run: plays::run, seeds: plays::seeds, words: plays::words, max_len: 1024, weight: 20 },
    Target { name: "core", run: core::run, seeds: core::seeds, words: Vec::new, max_len: 1024, weight: 1 },
];

/// The seeds of a target, and with them the inputs that once broke it (`seeds/TARGET/`).
pub fn all_seeds(target: &Target) -> Vec<Seed> {
    let mut seeds = (target.seeds)();
    seeds.extend(samples(&format!("fuzz/seeds/{}", target.name), ""));
    seeds
}

/// Words of a text.
fn words_of(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// The files in a directory of the project whose names end so, by name.
fn samples(dir: &str, end: &str) -> Vec<Seed> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = if here.ends_with("fuzz") { here.join("..") } else { here.to_owned() };
    let Ok(entries) = fs::read_dir(root.join(dir)) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let seed = |path: PathBuf| Some((name(&path)?, fs::read(&path).ok()?));
    paths.into_iter().filter(|path| path.to_string_lossy().ends_with(end)).filter_map(seed).collect()
}
