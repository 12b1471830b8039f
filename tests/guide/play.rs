//! The chapter *Asterisk and DRBD from nothing*, played on two hosts of a bench, line by line: real `latido` (init, check,
//! simulate, propagate, doctor, the daemons, ipfail, dopd), real interfaces and a null-modem cable; stand-ins for what is no
//! part of Latido (`machine.sh`). A command that is refused, a file that `latido check` complains about, or a takeover that
//! does not come fails the test. The pages on the key and on resources by hand are played on the same machines.

use std::path::PathBuf;
use std::thread;

use super::bench::on_a_bench;
use super::machines::{Play, Said};
use super::markdown::{Block, CHAPTERS, Page, Part};

/// What is not played, and why.
const NOT_PLAYED: [(&str, &str); 2] = [
    ("cat /proc/drbd", "DRBD's driver is the kernel's, and this machine may not have it"),
    ("latido lab", "a bench on a bench: tests/lab.rs and tests/lab_commands.rs play labs"),
];

/// The commands of a block: a here document, or a loop, is one.
fn commands(text: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut end: Option<String> = None;
    for line in text.lines() {
        if let Some(last) = &end {
            let command = commands.last_mut().unwrap();
            command.push('\n');
            command.push_str(line);
            if line == last {
                end = None;
            }
            continue;
        }
        let here = line.split_once("<<'").and_then(|(_, rest)| rest.split('\'').next());
        end = here.map(str::to_owned).or_else(|| line.starts_with("for ").then(|| "done".to_owned()));
        commands.push(line.to_owned());
    }
    assert_eq!(end, None, "a command that does not end");
    commands
}

/// Whether the command went as a reader expects it.
fn judge(place: &str, command: &str, said: &Said) {
    let lines: Vec<&str> = said.text.lines().collect();
    if command.starts_with("latido doctor") {
        // Nothing runs yet when the line is tried.
        let expected = |line: &&&str| command.contains("--line") && line.starts_with("FAIL  daemon");
        let failures: Vec<&&str> =
            lines.iter().filter(|line| line.starts_with("FAIL")).filter(|line| !expected(line)).collect();
        assert!(failures.is_empty() && !lines.is_empty(), "{place}: {command}: {failures:?}");
        if command.contains("--line") {
            assert!(said.text.contains("the other node's test is heard"), "{place}: {command}: {}", said.text);
        }
    } else if command == "latido status" {
        assert_ne!(said.code, Some(2), "{place}: {command}: {}", said.text);
    } else {
        assert_eq!(said.code, Some(0), "{place}: {command}: {}", said.text);
    }
}

/// Where a block is typed.
fn typed_on(block: &Block) -> Option<&[&'static str]> {
    match block.info.as_str() {
        "sh alpha" => Some(&["alpha"]),
        "sh beta" => Some(&["beta"]),
        "sh both" => Some(&["alpha", "beta"]),
        _ => None,
    }
}

/// Without what differs from run to run: numbers, the gaps, which are there only after a while, and what the test of a line by
/// `latido doctor` may have left in it.
fn plain(line: &str) -> String {
    let line = line.split("   gaps ").next().unwrap_or(line);
    let fencing = line.split(" · fencing ").next().unwrap_or(line);
    let mut words: Vec<&str> = fencing.split_whitespace().collect();
    words.retain(|word| {
        !word.trim_end_matches('s').chars().all(|c| c.is_ascii_digit() || c == '.') && *word != "s" && *word != "min"
    });
    words.join(" ").replace(", bytes of noise", "")
}

#[test]
fn each_block_says_on_which_machine_it_is_typed() {
    let page = Page::read(&PathBuf::from(CHAPTERS).join("asterisk-drbd.md"));
    let (mut before, mut silent) = ("", Vec::new());
    for part in &page.parts {
        match part {
            Part::Text(text) => before = text,
            Part::Block(block) if block.kind() == "sh" => {
                let on = typed_on(block).unwrap_or_else(|| panic!("{}: on which machine?", page.at(block)));
                let told = if on.len() == 2 { "both machines".to_owned() } else { format!("on {}", on[0]) };
                if !before.to_lowercase().contains(&told) {
                    silent.push(format!("{}: \"{told}\" is not said above: {before}", page.at(block)));
                }
            }
            Part::Heading { .. } | Part::Block(_) | Part::Row(_) | Part::Item(_) => {}
        }
    }
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}

#[test]
fn the_chapter_from_nothing_to_a_call_that_survives_a_power_off_is_played() {
    if !nix::unistd::geteuid().is_root() {
        return eprintln!("not tested: the chapter is for root");
    }
    on_a_bench("play::the_chapter_from_nothing_to_a_call_that_survives_a_power_off_is_played", || {
        let page = Page::read(&PathBuf::from(CHAPTERS).join("asterisk-drbd.md"));
        let mut play = Play::begin();
        type_the_chapter(&play, &page);
        follow_the_test_plan(&mut play, &page);
    });
}

fn type_the_chapter(play: &Play, page: &Page) {
    let mut left: Vec<&str> = Vec::new();
    let mut last = String::new();
    for block in page.blocks() {
        let place = page.at(block);
        let Some(on) = typed_on(block) else {
            shown(play, &place, block, &last);
            continue;
        };
        for command in commands(&block.text) {
            if let Some((what, why)) = NOT_PLAYED.iter().find(|(what, _)| command.starts_with(what)) {
                eprintln!("not played: {command} ({why})");
                left.push(what);
                continue;
            }
            // What the nodes have heard of each other in the first seconds is not what a reader sees later.
            if command.starts_with("latido doctor --both") {
                play.machine("alpha").waits_until(&command, ", 0 failures");
            }
            if command.starts_with("latido status") {
                play.machine("alpha").waits_until("latido status", "files equal on both nodes");
                play.machine("alpha").waits_until("latido status", "/dev/ttyS0 .*up .*beta");
            }
            // On both at the same time: a line is tried from both ends.
            let said = thread::scope(|scope| {
                let typing: Vec<_> = on.iter().map(|name| scope.spawn(|| play.machine(name).types(&command))).collect();
                typing.into_iter().map(|typing| typing.join().unwrap()).collect::<Vec<_>>()
            });
            for said in &said {
                judge(&place, &command, said);
            }
            last.clone_from(&said[0].text);
            if command.starts_with("latido check") {
                assert_eq!(last.trim(), "/etc/ha.d: no problems found", "{place}");
            }
        }
    }
    left.sort_unstable();
    assert_eq!(left, NOT_PLAYED.map(|(what, _)| what), "what is not played is not in the chapter");
}

/// What the chapter shows: of a file, of an answer, or for the reader to write.
fn shown(play: &Play, place: &str, block: &Block, last: &str) {
    let alpha = play.machine("alpha");
    if let Some(file) = block.info.strip_prefix("text file=") {
        let text = alpha.types(&format!("cat /etc/ha.d/{file}")).text;
        block.text.lines().for_each(|line| assert!(text.contains(line), "{place}: {line} is not in {file}:\n{text}"));
    } else if block.info == "text out=check" {
        let said = alpha.types("latido check").text;
        assert_eq!(said.lines().last(), block.text.lines().last(), "{place}");
    } else if block.info == "ini" {
        let write = format!("cat > /etc/asterisk/pjsip.conf <<'END'\n{}END", block.text);
        assert_eq!(alpha.types(&write).code, Some(0), "{place}");
    } else {
        assert_eq!(block.info, "text", "{place}");
        let said: Vec<String> = alpha.types("latido status").text.lines().map(plain).collect();
        for line in block.text.lines().map(plain) {
            assert!(said.contains(&line), "{place}: {line:?} is not in {said:#?}\n{last}");
        }
    }
}

/// The rows of the test plan that can be played. 7 is played by `latido simulate`; 10 and 12 boot and shut machines down, which
/// these have no system for.
fn follow_the_test_plan(play: &mut Play, page: &Page) {
    let handler = page.blocks().find_map(|block| block.text.split("fence-peer \"").nth(1)).unwrap();
    let handler = handler.split('"').next().unwrap().replace("/usr/lib/heartbeat/", "latido ");
    let (alpha, beta) = (play.machine("alpha"), play.machine("beta"));
    // 1 and 2: by hand, there and back.
    let said = alpha.types("latido standby");
    assert_eq!((said.code, said.text.as_str()), (Some(0), "moved: drbddisk::r0\n"));
    assert_eq!(beta.types("asterisk -rx 'core show uptime'").code, Some(0));
    assert_eq!(alpha.types("latido takeover").text, "moved: drbddisk::r0\n");
    // 3: the null-modem cable.
    play.line.set_cut(true);
    alpha.waits_until("latido status", "/dev/ttyS0 .*DEAD");
    alpha.waits_until("latido status", "alpha (here) .*holds  drbddisk::r0");
    play.line.set_cut(false);
    alpha.waits_until("latido status", "/dev/ttyS0 .*up");
    // 4: the cable of DRBD, whose handler asks dopd over what is left.
    play.cut(1, true);
    let said = alpha.types(&format!("DRBD_PEER=beta DRBD_RESOURCE=r0 {handler} && echo none || echo code $?"));
    assert!(said.text.contains("code 4"), "DRBD is told that the other copy is outdated: {}", said.text);
    assert!(play.calls().contains("beta: drbdadm outdate r0"));
    alpha.waits_until("latido status", "eth1 .*DEAD");
    alpha.waits_until("latido status", "alpha (here) .*holds  drbddisk::r0");
    // 5: DRBD copies what is missing.
    play.cut(1, false);
    play.resynchronised();
    alpha.waits_until("latido status", "eth1 .*up");
    // 8: the daemon is killed.
    let killed = "old=$(cat /run/heartbeat.pid); kill -9 $old; echo $old >/root/killed";
    assert_eq!(alpha.types(killed).code, Some(0));
    alpha.waits_until("grep -vxFf /root/killed /run/heartbeat.pid && echo another", "another");
    alpha.waits_until("latido status", "alpha (here) .*holds  drbddisk::r0");
    // 6 and 11: the cable to the telephones, and home again.
    play.cut(0, true);
    beta.waits_until("latido status", "beta (here) .*holds  drbddisk::r0");
    play.cut(0, false);
    alpha.waits_until("latido status", "192.168.1.254 .*up");
    beta.waits_until("latido status", "settled");
    assert_eq!(alpha.types("latido takeover local").text, "moved: drbddisk::r0\n");
    beta.waits_until("latido status", "settled");
    change_the_key(play);
    // 9: the power cord.
    play.power_off_alpha();
    let beta = play.machine("beta");
    beta.waits_until("latido status", "beta (here) .*holds  drbddisk::r0 .*asterisk");
    beta.waits_until("asterisk -rx 'core show uptime'", "System uptime");
    assert!(beta.types("cat /etc/asterisk/pjsip.conf").text.contains("bind=192.168.1.10"), "the data came over");
    assert!(beta.types("ip -4 addr show eth0").text.contains("192.168.1.10/24"));
    beta.waits_until("latido why", "beta took drbddisk::r0 because alpha was dead");
    assert!(play.calls().contains("chassis power off"), "it was fenced first");
    by_hand(play);
}

/// `operations/change-key.md`, without a stop: three steps, after each of which the nodes hear each other.
fn change_the_key(play: &Play) {
    let both = [play.machine("alpha"), play.machine("beta")];
    let printed = both[0].types("latido keygen --print --number 2").text;
    let new = printed.lines().find(|line| line.starts_with("2 sha1 ")).unwrap();
    let file = "/etc/ha.d/authkeys";
    let steps = [
        format!("printf '%s\\n' '{new}' >> {file}"),
        format!("sed -i 's/^auth 1$/auth 2/' {file}"),
        format!("sed -i '/^1 sha1 /d' {file}"),
    ];
    for step in steps {
        for machine in both {
            assert_eq!(machine.types(&step).code, Some(0));
            let said = machine.types("latido reload");
            assert_eq!(said.code, Some(0), "{step}: {}", said.text);
        }
    }
    for machine in both {
        assert_eq!(machine.types(&format!("grep -v '^#' {file} | head -n 1")).text.trim(), "auth 2");
        machine.waits_until("latido status", "settled");
        let said = machine.types("latido events").text;
        let dead = ["node alpha: is dead", "node beta: is dead"].iter().any(|text| said.contains(text));
        assert!(!dead, "a node was called dead for its key:\n{said}");
    }
}

/// `operations/by-hand.md`: no daemon, and the service runs all the same.
fn by_hand(play: &Play) {
    let page = Page::read(&PathBuf::from(CHAPTERS).join("operations/by-hand.md"));
    let beta = play.machine("beta");
    for command in page.blocks().filter(|block| block.info == "sh").flat_map(|block| commands(&block.text)) {
        if command == "systemctl start latido" {
            // A node that starts alone waits for the other one for a minute: other tests have seen that.
            break;
        }
        let said = beta.types(&command);
        // 3: the resources do not run, or not all.
        let expected: &[i32] = if command.starts_with("latido resource status") { &[0, 3] } else { &[0] };
        assert!(
            said.code.is_some_and(|code| expected.contains(&code)),
            "{}: {command}: {}",
            page.path.display(),
            said.text
        );
        let runs = beta.types("asterisk -rx 'core show uptime'").code == Some(0);
        if command.starts_with("latido resource st") && !command.contains("status") {
            assert_eq!(runs, command.starts_with("latido resource start"), "{command}");
        }
    }
    assert_eq!(beta.types("latido agent IPaddr 192.168.1.10/24/eth0 stop").code, Some(0));
}
