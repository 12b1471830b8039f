//! Field names, message types and counters of the wire, once (`wire.md` 1.5 and 5).

use std::fmt;

/// `t`: message type.
pub const T: &str = "t";
/// `src`: the sender's node name.
pub const SRC: &str = "src";
/// `srcuuid`: the sender's uuid, binary, 16 bytes.
pub const SRC_UUID: &str = "srcuuid";
/// `dest`: whom it is for; absent means everyone.
pub const DEST: &str = "dest";
/// `destuuid`: as `dest`, by uuid, and stronger.
pub const DEST_UUID: &str = "destuuid";
/// `seq`: the sender's message counter, hex.
pub const SEQ: &str = "seq";
/// `hg`: heartbeat generation of this start of the sender, hex.
pub const HG: &str = "hg";
/// `ts`: the sender's time(2), hex.
pub const TS: &str = "ts";
/// `ld`: the sender's load average; informational.
pub const LD: &str = "ld";
/// `ttl`: decimal; no receiver uses it.
pub const TTL: &str = "ttl";
/// `auth`: key number and digest.
pub const AUTH: &str = "auth";
/// `st`: node status.
pub const ST: &str = "st";
/// `dt`: hex milliseconds, in `status`.
pub const DT: &str = "dt";
/// `protocol`: decimal 1 when the sender acks.
pub const PROTOCOL: &str = "protocol";
/// `info`: text, some of it meaningful.
pub const INFO: &str = "info";
/// `rsc_hold`: `none`, `local`, `foreign` or `all`.
pub const RSC_HOLD: &str = "rsc_hold";
/// `rtype`: `full` when `rsc_hold` replaces what was known.
pub const RTYPE: &str = "rtype";
/// `isstable`: `1` or `0`.
pub const ISSTABLE: &str = "isstable";
/// `ackseq`: hex.
pub const ACKSEQ: &str = "ackseq";
/// `firstseq`: decimal in a request, hex in a NAK.
pub const FIRSTSEQ: &str = "firstseq";
/// `lastseq`: decimal.
pub const LASTSEQ: &str = "lastseq";
/// `nodelist`: in `repnodes`.
pub const NODELIST: &str = "nodelist";
/// `delnodelist`: in `repnodes`; one space when empty.
pub const DELNODELIST: &str = "delnodelist";
/// `ipaddr`: a resource group's key.
pub const IPADDR: &str = "ipaddr";
/// `weown`: `yes` or `no`.
pub const WEOWN: &str = "weown";
/// `ok`: `OK`.
pub const OK: &str = "ok";
/// `node`: in `stonith` and `ifstat`.
pub const NODE: &str = "node";
/// `result`: in `stonith`.
pub const RESULT: &str = "result";
/// `ifname`: in `ifstat`.
pub const IFNAME: &str = "ifname";
/// Those a script for a message is told of (`resources.md` 6).
pub const TOLD: [&str; 22] = [
    T, SRC, DEST, SEQ, HG, TS, LD, TTL, AUTH, ST, DT, PROTOCOL, INFO, RSC_HOLD, RTYPE, ISSTABLE, IPADDR, WEOWN, OK,
    NODE, RESULT, IFNAME,
];

/// What a message is about: its `t` field.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `status`: the heartbeat itself.
    Status,
    /// `NS_st`: a ping node's status, sent to ourselves through an echo.
    NsSt,
    /// `NS_ackmsg`
    Ack,
    /// `NS_rexmit`
    Rexmit,
    /// `NS_nak_rexmit`
    NakRexmit,
    /// `reqnodes`
    ReqNodes,
    /// `repnodes`
    RepNodes,
    /// `starting`
    Starting,
    /// `resource`
    Resource,
    /// `ask_resources`
    AskResources,
    /// `ip-request`
    IpRequest,
    /// `ip-request-resp`
    IpRequestResp,
    /// `stonith`
    Stonith,
    /// `shutdone`
    ShutDone,
    /// `hb_takeover`
    HbTakeover,
    /// `ifstat`
    IfStat,
    /// Any other type, as written.
    Other(String),
}

const KINDS: [(Kind, &str); 16] = [
    (Kind::Status, "status"),
    (Kind::NsSt, "NS_st"),
    (Kind::Ack, "NS_ackmsg"),
    (Kind::Rexmit, "NS_rexmit"),
    (Kind::NakRexmit, "NS_nak_rexmit"),
    (Kind::ReqNodes, "reqnodes"),
    (Kind::RepNodes, "repnodes"),
    (Kind::Starting, "starting"),
    (Kind::Resource, "resource"),
    (Kind::AskResources, "ask_resources"),
    (Kind::IpRequest, "ip-request"),
    (Kind::IpRequestResp, "ip-request-resp"),
    (Kind::Stonith, "stonith"),
    (Kind::ShutDone, "shutdone"),
    (Kind::HbTakeover, "hb_takeover"),
    (Kind::IfStat, "ifstat"),
];

impl Kind {
    /// The kind spelled `t` on the wire.
    pub fn from_text(t: &str) -> Kind {
        KINDS.iter().find(|(_, text)| *text == t).map_or_else(|| Kind::Other(t.to_owned()), |(kind, _)| kind.clone())
    }

    /// The spelling on the wire.
    pub fn as_str(&self) -> &str {
        if let Kind::Other(text) = self {
            return text;
        }
        KINDS.iter().find(|(kind, _)| kind == self).map_or("", |(_, text)| text)
    }

    /// Whether messages of this kind carry neither `seq` nor `ld` and skip the sequence checks.
    pub fn is_unsequenced(&self) -> bool {
        self.as_str().starts_with("NS_")
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `hg`: grows with each start of a node's heartbeat (`wire.md` 4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Generation(pub u64);

/// `seq`: grows with each numbered message of one generation; the first is 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Sequence(pub u64);

impl Sequence {
    /// The next number.
    #[must_use]
    pub fn next(self) -> Sequence {
        Sequence(self.0.saturating_add(1))
    }
}
