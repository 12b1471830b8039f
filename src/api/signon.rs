//! Sign-on (`api.md` 2.2): the checks in the order of the original, its reasons, and the answer.

use crate::config::Config;
use crate::wire::{Message, field as wire};

use super::answer::{SPOKEN_VERSION, response};
use super::field;
use super::rules::{ApiRules, Credentials};

/// The original takes longer ones and cuts them at the wrong place.
const LONGEST_NAME: usize = 31;

/// Who a client says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SignOn {
    /// Its name; of a casual client its pid.
    pub(super) name: String,
    /// Whether it only asks, has no name of its own and may send nothing.
    pub(super) casual: bool,
    pid: Option<u32>,
}

/// Why a sign-on is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// For the client.
    pub(super) info: &'static str,
    /// For the log.
    pub(super) why: String,
}

impl SignOn {
    /// Reads it from a `signon`.
    pub(super) fn from_message(message: &Message) -> SignOn {
        let pid = message.get(field::PID).and_then(|text| text.parse().ok());
        let given = message.get(field::FROM_ID);
        let casual = given.is_none_or(|name| pid.is_some_and(|pid: u32| name.parse() == Ok(pid)));
        let name = match given {
            Some(name) if !casual => name.to_owned(),
            _ => pid.unwrap_or_default().to_string(),
        };
        SignOn { name, casual, pid }
    }

    /// Everything but the name's being taken, which comes second and is `taken`.
    pub(super) fn check(
        &self,
        message: &Message,
        credentials: Credentials,
        rules: &ApiRules,
        taken: bool,
        is_alive: &dyn Fn(u32) -> bool,
    ) -> Result<(), Refused> {
        let refuse = |info, why: String| Err(Refused { info, why });
        let shown = message.get(field::PID).unwrap_or("");
        let Some(pid) = self.pid.filter(|pid| *pid > 0 && is_alive(*pid)) else {
            return refuse("bad pid", format!("api_add_client: bad pid [{shown}]"));
        };
        if taken {
            return refuse("duplicate add request", format!("duplicate client add request [{}] [{pid}]", self.name));
        }
        if self.name.is_empty() || self.name.len() > LONGEST_NAME || !self.name.bytes().all(|b| b.is_ascii_graphic()) {
            return refuse("bad client name", format!("api_add_client: bad client name [{}]", self.name));
        }
        let number = |name: &str| message.get(name).and_then(|text| text.parse::<u32>().ok());
        let (Some(uid), Some(gid)) = (number(field::UID), number(field::GID)) else {
            return refuse("invalid id info", format!("Client user/group id is incorrect [{}]", self.name));
        };
        if (uid, gid) != (credentials.uid, credentials.gid) {
            let why = format!(
                "client {} says that it is {uid}:{gid}, and the kernel that it is {}:{}",
                self.name, credentials.uid, credentials.gid
            );
            return refuse("incorrect/false credentials", why);
        }
        if let Err(info) = rules.admit((!self.casual).then_some(&self.name), credentials) {
            return refuse(info, format!("Client [{}] pid {pid} failed authorization [{info}]", self.name));
        }
        if pid != credentials.pid {
            return refuse("pid mismatch", format!("PID mismatch: {pid} vs farside_pid: {}", credentials.pid));
        }
        Ok(())
    }
}

/// The answer; a refused client learns the same, which tells it from a daemon that does not run.
pub(super) fn welcome(config: &Config, refused: Option<&Refused>) -> Message {
    let settings = &config.settings;
    let facility = config.logging.facility.as_deref().and_then(facility_number).map_or(-1, i32::from);
    let mut message = response("signon");
    match refused {
        None => message.set(wire::RESULT, field::OK),
        Some(refused) => {
            message.set(wire::RESULT, field::BAD);
            message.set(wire::INFO, refused.info);
        }
    }
    message
        .with("deadtime", format!("{:x}", settings.deadtime.as_millis()))
        .with("keepalive", format!("{:x}", settings.keepalive.as_millis()))
        .with(wire::NODE, settings.me.as_str())
        .with("hbversion", format!("{SPOKEN_VERSION} (latido {})", env!("CARGO_PKG_VERSION")))
        .with("pacemaker", "false")
        .with("logfacility", facility.to_string())
}

/// The `LOG_*` constant of `syslog.h`, a multiple of 8.
pub fn facility_number(name: &str) -> Option<u8> {
    const NAMES: [&str; 12] =
        ["kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"];
    let local = || name.strip_prefix("local")?.parse().ok().filter(|n: &u8| *n < 8).map(|n| n + 16);
    let named = || NAMES.iter().position(|known| *known == name).and_then(|at| u8::try_from(at).ok());
    named().or_else(local).map(|number| number << 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLER: Credentials = Credentials { pid: 50, uid: 0, gid: 7 };

    fn sign_on(fields: &[(&str, &str)]) -> Message {
        fields.iter().fold(Message::empty(), |message, (name, value)| message.with(name, *value))
    }

    fn info(fields: &[(&str, &str)], taken: bool) -> Result<(), &'static str> {
        let message = sign_on(fields);
        let rules = ApiRules::new(&[], |name| (name == "root").then_some(0), |_| None);
        let sign_on = SignOn::from_message(&message);
        sign_on.check(&message, CALLER, &rules, taken, &|pid| pid < 100).map_err(|refused| refused.info)
    }

    #[test]
    fn the_reasons_come_in_the_order_of_the_original() {
        let casual = [("pid", "50"), ("uid", "0"), ("gid", "7")];
        assert_eq!(info(&casual, false), Ok(()));
        assert_eq!(info(&[("uid", "0"), ("gid", "7")], true), Err("bad pid"));
        assert_eq!(info(&[("pid", "500"), ("uid", "0"), ("gid", "7")], false), Err("bad pid"));
        assert_eq!(info(&casual, true), Err("duplicate add request"));
        assert_eq!(info(&[("pid", "50"), ("uid", "x"), ("gid", "7")], false), Err("invalid id info"));
        assert_eq!(info(&[("pid", "50"), ("uid", "1"), ("gid", "7")], false), Err("incorrect/false credentials"));
        let named = |name| [("pid", "51"), ("uid", "0"), ("gid", "7"), ("from_id", name)];
        assert_eq!(info(&named("ipfail"), false), Err("client failed authorization"));
        assert_eq!(info(&named("foo"), false), Err("no default client auth"));
        assert_eq!(info(&named("lha-snmpagent"), false), Err("pid mismatch"));
        assert_eq!(info(&named("a name that is far too long for it"), false), Err("bad client name"));
    }

    #[test]
    fn who_gives_its_pid_as_its_name_is_casual() {
        let sign_on = |fields: &[(&str, &str)]| SignOn::from_message(&sign_on(fields));
        assert!(sign_on(&[("pid", "50"), ("from_id", "50")]).casual);
        assert!(sign_on(&[("pid", "50")]).casual);
        assert_eq!(sign_on(&[("pid", "50")]).name, "50");
        assert!(!sign_on(&[("pid", "50"), ("from_id", "51")]).casual);
    }

    #[test]
    fn facilities_have_the_numbers_of_syslog_h() {
        let numbers = ["local0", "daemon", "kern", "local8", "nosuch"].map(facility_number);
        assert_eq!(numbers, [Some(128), Some(24), Some(0), None, None]);
    }
}
