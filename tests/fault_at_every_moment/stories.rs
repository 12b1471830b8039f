//! What may happen to a pair in good order, as short plays. Only the waits after `chapter` are swept.

/// A story: its name, its lines, and for how long the pair is left alone in the end.
pub(crate) struct Story {
    pub(crate) name: &'static str,
    pub(crate) lines: &'static [&'static str],
    pub(crate) calm: &'static str,
}

const fn story(name: &'static str, lines: &'static [&'static str]) -> Story {
    Story { name, lines, calm: "wait 45" }
}

/// All of them.
pub(crate) const STORIES: &[Story] = &[
    story("cold start", &["chapter", "start alpha", "wait 0.3", "start beta", "wait 4"]),
    story("cold start of one", &["chapter", "start alpha", "wait 14"]),
    story("takeover", &["start alpha beta", "wait 15", "power-off alpha", "chapter", "wait 7"]),
    story("return", &["start beta", "wait 15", "chapter", "start alpha", "wait 4"]),
    story(
        "failback of two",
        &["set auto_failback on", "scripts-take 1", "start beta", "wait 20", "chapter", "start alpha", "wait 12"],
    ),
    story("legacy return", &["set auto_failback legacy", "start beta", "wait 15", "chapter", "start alpha", "wait 6"]),
    story("standby", &["scripts-take 1", "start alpha beta", "wait 20", "chapter", "standby alpha all", "wait 10"]),
    story(
        "takeover by request",
        &["scripts-take 1", "start alpha beta", "wait 20", "chapter", "takeover beta foreign", "wait 10"],
    ),
    story("leave", &["scripts-take 1", "start alpha beta", "wait 20", "chapter", "leave alpha", "wait 9"]),
    story("upgrade", &["start alpha beta", "wait 15", "chapter", "upgrade alpha", "wait 0.4", "start alpha", "wait 4"]),
    story("restart of a core", &["start alpha beta", "wait 15", "chapter", "restarts alpha 50ms", "wait 4"]),
    story("back too late", &["start alpha beta", "wait 15", "chapter", "restarts alpha 7", "wait 14"]),
    story(
        "reload",
        &[
            "start alpha beta",
            "wait 15",
            "chapter",
            "reload alpha alpha ra ; beta rc ; beta rd",
            "wait 2",
            "reload beta alpha ra ; beta rc ; beta rd",
            "wait 6",
        ],
    ),
    story(
        "monitor",
        &[
            "set monitor * 2 1",
            "start alpha beta",
            "wait 15",
            "chapter",
            "dies alpha ra",
            "wait 4",
            "dies alpha ra",
            "wait 8",
        ],
    ),
    story("failed start", &["fails alpha rb start", "chapter", "start alpha beta", "wait 6"]),
    Story {
        name: "failed on both",
        lines: &["fails alpha ra start", "fails beta ra start", "chapter", "start alpha beta", "wait 9"],
        // Until it is tried again.
        calm: "wait 800",
    },
    story(
        "the last one cannot stop it",
        &[
            "set monitor * 2 1",
            "set script-timeout 4",
            "hangs beta rb stop",
            "start beta",
            "wait 15",
            "chapter",
            "fails beta rb status",
            "wait 12",
        ],
    ),
    story("fence", &["set fence power", "start alpha beta", "wait 15", "power-off alpha", "chapter", "wait 9"]),
    story(
        "fenced standby",
        &[
            "set fence power",
            "scripts-take 1",
            "start alpha beta",
            "wait 20",
            "chapter",
            "standby alpha all",
            "wait 10",
        ],
    ),
    story(
        "fenced leave",
        &["set fence power", "scripts-take 1", "start alpha beta", "wait 20", "chapter", "leave alpha", "wait 9"],
    ),
    story(
        "partition and healing",
        &["start alpha beta", "wait 15", "cut all", "wait 8", "chapter", "mend all", "wait 6"],
    ),
    story(
        "one-way link",
        &["start alpha beta", "wait 15", "chapter", "cut all alpha>beta", "wait 9", "mend all", "wait 5"],
    ),
];

/// What befalls the pair, in one line here; `;` separates the lines of the play.
pub(crate) fn faults() -> Vec<String> {
    let mut all: Vec<String> = [
        "cut all | wait 2 | mend all",
        "cut all | wait 8 | mend all",
        "cut all alpha>beta | wait 8 | mend all",
        "cut all beta>alpha | wait 8 | mend all",
        "cut eth0",
        "cut eth0 | loss 30 | wait 5 | loss 0",
        "loss 40 | wait 10 | loss 0",
        "delay /dev/ttyS0 900ms",
        "delay eth0 900ms | wait 10 | delay eth0 0",
        "reorders 50 | repeats 50 | wait 10 | reorders 0 | repeats 0",
        "kill alpha | kill beta | wait 50ms | start alpha beta",
        "upgrade alpha | upgrade beta | wait 0.4 | start alpha beta",
    ]
    .map(str::to_owned)
    .to_vec();
    for node in ["alpha", "beta"] {
        let of_node = [
            "restarts NODE 50ms",
            "restarts NODE 4.5",
            "restarts NODE 7",
            "restarts NODE 50ms | wait 60ms | restarts NODE 50ms | wait 60ms | restarts NODE 50ms",
            "slow-start NODE 6 | restarts NODE 50ms | wait 1 | slow-start NODE 0",
            "power-off NODE",
            "power-off NODE | wait 1 | start NODE",
            "power-off NODE | wait 8 | start NODE",
            "stall NODE 2",
            "stall NODE 7",
            "suspend NODE 7",
            "freeze NODE 7",
            "notes-take NODE 300ms | wait 5 | notes-take NODE 0",
            "upgrade NODE | wait 0.4 | start NODE",
            "upgrade NODE | wait 6 | start NODE",
            "clock NODE -3600",
            "leave NODE",
            "leave NODE | wait 0.3 | restarts NODE 50ms",
            "leave NODE | wait 0.1 | leave NODE",
            "standby NODE all",
            "standby NODE local",
            "takeover NODE all",
            "takeover NODE local",
            "fifo NODE ask_resources rsc_hold=all info=me",
            "retry NODE ra",
            "reload NODE",
            "fence-fails 1",
        ];
        all.extend(of_node.map(|fault| fault.replace("NODE", node)));
        for how in ["fails", "hangs", "unrunnable", "killed"] {
            for verb in ["start", "stop", "status"] {
                all.push(format!("{how} {node} ra {verb} | wait 14 | scripts-work"));
            }
        }
        all.push(format!("slow {node} ra stop 4 | wait 14 | scripts-work"));
        all.push(format!("slow {node} ra start 4 | wait 14 | scripts-work"));
    }
    all
}
