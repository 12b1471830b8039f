//! Why one says what the other does not.

/// A phrase, or the beginning of phrases, and the reason.
pub(super) struct Known {
    pub(super) phrase: &'static str,
    pub(super) why: &'static str,
}

impl Known {
    /// Is it this phrase?
    pub(super) fn is(&self, phrase: &str) -> bool {
        phrase.starts_with(self.phrase)
    }
}

const fn known(phrase: &'static str, why: &'static str) -> Known {
    Known { phrase, why }
}

/// May this phrase be there or not, however the story went?
pub(super) fn comes_and_goes(phrase: &str) -> bool {
    NOW_AND_THEN.iter().any(|entry| entry.is(phrase))
}

pub(super) const ONLY_THE_ORIGINAL: &[Known] = &[
    known(
        "harc: info: Running /etc/ha.d/rc.d/",
        "what the shipped scripts of rc.d do Latido does itself; a site's own are run",
    ),
    known(
        "ip-request-resp: received ip-request-resp",
        "a node needs no message to itself before it starts its own group",
    ),
    known("heartbeat: WARN: Deadtime value may be too small.", "a guess, and wrong when a cable was cut"),
    known("heartbeat: info: For information on cluster partitions", "the page is no longer there"),
    known("heartbeat: info: See FAQ for information on tuning deadtime.", "the page is no longer there"),
    known("heartbeat: info: URL: http://linux-ha.org", "the page is no longer there"),
    known(
        "heartbeat: WARN: Initial dead time [N ms] may be too small!",
        "in brackets behind Latido's own complaint about that line",
    ),
    known("heartbeat: info: Initial dead time accounts for", "part of the complaint about initdead"),
    known("heartbeat: info: It should be >= deadtime", "part of the complaint about initdead"),
    known("heartbeat: WARN: Logging daemon is disabled", "there is no need for one: a log that hangs holds nothing up"),
    known(
        "heartbeat: WARN: No reply to standby request.",
        "refused at once, with the reason, when the other node is not there; said when it does not answer",
    ),
    known(
        "heartbeat: info: Checking status of STONITH device",
        "only a device that does not work, or works again, is told",
    ),
    known("heartbeat: info: Managed STONITH", "the next line says what came of it"),
    known("heartbeat: info: Resetting node X with [NULL STONITH device]", "Latido names a device as ha.cf does"),
    known(
        "heartbeat: info: glib: Host null-reset",
        "printed by the plugin; here under the name of the program stonith",
    ),
    known("heartbeat: info: Child rereading authentication file.", "there are no such processes"),
    known("heartbeat: info: Core process N exited.", "there are no such processes"),
    known("heartbeat: info: killing HB", "there are no such processes"),
    known("heartbeat: info: Configuration validated. Starting heartbeat N.N.N", "Latido names itself and its version"),
    known("heartbeat: info: heartbeat: version N.N.N", "the line before says the version"),
    known("heartbeat: info: Creating FIFO", "made without a word"),
    known("heartbeat: info: Pacemaker support: false", "there is none"),
    known(
        "heartbeat: info: Restarting heartbeat.",
        "a changed ha.cf takes effect, and a partition heals, without a restart",
    ),
    known(
        "heartbeat: info: Performing heartbeat restart exec.",
        "a changed ha.cf takes effect, and a partition heals, without a restart",
    ),
    known("heartbeat: info: Signalling heartbeat pid N to reread", "printed where the command was given, not logged"),
    known("heartbeat: info: glib: UDP Broadcast heartbeat", "a medium that cannot be used is told, not one that can"),
];

pub(super) const ONLY_OURS: &[Known] = &[
    known(
        "heartbeat: ERROR: resource group R is down here",
        "a start that failed: what to do; the original goes on claiming the group",
    ),
    known("heartbeat: WARN: /etc/ha.d/", "advice on the files, as `latido check` gives it"),
    known(
        "heartbeat: WARN: ethN: message with a wrong signature",
        "which medium and which key; follows the original's phrase",
    ),
    known(
        "heartbeat: WARN: resource group R was taken over only because of the partition",
        "the original restarts both nodes instead",
    ),
    known(
        "heartbeat: info: resource group R stays here after the partition",
        "the original restarts both nodes instead",
    ),
    known("heartbeat: WARN: standby refused", "the original says after ten seconds that nobody replied"),
    known(
        "heartbeat: info: Configuration validated. Starting heartbeat (latido N.N.N)",
        "Latido names itself and its version",
    ),
    known("heartbeat: info: Resetting node X with [null]", "Latido names a device as ha.cf does"),
    known("stonith: info: Host null-reset", "what the plugin printed"),
    known("heartbeat: info: auto_failback: X is back", "why the hand-over that follows begins"),
    known("heartbeat: info: X hands resources over", "the reason of the other node, for whoever reads this one's log"),
    known(
        "heartbeat: info: ha.cf and latido.cf take effect",
        "what the reload did, behind `Heartbeat restart triggered.`",
    ),
    known("heartbeat: info: haresources reread", "the original's scripts read the file at each use"),
    known("heartbeat: info: node X was silent for N", "how long; behind `is dead`"),
    known("heartbeat: info: resource group R is", "a group's scripts have ended, and how long they took"),
];

pub(super) const NOW_AND_THEN: &[Known] = &[
    known("heartbeat: ERROR: Cannot lock ourselves into memory", "the machine's limits"),
    known("heartbeat: WARN: Core dumps could be lost", "the machine's core_pattern"),
    known("heartbeat: WARN: Consider setting", "the machine's core_pattern"),
    known("heartbeat: WARN: G", "a late main loop of the original"),
    known("heartbeat: info: G_", "a late main loop of the original"),
    known("heartbeat: WARN: This node stood still for", "a machine that stood still"),
    known("heartbeat: WARN: N line(s) are missing here", "a machine that stood still"),
    known("heartbeat: WARN: N lost packet(s) for", "whether a message is lost or only late"),
    known("heartbeat: info: No pkts missing from", "whether a message is lost or only late"),
    known("heartbeat: ERROR: lost a lot of packets!", "whether a message is lost or only late"),
    known("heartbeat: ERROR: Message hist queue", "whether a message is lost or only late"),
    known("heartbeat: WARN: Rexmit of seq", "whether a message is lost or only late"),
    known("heartbeat: WARN: Irretrievably lost packet", "whether a message is lost or only late"),
    known("heartbeat: WARN: Shutdown delayed until", "whether something is still under way"),
    known("heartbeat: info: Resource takeover cancelled", "whether both restart at the same moment"),
    known("heartbeat: ERROR: Ignored standby message", "whether a `done` of the original comes late"),
    known("heartbeat: ERROR: Both machines own", "which word is heard first when a partition heals"),
    known("heartbeat: ERROR: No one owns", "which word is heard first when a partition heals"),
    known("heartbeat: CRIT: one-way link", "which direction of a cable works first"),
];
