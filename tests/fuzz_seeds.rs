//! Every seed of `fuzz/`, and mutations of it that are the same in every run, through every target: with any toolchain,
//! without an engine. `LATIDO_MUTATIONS=n` tries n of each seed.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[allow(dead_code, unreachable_pub, reason = "a library of its own in `fuzz/`, where it is run by an engine")]
#[path = "../fuzz/src/lib.rs"]
mod targets;

use latido::dice::Dice;
use targets::{TARGETS, Target, all_seeds};

/// Of each seed; of targets that do much with each input, fewer.
const MUTATIONS: u64 = 200;
/// Bytes that parsers count, split and stop at.
const TELLING: &[u8] = b"\0\n\r\x13\x1b\"#%,.:;=<>()0159azAZ \t/*@\x7f\x80\xff";

fn mutated(seed: &[u8], other: &[u8], words: &[String], dice: &mut Dice, most: usize) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    let place = |dice: &mut Dice, length: usize| usize::try_from(dice.below(length as u64 + 1)).unwrap_or(0);
    for _ in 0..=dice.below(4) {
        let at = place(dice, bytes.len());
        match dice.below(9) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, dice.pick(TELLING)),
            2 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            3 if at < bytes.len() => bytes[at] = dice.pick(TELLING),
            4 if at < bytes.len() => drop(bytes.remove(at)),
            5 => {
                let from = place(dice, other.len());
                bytes.splice(at.., other[from..].iter().copied());
            }
            6 if !words.is_empty() => {
                bytes.splice(at..at, dice.pick(words).bytes());
            }
            7 => {
                let end = (at + place(dice, 64)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece.repeat(1 + place(dice, 3)));
            }
            _ => {
                let end = (at + place(dice, 16)).min(bytes.len());
                bytes.drain(at..end);
            }
        }
    }
    bytes.truncate(most);
    bytes
}

fn replay(target: &Target) {
    let asked = std::env::var("LATIDO_MUTATIONS").ok().and_then(|n| n.parse().ok());
    let seeds = all_seeds(target);
    assert!(seeds.len() >= 3, "{} has too few seeds", target.name);
    let words = (target.words)();
    let mut dice = Dice::new(1);
    for (name, seed) in &seeds {
        std::panic::catch_unwind(|| (target.run)(seed)).unwrap_or_else(|_| panic!("the seed {} {name}", target.name));
        for number in 0..asked.unwrap_or(MUTATIONS / target.weight) {
            let bytes = mutated(seed, &dice.pick(&seeds).1, &words, &mut dice, target.max_len);
            if std::panic::catch_unwind(|| (target.run)(&bytes)).is_err() {
                panic!("mutation {number} of the seed {} {name}: {:?}", target.name, String::from_utf8_lossy(&bytes));
            }
        }
    }
}

fn of(name: &str) {
    TARGETS.iter().filter(|target| target.name == name).for_each(replay);
}

#[test]
fn the_seeds_of_wire_do_no_harm() {
    of("wire");
}

#[test]
fn the_seeds_of_compress_do_no_harm() {
    of("compress");
}

#[test]
fn the_seeds_of_files_do_no_harm() {
    of("files");
}

#[test]
fn the_seeds_of_api_do_no_harm() {
    of("api");
}

#[test]
fn the_seeds_of_local_do_no_harm() {
    of("local");
}

#[test]
fn the_seeds_of_notes_do_no_harm() {
    of("notes");
}

#[test]
fn the_seeds_of_packets_do_no_harm() {
    of("packets");
}

#[test]
fn the_seeds_of_plays_do_no_harm() {
    of("plays");
}

#[test]
fn the_seeds_of_core_do_no_harm() {
    of("core");
}
