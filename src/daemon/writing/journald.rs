//! Lines for the journal of systemd, each once, with its priority and what it is about in fields of its own
//! (`systemd.md` 4): `journalctl LATIDO_GROUP=web`, `journalctl MESSAGE_ID=…`.
//!
//! The protocol is a datagram of `NAME=value` lines (systemd, "Native Journal Protocol"). The crates for it wait when the
//! journal does not read, or bring a logger of their own beside ours; a line here is lost rather than late.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use serde_json::Value;

use crate::cluster::EventName;
use crate::journal::EventEntry;

const SOCKET: &str = "/run/systemd/journal/socket";
/// Where programs write who know syslog only, and whose socket that is when the journal reads it.
const SYSLOG: &str = "/dev/log";
const ITS_SYSLOG: &str = "/run/systemd/journal/dev-log";

/// The journal.
#[derive(Debug)]
pub(crate) struct Journald {
    socket: UnixDatagram,
    /// The unit this daemon is, in a field.
    unit: String,
    /// Whether what is written to syslog arrives here as well.
    pub(super) reads_syslog: bool,
}

/// What a line is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields(String);

impl Fields {
    /// Those of an event; the first line of several has its kind's number.
    pub(crate) fn of(event: EventName, entry: &EventEntry, is_first: bool) -> Fields {
        let mut text = format!("LATIDO_EVENT={}\n", event.name());
        for (name, value) in entry.data.as_object().into_iter().flatten() {
            let value = match value {
                Value::String(value) => value.clone(),
                Value::Number(_) | Value::Bool(_) => value.to_string(),
                Value::Null | Value::Array(_) | Value::Object(_) => continue,
            };
            // A line feed would begin a field that nobody meant.
            let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
            text += &format!("LATIDO_{}={}\n", name.to_ascii_uppercase(), value.replace('\n', " "));
        }
        let id = event.message_id().filter(|_| is_first);
        text.extend(id.map(|id| format!("MESSAGE_ID={id}\n")));
        Fields(text)
    }
}

impl Journald {
    /// The journal that reads on this machine; `None` where there is none.
    pub(crate) fn open() -> Option<Journald> {
        Journald::at(Path::new(SOCKET))
    }

    fn at(path: &Path) -> Option<Journald> {
        let socket = UnixDatagram::unbound().ok()?;
        socket.set_nonblocking(true).ok()?;
        socket.connect(path).ok()?;
        let reads_syslog = std::fs::canonicalize(SYSLOG).is_ok_and(|real| real == Path::new(ITS_SYSLOG));
        let cgroups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let unit = unit_of(&cgroups).map_or_else(String::new, |unit| format!("OBJECT_SYSTEMD_UNIT={unit}\n"));
        Some(Journald { socket, unit, reads_syslog })
    }

    /// Writes a line: `words` without a line feed in it, `facility` as a multiple of 8.
    ///
    /// # Errors
    /// The journal does not take it, and another way is to be found. One that has no room just now is no error: the line
    /// is lost.
    pub(crate) fn send(
        &self,
        program: &str,
        severity: u8,
        facility: Option<u8>,
        words: &str,
        fields: &Fields,
    ) -> io::Result<()> {
        let facility = facility.map_or_else(String::new, |facility| format!("SYSLOG_FACILITY={}\n", facility / 8));
        let head = format!("PRIORITY={severity}\nSYSLOG_IDENTIFIER={program}\n{facility}{}", self.unit);
        let text = format!("{head}{}MESSAGE={}\n", fields.0, words.replace('\n', " "));
        match self.socket.send(text.as_bytes()) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

/// The service a process belongs to, by its `/proc/PID/cgroup`. The journal looks it up as well, but no longer finds it when
/// the process has ended by then: why a node does not start would be missing in `systemctl status`.
fn unit_of(cgroups: &str) -> Option<&str> {
    cgroups.lines().filter_map(|line| line.rsplit('/').next()).find(|name| name.ends_with(".service"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(event: EventName, data: Value) -> Fields {
        Fields::of(event, &EventEntry { data, ..EventEntry::default() }, true)
    }

    #[test]
    fn a_move_arrives_with_its_priority_its_group_and_the_number_of_its_kind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        assert!(Journald::at(&path).is_none(), "nobody reads");
        let reader = UnixDatagram::bind(&path).unwrap();
        let journal = Journald::at(&path).unwrap();
        let held = fields(EventName::GroupHeld, json!({"group": "web", "took": 2.5}));
        journal.send("heartbeat", 6, Some(128), "info: web is up", &held).unwrap();
        let mut bytes = [0; 1000];
        let length = reader.recv(&mut bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
        let expected = "PRIORITY=6\nSYSLOG_IDENTIFIER=heartbeat\nSYSLOG_FACILITY=16\nLATIDO_EVENT=group-held\n\
                        LATIDO_GROUP=web\nLATIDO_TOOK=2.5\nMESSAGE_ID=5200ae0fbc434fb7bd669aceab3a8747\n\
                        MESSAGE=info: web is up\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn nobody_can_add_a_field_and_a_journal_that_does_not_read_holds_nobody_up() {
        let data = json!({"why": "a\nMESSAGE_ID=1", "x\ny=": 1, "list": [1]});
        assert_eq!(fields(EventName::Asked, data).0, "LATIDO_EVENT=asked\nLATIDO_WHY=a MESSAGE_ID=1\nLATIDO_X_Y_=1\n");
        let dir = tempfile::tempdir().unwrap();
        let _reader = UnixDatagram::bind(dir.path().join("journal")).unwrap();
        let journal = Journald::at(&dir.path().join("journal")).unwrap();
        for _ in 0..100_000 {
            journal.send("heartbeat", 6, None, "a\nb", &Fields::default()).unwrap();
        }
    }

    #[test]
    fn a_line_says_of_which_unit_it_is_for_the_process_may_be_gone_when_it_is_read() {
        let old = "9:name=systemd:/system.slice/latido.service\n4:memory:/\n0::/system.slice/latido.service\n";
        assert_eq!(unit_of(old), Some("latido.service"));
        assert_eq!(unit_of("0::/user.slice/user-0.slice/session-3.scope\n"), None);
        assert_eq!(unit_of(""), None);
    }
}
