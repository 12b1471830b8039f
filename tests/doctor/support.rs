//! A directory with good files, and what the doctor says about it.

use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use latido::auth::{KeyId, Keyring, Method};
use latido::wire::{Form, Kind, Message, seal};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const KEYS: &str = "auth 1\n1 sha1 4b1d0a9cf2c34a6e8d0577b2c0a6ad90\n";

/// One node that has everything right, as far as one machine can: its own name, keys, a port, scripts.
pub(crate) struct Node {
    dir: TempDir,
    pub(crate) port: u16,
}

/// A status message of this node, signed with key 1.
pub(crate) fn heartbeat(node: &str, secret: &str) -> Vec<u8> {
    let key = Keyring::single(KeyId::new(1).unwrap(), Method::Sha1, secret);
    let fields = [("src", node), ("ts", "6900a000"), ("seq", "1"), ("hg", "1"), ("st", "active"), ("ttl", "3")];
    let message = fields.iter().fold(Message::new(&Kind::Status), |message, (name, value)| message.with(name, *value));
    seal(&message, &key, Form::Classic)
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Findings(Value);

impl Node {
    pub(crate) fn new() -> Node {
        let port = UdpSocket::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port();
        let node = Node { dir: TempDir::new().unwrap(), port };
        node.ha_cf("");
        node.write("haresources", "alpha web\n", 0o644);
        node.write("authkeys", KEYS, 0o600);
        node.write("nodeinfo", "alpha\n", 0o644);
        node.write("root/etc/fstab", "# nothing\n", 0o644);
        node.write("root/etc/systemd/system/multi-user.target.wants/latido.service", "", 0o644);
        node.script("web", "exit 0", "echo stopped");
        node
    }

    /// The usual `ha.cf`, and these lines.
    pub(crate) fn ha_cf(&self, more: &str) {
        let text = format!(
            "logfacility daemon\nkeepalive 200ms\ndeadtime 5\ninitdead 20\nauto_failback on\nudpport {}\n\
             ucast lo 127.0.0.2\nnode alpha beta\n{more}",
            self.port
        );
        self.write("ha.cf", &text, 0o644);
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    /// A resource script that does this for `stop` and for `status`, and remembers how it was called.
    pub(crate) fn script(&self, name: &str, stop: &str, status: &str) {
        let called = self.dir.path().join("called");
        let text = format!(
            "#!/bin/sh\necho \"$*\" >>{}\ncase \"$1\" in\nstop) {stop};;\nstatus) {status};;\n*) exit 9;;\nesac\n",
            called.display()
        );
        self.write(&format!("resource.d/{name}"), &text, 0o755);
    }

    /// The words scripts were called with, one call a line.
    pub(crate) fn called(&self) -> String {
        fs::read_to_string(self.dir.path().join("called")).unwrap_or_default()
    }

    /// Runs `latido doctor` and reads what it found.
    pub(crate) fn examine(&self, words: &[&str]) -> Findings {
        self.examine_as(words, &[])
    }

    /// The same with these variables exported.
    pub(crate) fn examine_as(&self, words: &[&str], exported: &[(&str, &str)]) -> Findings {
        let mut command = Command::new(env!("CARGO_BIN_EXE_latido"));
        command.envs(exported.iter().copied());
        command.args(["doctor", "--json", "--root"]).arg(self.dir.path().join("root"));
        read(command.arg("-d").arg(self.dir.path()).args(words))
    }
}

/// What a run of the doctor found; its exit code and its document agree.
pub(crate) fn read(command: &mut Command) -> Findings {
    let output = command.env_remove("HA_DIR").output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let worst = ["pass", "warn", "fail"].iter().position(|level| document["worst"] == *level);
    assert_eq!(output.status.code().and_then(|code| usize::try_from(code).ok()), worst, "{document:#}");
    assert_eq!(document["version"], 1);
    Findings(document)
}

impl Findings {
    fn all(&self) -> &[Value] {
        self.0["findings"].as_array().unwrap()
    }

    fn of<'a>(&'a self, level: &'a str, check: &'a str) -> impl Iterator<Item = &'a str> {
        let fits = move |finding: &&Value| finding["level"] == level && finding["check"] == check;
        self.all().iter().filter(fits).filter_map(|finding| finding["what"].as_str())
    }

    /// There is such a finding, and it has a remedy unless all is well.
    #[track_caller]
    pub(crate) fn assert(&self, level: &str, check: &str, part: &str) {
        assert!(self.of(level, check).any(|what| what.contains(part)), "no {level} {check} \"{part}\" in {:#}", self.0);
        let without = self.all().iter().find(|finding| finding["level"] != "pass" && finding["remedy"].is_null());
        assert!(without.is_none(), "no remedy: {without:?}");
    }

    /// There is none worse than passed.
    #[track_caller]
    pub(crate) fn assert_no_trouble(&self, check: &str) {
        let trouble = ["warn", "fail"].iter().flat_map(|level| self.of(level, check)).next();
        assert_eq!(trouble, None, "{:#}", self.0);
    }

    /// Everything that is worse than passed.
    pub(crate) fn trouble(&self) -> Vec<String> {
        let bad = self.all().iter().filter(|finding| finding["level"] != "pass");
        bad.map(|finding| format!("{} {}: {}", finding["level"], finding["check"], finding["what"])).collect()
    }

    pub(crate) fn mentions(&self, text: &str) -> bool {
        self.0.to_string().contains(text)
    }
}
