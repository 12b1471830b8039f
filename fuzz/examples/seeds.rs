//! `seeds DIRECTORY`: writes the seeds of every target into DIRECTORY/TARGET, its words into DIRECTORY/TARGET.dict, and
//! prints each target with the length of its longest input, for `scripts/fuzz`.

use std::path::Path;
use std::{env, fs, io};

use latido_fuzz::{TARGETS, all_seeds};

fn main() -> io::Result<()> {
    let directory = env::args_os().nth(1).ok_or_else(|| io::Error::other("usage: seeds DIRECTORY"))?;
    fs::create_dir_all(&directory)?;
    for target in &TARGETS {
        let words: String = (target.words)().iter().map(|word| spelled(word)).collect();
        fs::write(Path::new(&directory).join(format!("{}.dict", target.name)), words)?;
        let directory = Path::new(&directory).join(target.name);
        fs::create_dir_all(&directory)?;
        for (name, bytes) in all_seeds(target) {
            if bytes.len() <= target.max_len {
                fs::write(directory.join(name), bytes)?;
            }
        }
        println!("{} {}", target.name, target.max_len);
    }
    Ok(())
}

/// As a line of a dictionary.
fn spelled(word: &str) -> String {
    let byte =
        |byte: u8| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("\\x{byte:02x}") };
    format!("\"{}\"\n", word.bytes().map(byte).collect::<String>())
}
