//! The four files of `/etc/ha.d`, each beside good ones: read, complained about, printed, exported.

use latido::auth::authkeys;
use latido::config::{Config, OnlyName, Sources, first_node};
use latido::diagnostic::{Problem, SourceText};
use latido::export::{Script, pacemaker};
use latido::names::NodeName;

use super::{Seed, bytes::Bytes, samples};

/// Those that a change of one file leaves as they are.
const GOOD: [&str; 4] = [
    "node alpha beta\nbcast eth0\nauto_failback on\n",
    "alpha 10.0.0.10 apache\nbeta IPaddr::10.0.0.11/24/eth0 Filesystem::/dev/drbd0::/srv::ext4\n",
    "",
    "auth 1\n1 sha1 ThisIsASecretOf0123456789\n",
];
const NAMES: [&str; 4] = ["ha.cf", "haresources", "latido.cf", "authkeys"];

/// The first byte says which file the rest is.
pub fn run(bytes: &[u8]) {
    let mut bytes = Bytes::new(bytes);
    let which = bytes.below(4);
    let text = String::from_utf8_lossy(bytes.rest()).into_owned();
    let source = |at: usize| Some(SourceText::new(NAMES[at], if at == which { &text } else { GOOD[at] }));
    let sources = Sources {
        ha_cf: source(0),
        haresources: source(1),
        latido_cf: source(2),
        authkeys: source(3),
        problems: Vec::new(),
        without_resources: false,
    };
    if which == 3 {
        let hidden = authkeys::redact(&SourceText::new("authkeys", text.as_str()));
        assert_eq!(hidden.text.len(), text.len(), "what points into the file points into what is shown of it");
    }
    let me = (which == 0).then(|| first_node(&text)).flatten().or_else(|| NodeName::new("alpha"));
    let Some(me) = me else { return };
    match Config::assemble(&sources, &OnlyName(me)) {
        Ok(config) => {
            complain(&config.warnings, &text, which);
            let printed = config.to_text();
            let _ = printed.len();
            for script in [Script::ResourceScript, Script::InitScript, Script::Unit, Script::Unknown] {
                let _ = pacemaker(&config, "/etc/ha.d", &|_| script).text.len();
            }
            let _ = format!("{config:?}");
        }
        Err(problems) => {
            assert!(problems.iter().any(Problem::is_error), "refused without a reason");
            complain(&problems, &text, which);
        }
    }
}

/// Each complaint points into its file, and can be shown.
fn complain(problems: &[Problem], text: &str, which: usize) {
    for problem in problems {
        let _ = problem.to_string();
        if problem.file == NAMES[which]
            && let Some(place) = &problem.place
        {
            assert!(text.get(place.span.clone()).is_some(), "{problem:?} points beside the text");
        }
    }
    let sources: Vec<SourceText> =
        (0..4).map(|at| SourceText::new(NAMES[at], if at == which { text } else { GOOD[at] })).collect();
    let sources: Vec<&SourceText> = sources.iter().collect();
    let _ = latido::cli::fuzzing::rendered(problems, &sources).len();
}

/// The files of the tests and those that are installed.
pub fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    let mut add = |which: u8, found: Vec<(String, Vec<u8>)>| {
        seeds.extend(found.into_iter().map(|(name, text)| (format!("{which}-{name}"), [&[which], &text[..]].concat())));
    };
    for dir in ["tests/config/good", "tests/config/bad", "tests/config/asterisk", "tests/export/rich", "etc/ha.d"] {
        for (which, name) in (0..).zip(NAMES) {
            add(which, samples(dir, name));
        }
    }
    add(3, samples("tests/authkeys/good", "in"));
    add(3, samples("tests/authkeys/bad", "in"));
    seeds
}

/// Directives and what may stand behind them.
pub fn words() -> Vec<String> {
    let text = "on off legacy none yes no 10 10s 500ms 1min alpha beta eth0 /dev/ttyS0 10.0.0.10 fe80::1 :: / ,\" \\ # // IPaddr::10.0.0.10/24/eth0 \
        Filesystem::/dev/drbd0::/srv::ext4 drbddisk::r0 MailTo::root SendArp uid= gid= every failures restarts with status tcp sip command \
        auth 1 sha1 md5 crc 15 16 99999999999999999999 239.0.0.1 694 root";
    let names = latido::config::DIRECTIVES.iter().map(|directive| directive.name);
    let names = names.chain(latido::config::LATIDO_DIRECTIVES.iter().map(|directive| directive.name));
    names.map(str::to_owned).chain(super::words_of(text)).collect()
}
