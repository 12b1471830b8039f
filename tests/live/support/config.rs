//! What a pair is made of: which daemon on which host, over which media, with which key and failback; and its files.

use std::fmt::Write as _;

/// Which daemon runs on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// heartbeat 3.0.6 of Debian 12.
    Real,
    /// This package's.
    Latido,
}

/// A medium of `ha.cf`; the number is that of the Ethernet cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Medium {
    Bcast(usize),
    Ucast(usize),
    Mcast(usize),
    Serial,
}

/// The line of `authkeys`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Sha1,
    Md5,
    Crc,
    Sha256,
}

/// `auto_failback`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failback {
    On,
    Off,
    Legacy,
}

/// A pair to be built: `alpha` is home of `ra rb`, `beta` of `rc rd`.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) kinds: [Kind; 2],
    pub(crate) media: Vec<Medium>,
    pub(crate) method: Method,
    pub(crate) failback: Failback,
    pub(crate) keepalive_ms: u32,
    pub(crate) deadtime_ms: u32,
    pub(crate) initdead_ms: u32,
    pub(crate) baud: u32,
    pub(crate) haresources: String,
}

impl Plan {
    /// The quick settings of the spec's traces: keepalive 200 ms, deadtime 1 s, initdead 10 s, `bcast eth0`, sha1.
    /// With `LATIDO_LIVE_STUDY` set a real node stands in for each Latido: what it does then is what is normal.
    pub(crate) fn new(alpha: Kind, beta: Kind) -> Plan {
        let study = std::env::var_os("LATIDO_LIVE_STUDY").is_some();
        Plan {
            kinds: if study { [Kind::Real; 2] } else { [alpha, beta] },
            media: vec![Medium::Bcast(0)],
            method: Method::Sha1,
            failback: Failback::On,
            keepalive_ms: 200,
            deadtime_ms: 1000,
            initdead_ms: 10_000,
            baud: 115_200,
            haresources: "alpha ra rb\nbeta rc rd\n".into(),
        }
    }

    pub(crate) fn over(mut self, media: &[Medium]) -> Plan {
        self.media = media.to_vec();
        self
    }

    pub(crate) fn signed(mut self, method: Method) -> Plan {
        self.method = method;
        self
    }

    pub(crate) fn failback(mut self, failback: Failback) -> Plan {
        self.failback = failback;
        self
    }

    pub(crate) fn timed(mut self, keepalive_ms: u32, deadtime_ms: u32) -> Plan {
        (self.keepalive_ms, self.deadtime_ms) = (keepalive_ms, deadtime_ms);
        self
    }

    pub(crate) fn initdead(mut self, initdead_ms: u32) -> Plan {
        self.initdead_ms = initdead_ms;
        self
    }

    pub(crate) fn resources(mut self, haresources: &str) -> Plan {
        self.haresources = haresources.into();
        self
    }

    /// Has it a serial line?
    pub(crate) fn serial(&self) -> bool {
        self.media.contains(&Medium::Serial)
    }

    /// The Ethernet cables its media use.
    pub(crate) fn cables(&self) -> Vec<usize> {
        let mut cables: Vec<usize> = self
            .media
            .iter()
            .filter_map(|medium| match medium {
                Medium::Bcast(n) | Medium::Ucast(n) | Medium::Mcast(n) => Some(*n),
                Medium::Serial => None,
            })
            .collect();
        cables.sort_unstable();
        cables.dedup();
        cables
    }

    /// The same on both nodes, as the manual wants it.
    pub(crate) fn ha_cf(&self) -> String {
        let mut text = String::from("logfile /var/log/ha-log\ndebugfile /var/log/ha-debug\n");
        let _ = writeln!(
            text,
            "keepalive {}ms\ndeadtime {}ms\nwarntime {}ms\ninitdead {}ms",
            self.keepalive_ms,
            self.deadtime_ms,
            self.deadtime_ms / 2,
            self.initdead_ms
        );
        if self.serial() {
            let _ = writeln!(text, "baud {}", self.baud);
        }
        for medium in &self.media {
            text += &line(*medium);
        }
        let _ = writeln!(
            text,
            "auto_failback {}",
            match self.failback {
                Failback::On => "on",
                Failback::Off => "off",
                Failback::Legacy => "legacy",
            }
        );
        text + "node alpha\nnode beta\n"
    }

    pub(crate) fn authkeys(&self) -> &'static str {
        match self.method {
            Method::Sha1 => "auth 1\n1 sha1 SuperSecret\n",
            Method::Md5 => "auth 2\n2 md5 AnotherSecret\n",
            Method::Crc => "auth 3\n3 crc\n",
            Method::Sha256 => "auth 4\n4 sha256 ASecretThatIsAsLongAsNobodyWouldEverGuess\n",
        }
    }
}

fn line(medium: Medium) -> String {
    match medium {
        Medium::Bcast(n) => format!("bcast eth{n}\n"),
        Medium::Ucast(n) => format!("ucast eth{n} 10.2{0}.0.1\nucast eth{n} 10.2{0}.0.2\n", n + 1),
        Medium::Mcast(n) => format!("mcast eth{n} 239.0.0.43 694 1 0\n"),
        Medium::Serial => "serial /dev/ttyS0\n".into(),
    }
}
