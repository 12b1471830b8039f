//! `latido keygen`: a key nobody can guess, in `authkeys` with mode 600 (`config.md` 5).
//!
//! The secret is shown only with `--print`. An existing file is the other node's file too, so it is replaced only with
//! `--yes`.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::auth::{Method, authkeys};
use crate::diagnostic::SourceText;
use crate::paths::Paths;

use super::print;
use super::replace::replace;

/// Random bytes in a secret: as many as SHA-1 can make use of, and few enough to read out over the telephone.
const SECRET_BYTES: usize = 20;
/// The same for SHA-256.
const STRONG_BYTES: usize = 32;

/// Options of `latido keygen`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  latido keygen                 writes /etc/ha.d/authkeys
  latido propagate              copies it to the other node
  latido keygen --print         prints the file, writes nothing
  latido keygen --strong        sha256, when both nodes are Latidos: heartbeat does not start with it

A running pair: stop both nodes, or the node with the old key and the node with the new one take each other for dead.
Exit code: 0 written, 1 a file is there and --yes was not given, 2 it could not be written.")]
pub(super) struct Args {
    /// Directory of authkeys
    #[arg(short = 'd', long = "dir", value_name = "DIR", env = "HA_DIR", default_value = "/etc/ha.d")]
    dir: PathBuf,
    /// Number of the key; both nodes must use the same
    #[arg(long, value_name = "1-15", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=15))]
    number: u8,
    /// How messages are signed
    #[arg(long, value_enum, default_value_t = Signing::Sha1)]
    method: Signing,
    /// HMAC-SHA256 with a key of 256 bits: for two Latidos, because no heartbeat knows it
    #[arg(long, conflicts_with = "method")]
    strong: bool,
    /// Print the file instead of writing it
    #[arg(long)]
    print: bool,
    /// Replace a file that is there; it is kept as authkeys.old
    #[arg(short = 'y', long)]
    yes: bool,
}

/// The methods worth a secret; crc protects from nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Signing {
    /// HMAC-SHA1, understood by every heartbeat
    Sha1,
    /// HMAC-MD5, for a node that knows nothing else
    Md5,
}

/// Runs it.
pub(super) fn run(args: &Args) -> ExitCode {
    let path = Paths::under(&args.dir).authkeys();
    let method = match args.method {
        _ if args.strong => Method::Sha256,
        Signing::Sha1 => Method::Sha1,
        Signing::Md5 => Method::Md5,
    };
    match write(args, &path, method) {
        Ok(code) => code,
        Err(why) => {
            complain!("latido keygen: {why}");
            ExitCode::from(2)
        }
    }
}

fn write(args: &Args, path: &Path, method: Method) -> Result<ExitCode, String> {
    let text = key_file(args.number, method)?;
    if args.print {
        print(text.trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let shown = path.display();
    if path.exists() && !args.yes {
        complain!(
            "latido keygen: {shown} is there and was left as it is: the other node signs with the same key, and with a \
             new one here each would take the other for dead.\n  Stop both nodes, then: latido keygen --yes, and latido \
             propagate."
        );
        return Ok(ExitCode::FAILURE);
    }
    let old = replace(path, &text, 0o600)?;
    let kept = old.map_or(String::new(), |old| format!("; the old file is {}", old.display()));
    print(&format!("{shown}: key {} ({method}), mode 600{kept}", args.number));
    if method.is_latido_only() {
        print(&format!(
            "Only Latido knows {method}: the other node must be a Latido. A heartbeat does not start with this file."
        ));
    }
    print("The other node needs the same file: latido propagate");
    Ok(ExitCode::SUCCESS)
}

/// An `authkeys` with one new key, whole.
///
/// # Errors
/// A sentence when the kernel gives no random bytes.
pub(super) fn key_file(number: u8, method: Method) -> Result<String, String> {
    let secret = secret(if method == Method::Sha256 { STRONG_BYTES } else { SECRET_BYTES })?;
    let only = if method.is_latido_only() {
        "# Only Latido knows this method: no heartbeat starts with this file.\n"
    } else {
        ""
    };
    let text = format!(
        "# The keys that sign every message. The same file on both nodes, mode 600, owner root.\n\
         # Nothing may follow a key on its line, not even a comment. A new one: latido keygen\n\
         {only}auth {number}\n{number} {method} {secret}\n"
    );
    // Whatever is written is read again first: a daemon that refuses its key does not start.
    match authkeys::parse(&SourceText::new("authkeys", text.as_str())) {
        // That the other node must be a Latido is said by who writes it.
        (Some(_), problems) if problems.len() == usize::from(method.is_latido_only()) => Ok(text),
        _ => Err("the new key does not read back; nothing was written".to_owned()),
    }
}

fn secret(length: usize) -> Result<String, String> {
    let mut bytes = vec![0; length];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut bytes))
        .map_err(|error| format!("no random bytes from /dev/urandom: {error}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_keys_are_the_same_and_each_is_long() {
        let keys: std::collections::BTreeSet<String> = (0..50).map(|_| secret(SECRET_BYTES).unwrap()).collect();
        assert_eq!(keys.len(), 50);
        assert!(keys.iter().all(|key| key.len() == 40 && key.bytes().all(|byte| byte.is_ascii_hexdigit())));
    }

    #[test]
    fn a_strong_key_has_256_bits_and_says_who_can_read_it() {
        let text = key_file(2, Method::Sha256).unwrap();
        let secret = text.lines().find_map(|line| line.strip_prefix("2 sha256 ")).unwrap();
        assert!(secret.len() == 64 && secret.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert!(text.contains("no heartbeat starts with this file"));
        let keyring = authkeys::parse(&SourceText::new("a", text)).0.unwrap();
        // A lower bound whatever letters chance chose.
        assert!(keyring.signing_strength() >= Some(128));
    }

    #[test]
    fn the_file_reads_back_without_a_complaint_for_every_number_and_method() {
        for number in 1..=15 {
            for method in [Method::Sha1, Method::Md5, Method::Sha256] {
                let (keyring, problems) = authkeys::parse(&SourceText::new("a", key_file(number, method).unwrap()));
                assert!(keyring.is_some() && problems.is_empty() != method.is_latido_only());
            }
        }
    }
}
