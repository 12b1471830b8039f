//! `latido simulate` as a program: what it prints, what it makes of bad files and plays, and how it exits.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use tempfile::TempDir;

fn asterisk() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/asterisk")
}

/// Exit status, standard output and standard error.
fn simulate(dir: &Path, words: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("latido"));
    let output = command.env_remove("HA_DIR").arg("simulate").arg(dir).args(words).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// A pair with two media, without keys: nobody needs them here.
fn directory(latido_cf: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    let ha_cf = "logfacility daemon\nkeepalive 1\ndeadtime 10\ninitdead 30\nauto_failback on\nserial /dev/ttyS7\nbcast eth7\n\
                 ping 10.0.0.254\nnode left right\n";
    fs::write(dir.path().join("ha.cf"), ha_cf).unwrap();
    fs::write(dir.path().join("haresources"), "left 10.0.0.1/24/eth7 web\nright 10.0.0.2/24/eth7 mail\n").unwrap();
    fs::write(dir.path().join("latido.cf"), latido_cf).unwrap();
    dir
}

fn play(dir: &Path, text: &str) -> (i32, String, String) {
    let path = dir.join("play");
    fs::write(&path, text).unwrap();
    simulate(dir, &["--play", path.to_str().unwrap()])
}

/// The row of the table that begins like this.
fn row<'a>(text: &'a str, event: &str) -> &'a str {
    let table = text.split("what decided it").nth(1).unwrap();
    let found = table.lines().find(|line| line.trim_start().starts_with(event));
    found.unwrap_or_else(|| panic!("no row \"{event}\" in\n{table}"))
}

#[test]
fn the_asterisk_pair_misses_its_service_for_a_deadtime_after_a_power_off() {
    let (code, text, errors) = simulate(&asterisk(), &[]);
    assert_eq!((code, errors.as_str()), (0, ""), "{text}");
    let row = row(&text, "power-off of asterisk1 ");
    assert!(row.contains("30.1 s") && row.contains("silence of 30.0 s (deadtime 30 s)"), "{row}");
    assert!(text.contains("- power-off of asterisk1: 30.1 s without asterisk, because deadtime is 30 s\n"), "{text}");
    assert!(text.contains("asterisk2  node asterisk1 is dead") && !text.contains(" says t="), "{text}");
}

#[test]
fn the_same_is_printed_each_time_and_a_seed_changes_it_the_same_way_each_time() {
    let plain = simulate(&asterisk(), &[]);
    assert_eq!(plain, simulate(&asterisk(), &[]));
    let seeded = simulate(&asterisk(), &["--seed", "3"]);
    assert_eq!(seeded, simulate(&asterisk(), &["--seed", "3"]));
    assert_eq!(seeded.0, 0, "{}", seeded.1);
    assert_ne!(plain.1, seeded.1);
}

#[test]
fn names_media_and_rules_are_the_users() {
    let dir = directory("monitor web 10\nscript-timeout stop 20\nfence /sbin/shoot %n\n");
    let (code, text, errors) = simulate(dir.path(), &[]);
    assert_eq!((code, errors.as_str()), (0, ""), "{text}");
    assert!(row(&text, "eth7 is cut").contains("/dev/ttyS7 still beat: nothing moved"), "{text}");
    assert!(row(&text, "/dev/ttyS7 is cut").contains("eth7 still beat"), "{text}");
    assert!(row(&text, "power-off of left").contains("left was fenced"), "{text}");
    assert!(row(&text, "web does not stop on left").contains("within 20 s (on-stop-failure reboot)"), "{text}");
    assert!(row(&text, "web dies").contains("web was asked and did not work"), "{text}");
    // Only one group was missed; nothing ran on both nodes, because one of them was fenced.
    assert!(row(&text, "power-off of left").contains("  web  ") && !text.contains("ran on both nodes"), "{text}");
    let before = text.split("the client cable").next().unwrap();
    assert!(!before.contains("10.0.0.254 is dead"), "a ping host answers:\n{text}");
}

/// The same pair with other lines in `ha.cf`, after those it has.
fn with_lines(edit: impl Fn(String) -> String) -> TempDir {
    let dir = directory("");
    let path = dir.path().join("ha.cf");
    fs::write(&path, edit(fs::read_to_string(&path).unwrap())).unwrap();
    dir
}

const IPFAIL: &str = "respawn hacluster /usr/lib/heartbeat/ipfail\n";

#[test]
fn a_cut_client_cable_costs_deadping_and_a_little_more_where_ipfail_runs() {
    let dir = with_lines(|text| text + IPFAIL + "deadping 8\n");
    let (code, text, errors) = simulate(dir.path(), &[]);
    assert_eq!((code, errors.as_str()), (0, ""), "{text}");
    let cut = row(&text, "the client cable of left is cut (eth7)");
    // Of what left holds its clients miss web; those of mail go on.
    assert!(cut.contains("9.9") || cut.contains("10."), "{cut}");
    assert!(cut.contains(" s  web ") && cut.contains("(deadping 8 s), ipfail gave up"), "{cut}");
    assert!(row(&text, "it is plugged in again").contains("ms"), "it goes home:\n{text}");
    assert!(text.contains("web, because deadping is 8 s\n"), "{text}");
    assert!(text.contains("right      ipfail: Telling other node that we have more visible ping nodes."), "{text}");
}

#[test]
fn a_cut_client_cable_waits_until_somebody_notices_and_the_table_says_what_to_write() {
    let other = |from: &'static str, to: &'static str| move |text: String| text.replace(from, to) + IPFAIL;
    let ping = "ping 10.0.0.254\n";
    for (dir, why, remedy) in [
        (directory(""), "there is no ipfail in ha.cf", "`respawn hacluster /usr/lib/heartbeat/ipfail`"),
        (with_lines(|text| text.replace(ping, "")), "no `ping` and no ipfail", "`ping ROUTER` and `respawn"),
        (with_lines(other(ping, "")), "ipfail has no `ping` host", "`ping ROUTER`"),
        (with_lines(other("auto_failback on", "auto_failback legacy")), "auto_failback legacy", "`auto_failback on`"),
        (with_lines(|text| text + &IPFAIL.replace("hacluster", "root")), "runs as root", "`respawn hacluster"),
        (with_lines(other(ping, "ping 10.0.0.254\napiauth ipfail uid=nobody\n")), "runs as hacluster", "`respawn"),
    ] {
        let (code, text, errors) = simulate(dir.path(), &[]);
        assert_eq!((code, errors.as_str()), (0, ""), "{text}");
        let cut = row(&text, "the client cable of left is cut (eth7)");
        assert!(cut.contains("until somebody notices  web") && cut.contains(why), "{why}: {cut}");
        let lesson = text.lines().find(|line| line.starts_with("  - the client cable of left")).unwrap();
        assert!(lesson.contains("its clients wait until somebody notices") && lesson.contains(remedy), "{lesson}");
    }
    let (_, text, _) = simulate(directory("").path(), &["--json"]);
    let table: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let rows = table["table"].as_array().unwrap();
    let cut = rows.iter().find(|row| row["event"].as_str().unwrap().starts_with("the client cable")).unwrap();
    let web = cut["groups"].as_array().unwrap().iter().find(|group| group["group"] == "web").unwrap();
    assert_eq!(web["until_noticed"], true, "{cut}");
}

#[test]
fn a_client_cable_that_is_the_only_medium_is_a_partition_and_its_clients_wait_for_deadtime() {
    let dir = with_lines(|text| text.replace("serial /dev/ttyS7\n", "") + IPFAIL);
    let (code, text, errors) = simulate(dir.path(), &[]);
    assert_eq!((code, errors.as_str()), (0, ""), "{text}");
    let cut = row(&text, "the client cable of left is cut (eth7)");
    assert!(cut.contains("(deadtime 10 s)") && cut.contains("on both nodes  web"), "{cut}");
}

#[test]
fn a_ping_group_of_the_files_has_hosts_that_a_play_can_cut_each_way() {
    let group = "ping_group routers 10.0.0.253 10.0.0.254\n";
    let dir = with_lines(|text| text.replace("ping 10.0.0.254\n", group) + IPFAIL);
    let text = "start left right\nwithin 40 home\nwait 60\ncut 10.0.0.253\ncut 10.0.0.254 10.0.0.254>right\nwait 40\n\
                expect left runs web 10.0.0.1/24/eth7\nexpect right never said giveup()\n";
    let (code, out, errors) = play(dir.path(), text);
    assert_eq!((code, errors.as_str()), (1, ""), "right sees less, and gives up what it has: {out}");
    assert!(out.contains("expect right never said giveup(): it is not so"), "{out}");
    let text = "start left right\ncut 10.0.0.253 left\ncut 10.0.0.9\nunplug left /dev/ttyS9\nunplug left routers\n\
                set ping_group x\nset left ping 10.0.0.1\n";
    let (code, out, errors) = play(dir.path(), text);
    assert_eq!((code, out.as_str()), (2, ""), "{errors}");
    for (place, what) in [
        ("play:2:16", "\"left\" is no direction"),
        ("play:3:5", "\"10.0.0.9\" is no medium"),
        ("play:4:13", "\"/dev/ttyS9\" is no medium"),
        ("play:5:13", "\"routers\" is not one medium between the nodes"),
        ("play:6:", "\"ping_group x\" cannot be set"),
        ("play:7:", "both nodes have the same media"),
    ] {
        assert!(errors.contains(place) && errors.contains(what), "{place} {what}:\n{errors}");
    }
}

#[test]
fn json_is_one_object_a_line_and_the_table_last() {
    let (code, text, _) = simulate(&asterisk(), &["--json"]);
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (table, entries) = lines.split_last().unwrap();
    assert_eq!((code, &table["passed"]), (0, &true.into()));
    assert!(entries.len() > 50 && entries.iter().all(|entry| entry["at"].is_f64() && entry["event"].is_string()));
    let rows = table["table"].as_array().unwrap();
    let power_off = rows.iter().find(|row| row["event"] == "power-off of asterisk1").unwrap();
    let without = power_off["groups"][0]["without_ms"].as_u64().unwrap();
    assert!((30_000..30_200).contains(&without) && power_off["groups"][0]["group"] == "asterisk", "{power_off}");
}

#[test]
fn messages_are_shown_when_asked_for() {
    let (_, text, _) = simulate(&asterisk(), &["--messages"]);
    assert!(text.contains("asterisk1  says t=resource rsc_hold=local"), "{text}");
}

#[test]
fn a_broken_file_is_shown_as_check_shows_it() {
    let dir = directory("monitor web soon\n");
    let (code, text, errors) = simulate(dir.path(), &[]);
    assert_eq!((code, text.as_str()), (2, ""), "{errors}");
    assert!(errors.contains("latido.cf:1:13") && errors.contains("^^^^"), "{errors}");
    fs::remove_file(dir.path().join("haresources")).unwrap();
    let (code, _, errors) = simulate(dir.path(), &[]);
    assert!(code == 2 && errors.contains("haresources") && errors.contains("cannot read the file"), "{errors}");
}

#[test]
fn three_nodes_are_no_pair_and_neither_is_one() {
    let dir = directory("");
    let path = dir.path().join("ha.cf");
    let pair = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{pair}node middle\n")).unwrap();
    let (code, _, errors) = simulate(dir.path(), &[]);
    assert_eq!(code, 2);
    assert!(errors.contains("3 nodes: a cluster has two"), "{errors}");
    fs::write(&path, pair.replace("node left right", "node left")).unwrap();
    fs::write(dir.path().join("haresources"), "").unwrap();
    let (code, _, errors) = simulate(dir.path(), &[]);
    assert_eq!(code, 2);
    assert!(errors.contains("names 1 node(s), and a pair is simulated"), "{errors}");
}

#[test]
fn every_line_of_a_bad_play_is_named_with_its_remedy() {
    let dir = directory("");
    let text =
        "start left right\n\npower-of left\nwait long\ncut eth9\nexpect left run web\nfails left asterisk start\n";
    let (code, out, errors) = play(dir.path(), text);
    assert_eq!((code, out.as_str()), (2, ""), "{errors}");
    for (place, what) in [
        ("play:3:1", "\"power-of\" is no command"),
        ("play:4:6", "\"long\" is not a duration"),
        ("play:5:5", "\"eth9\" is no medium"),
        ("play:6:8", "\"left run web\" cannot be expected"),
        ("play:7:12", "\"asterisk\" is no resource of these groups"),
    ] {
        assert!(errors.contains(place) && errors.contains(what), "{place} {what}:\n{errors}");
    }
    assert!(errors.contains("help: /dev/ttyS7, eth7, 10.0.0.254, all"), "{errors}");
}

#[test]
fn a_play_that_does_not_end_well_exits_with_one_and_says_what_is_wrong() {
    let dir = directory("");
    let (code, text, _) = play(dir.path(), "start left right\nwithin 5 home\npower-off left\nwait 3\nexpect once\n");
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("play:5: at ") && text.contains("expect once: it is not so: left runs nothing"), "{text}");
    assert!(text.contains("not as it should be: in the end web runs on no node"), "{text}");
}

#[test]
fn a_play_may_change_settings_and_groups() {
    let dir = directory("");
    let text = "set deadtime 2\ngroup left web\nstart left right\nwithin 5 home\nchapter off\nbeat left\npower-off left\n\
                wait 1\nwithin 9 once\n";
    let (code, text, _) = play(dir.path(), text);
    assert_eq!(code, 0, "{text}");
    assert!(row(&text, "off ").contains("silence of 2.00 s (deadtime 2 s)"), "{text}");
    assert!(text.contains("without web"), "{text}");
}

#[test]
fn the_story_that_is_shown_plays_as_the_story_does() {
    let dir = directory("");
    let (code, story, _) = simulate(dir.path(), &["--show-play"]);
    assert!(code == 0 && story.contains("\npower-off left\n"), "{story}");
    assert_eq!(play(dir.path(), &story).1, simulate(dir.path(), &[]).1);
}

#[test]
fn the_help_lists_every_command_with_an_example() {
    let output = Command::new(assert_cmd::cargo::cargo_bin!("latido")).args(["simulate", "--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for (usage, _) in latido::simulate::COMMANDS.iter().chain(&latido::simulate::EXPECTATIONS) {
        assert!(help.contains(usage), "{usage} is not in\n{help}");
    }
    let example = help.split("A play:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let dir = directory("");
    let renamed = example.replace("alpha", "left").replace("asterisk", "web").replace("beta", "right");
    let renamed: String =
        renamed.lines().map(|line| format!("{}\n", line.split(" #").next().unwrap().trim())).collect();
    let (code, text, errors) = play(dir.path(), &renamed);
    assert_eq!(code, 0, "{text}{errors}");
}
