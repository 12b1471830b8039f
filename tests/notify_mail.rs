//! `scripts/notify/mail`: what is mailed and to whom, with a `sendmail` that only writes down what it is given.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use latido::cluster::EventName;

fn program(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

/// Runs the script where the only mailer there is lies first on the PATH.
fn notify(dir: &Path, event: &str, level: &str, text: &str) -> Output {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/notify/mail");
    // A mailer of this machine must not be found: the script is read with its own names for it replaced.
    let script = fs::read_to_string(script).unwrap().replace("/usr/sbin/sendmail /usr/lib/sendmail ", "");
    program(dir, "under-test", &script);
    Command::new(dir.join("under-test"))
        .arg("root,boss@example.org")
        .env("PATH", format!("{}:/usr/bin:/bin", dir.display()))
        .env("LATIDO_EVENT", event)
        .env("LATIDO_LEVEL", level)
        .env("LATIDO_TEXT", text)
        .env("LATIDO_NODE", "alpha")
        .env("LATIDO_TIME", "1700000000")
        .output()
        .unwrap()
}

#[test]
fn a_death_is_mailed_with_its_words_and_a_heartbeat_that_was_late_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let mails = dir.path().join("mails");
    program(dir.path(), "sendmail", &format!("#!/bin/sh\n[ \"$1\" = -t ] && cat >> {}\n", mails.display()));
    program(dir.path(), "latido", "#!/bin/sh\necho 'alpha took 10.0.0.10 because beta was dead'\n");
    let output =
        notify(dir.path(), EventName::NodeDead.name(), "WARN", "node beta: is dead\nBcc: everybody@example.org");
    assert!(output.status.success(), "{output:?}");
    let mail = fs::read_to_string(&mails).unwrap();
    let expected = "To: root,boss@example.org\nSubject: [alpha] node beta: is dead Bcc: everybody@example.org\n\n";
    assert!(mail.starts_with(expected), "{mail}");
    assert!(mail.contains("because beta was dead"), "{mail}");
    assert!(notify(dir.path(), EventName::LateHeartbeat.name(), "WARN", "Late heartbeat").status.success());
    assert_eq!(fs::read_to_string(&mails).unwrap(), mail, "nothing further");
    notify(dir.path(), "something-new", "ERROR", "it is bad");
    assert!(fs::read_to_string(&mails).unwrap().contains("it is bad"));
}
