//! README and the guide (`docs/guide`): translations in step, links that lead somewhere, commands that the program takes,
//! messages that it says, samples and outputs as they are, and the chapter *Asterisk and DRBD from nothing* played line by
//! line on stand-ins.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/bench.rs"]
mod bench;
#[path = "support/steady.rs"]
mod steady;

#[path = "guide/commands.rs"]
mod commands;
#[path = "guide/links.rs"]
mod links;
#[path = "guide/machines.rs"]
mod machines;
#[path = "guide/markdown.rs"]
mod markdown;
#[path = "guide/outputs.rs"]
mod outputs;
#[path = "guide/play.rs"]
mod play;
#[path = "guide/translations.rs"]
mod translations;
