//! The other machine, through `ssh` and `scp`: its name, its files' digests, its files, and new ones put into place.
//!
//! Nothing is installed before all of it has arrived; what was there is kept. The programs ask for a password themselves
//! when they need one. Only words checked here reach the far shell.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::cli::logging::runs;

/// So that a machine that is off, or hangs, is not waited for.
const OPTIONS: [&str; 6] = ["-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"];
/// Beside the files, on the same file system, and readable by root alone: where new files arrive.
const ARRIVALS: &str = ".latido-propagate";

/// A machine and its directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Remote {
    host: String,
    dir: String,
}

/// What it said of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct RemoteState {
    /// `uname -n` there.
    pub(in crate::cli) name: String,
    /// SHA-1 of each file it has.
    pub(in crate::cli) digests: BTreeMap<String, String>,
}

impl Remote {
    /// Checks that both are words a shell takes as they are.
    ///
    /// # Errors
    /// A sentence that names the word.
    pub(in crate::cli) fn new(host: &str, dir: &Path) -> Result<Remote, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if host.is_empty() || host.starts_with('-') || !host.chars().all(|c| plain(c) || "@:%".contains(c)) {
            return Err(format!("\"{host}\" is not a host name or USER@HOST"));
        }
        let text = dir.to_str().unwrap_or_default();
        if !text.starts_with('/') || !text.chars().all(|c| plain(c) || "/+".contains(c)) {
            return Err(format!(
                "\"{}\" is not a plain absolute path: it must be the same on both nodes",
                dir.display()
            ));
        }
        Ok(Remote { host: host.to_owned(), dir: text.to_owned() })
    }

    /// Its name and the digests of these files.
    ///
    /// # Errors
    /// A sentence with what `ssh` said.
    pub(in crate::cli) fn state(&self, files: &[&str]) -> Result<RemoteState, String> {
        let script = format!(
            "uname -n; cd {} 2>/dev/null || exit 0; for f in {}; do [ ! -f $f ] || sha1sum $f || exit 1; done",
            self.dir,
            files.join(" ")
        );
        let said = self.ssh(&script)?;
        let (name, rest) = said.split_once('\n').unwrap_or((&said, ""));
        Ok(RemoteState { name: name.trim().to_owned(), digests: digests(rest) })
    }

    /// The text of a file.
    ///
    /// # Errors
    /// A sentence with what `ssh` said.
    pub(in crate::cli) fn read(&self, file: &str) -> Result<String, String> {
        self.ssh(&format!("cat {}/{file}", self.dir))
    }

    /// What the doctor says there, as JSON; `None` when there is none.
    ///
    /// # Errors
    /// A sentence with what `ssh` said.
    pub(in crate::cli) fn doctor(&self) -> Result<Option<String>, String> {
        // Its exit code is about what it found; an empty answer is that there is no such program.
        let script = format!("command -v latido >/dev/null || exit 0; latido doctor --json -d {}; true", self.dir);
        let said = self.ssh(&script)?;
        Ok(Some(said).filter(|said| !said.trim().is_empty()))
    }

    /// Brings files there and puts them into place, with these modes; returns their digests as they are there then.
    ///
    /// # Errors
    /// A sentence with what `ssh` or `scp` said; nothing was put into place unless it says so.
    pub(in crate::cli) fn install(
        &self,
        from: &Path,
        files: &[(&str, u32)],
    ) -> Result<BTreeMap<String, String>, String> {
        let Remote { dir, .. } = self;
        self.ssh(&format!("mkdir -p {dir} && rm -rf {dir}/{ARRIVALS} && mkdir -m 700 {dir}/{ARRIVALS}"))?;
        let result = self.scp(from, files).and_then(|()| self.ssh(&self.placing(files)));
        if result.is_err() {
            // A key must not lie about; where this fails as well, the next attempt begins with it.
            let _ = self.ssh(&format!("rm -rf {dir}/{ARRIVALS}"));
        }
        result.map(|said| digests(&said))
    }

    /// Modes and owners, then copies of what is there, then the renames, which nothing but a power failure can part.
    fn placing(&self, files: &[(&str, u32)]) -> String {
        let mut script = format!("cd {}", self.dir);
        for (file, mode) in files {
            script += &format!(" && chmod {mode:o} {ARRIVALS}/{file}");
            script += &format!(" && {{ [ \"$(id -u)\" != 0 ] || chown 0:0 {ARRIVALS}/{file}; }}");
        }
        for (file, _) in files {
            script += &format!(" && {{ [ ! -e {file} ] || cp -p {file} {file}.old; }}");
        }
        for (file, _) in files {
            script += &format!(" && mv -f {ARRIVALS}/{file} {file}");
        }
        let names: Vec<&str> = files.iter().map(|(file, _)| *file).collect();
        script + &format!(" && rmdir {ARRIVALS} && sync && sha1sum {}", names.join(" "))
    }

    fn scp(&self, from: &Path, files: &[(&str, u32)]) -> Result<(), String> {
        let host = match self.host.rsplit_once('@') {
            Some((user, host)) if host.contains(':') => format!("{user}@[{host}]"),
            None if self.host.contains(':') => format!("[{}]", self.host),
            Some(_) | None => self.host.clone(),
        };
        let target = format!("{host}:{}/{ARRIVALS}/", self.dir);
        let mut words: Vec<OsString> = ["-q", "-p"].iter().chain(&OPTIONS).map(Into::into).collect();
        words.push("--".into());
        words.extend(files.iter().map(|(file, _)| from.join(file).into_os_string()));
        words.push(target.into());
        self.run("scp", &words).map(drop)
    }

    fn ssh(&self, script: &str) -> Result<String, String> {
        let words: Vec<OsString> = ["-n"].iter().chain(&OPTIONS).map(Into::into).collect();
        self.run("ssh", &[words, vec!["--".into(), self.host.clone().into(), script.into()]].concat())
    }

    fn run(&self, program: &str, words: &[OsString]) -> Result<String, String> {
        let host = &self.host;
        let mut command = Command::new(program);
        runs(command.args(words));
        let output = command.stdin(Stdio::inherit()).stderr(Stdio::piped()).output();
        let output = output.map_err(|error| format!("cannot run {program}: {error}; install the OpenSSH client"))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
        Err(format!("{program} to {host} failed ({}): {said}", output.status))
    }
}

/// Lines of `sha1sum`.
fn digests(text: &str) -> BTreeMap<String, String> {
    let line = |line: &str| {
        let (digest, file) = line.split_once(' ')?;
        let whole = digest.len() == 40 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        whole.then(|| (file.trim_start_matches([' ', '*']).trim().to_owned(), digest.to_owned()))
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_a_machine_says_is_digests_or_nothing(text in "([0-9a-f]{38,42}|[ *a-z]{0,4}|\n){0,9}") {
            for (file, digest) in digests(&text) {
                prop_assert!(digest.len() == 40 && !file.starts_with(' '));
            }
        }
    }

    #[test]
    fn only_plain_words_reach_the_far_shell() {
        let dir = Path::new("/etc/ha.d");
        for host in ["beta", "root@beta.example.com", "fe80::1%eth0", "root@2001:db8::2"] {
            assert!(Remote::new(host, dir).is_ok(), "{host}");
        }
        for host in ["", "-oProxyCommand=x", "a b", "a;b", "$(x)", "a/b", "beta\n"] {
            assert!(Remote::new(host, dir).is_err(), "{host}");
        }
        for dir in ["etc/ha.d", "/etc/ha d", "/etc/'x", "/tmp/$x", ""] {
            assert!(Remote::new("beta", Path::new(dir)).is_err(), "{dir}");
        }
    }

    #[test]
    fn what_is_no_digest_is_passed_over() {
        let sum = "a9993e364706816aba3e25717850c26c9cd0d89d";
        let text = format!("Last login: today\n{sum}  ha.cf\n{sum} *authkeys\nxyz  haresources\n");
        assert_eq!(digests(&text).into_keys().collect::<Vec<_>>(), ["authkeys", "ha.cf"]);
    }
}
