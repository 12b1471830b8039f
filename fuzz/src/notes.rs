//! What lies on disk: journal, notes of a dead predecessor, peers, pid file, records. Disks and administrators change it.

use latido::journal;
use latido::record::{Player, ShowLevel};

use super::{Seed, bytes::Bytes, samples};

/// The first byte says which file the rest is.
pub fn run(bytes: &[u8]) {
    let mut bytes = Bytes::new(bytes);
    let which = bytes.below(4);
    let text = String::from_utf8_lossy(bytes.rest()).into_owned();
    match which {
        0 => {
            let entries: Vec<journal::EventEntry> = text.lines().filter_map(journal::parse).collect();
            for entry in &entries {
                assert!(serde_json::to_string(entry).is_ok());
            }
            let end = entries.last().map_or(0.0, |entry| entry.t);
            for at in [end, f64::INFINITY, 0.0] {
                if let Some(explanation) = journal::last_transition(&entries, at) {
                    let _ = journal::tell(&explanation, |at| format!("{at:.3}"));
                }
            }
        }
        1 => drop(latido::daemon::fuzzing::notes(&text)),
        2 => latido::daemon::fuzzing::lines(&text),
        _ => {
            let mut player = Player::new(ShowLevel::Everything);
            for line in text.lines() {
                match player.play(line) {
                    Ok(shown) => {
                        let control = |line: &String| line.chars().any(|letter| letter.is_control() && letter != '\t');
                        assert!(!shown.iter().any(control), "it moves the cursor: {shown:?}");
                    }
                    Err(stuck) => {
                        let _ = stuck.to_string();
                        break;
                    }
                }
            }
            let _ = player.end();
        }
    }
}

/// A journal and notes as the daemon writes them, and the beginnings of the records of `tests/replay`.
pub fn seeds() -> Vec<Seed> {
    let journal = r#"{"t":1700000000.5,"node":"alpha","level":"WARN","event":"node-dead","text":"node beta: is dead","data":{"node":"beta"},"evidence":{"links":[{"node":"beta","medium":"eth0","up":false,"last_heard_ms":10000}],"loop_late_ms":0.1,"ping_nodes":[1,1]}}
{"t":1700000001.0,"node":"alpha","level":"info","event":"group-held","text":"up","data":{"group":"10.0.0.10","took":12.5}}
{"t":1700000001.5,"node":"alpha","level":"info","event":"script","text":"IPaddr start","data":{"resource":"IPaddr::10.0.0.10","verb":"start","code":0}}
"#;
    let notes = "alive             123456      10000\nlatido 1\nboot 0123-4567 89\nleaving\nfailback\npeer-gone\nbears 30000\n\
        handover gives all begun 17\ngroup held p- alpha IPaddr::10.0.0.10 apache\ngroup failed o beta ra\nwhy it broke\n\
        job 123 4567 99999\nclient 124 4568\n";
    let peers = "beta 12 345\ngamma 1 18446744073709551615\n";
    let sip = "SIP/2.0 200 OK\r\nCall-ID: 0000000000000007@10.0.0.2\r\n\r\n";
    let with = |mode: u8, text: &str| [&[mode], text.as_bytes()].concat();
    let mut seeds = vec![
        ("journal".into(), with(0, journal)),
        ("notes".into(), with(1, notes)),
        ("peers".into(), with(2, peers)),
        ("pid".into(), with(2, "  4711\n")),
        ("sip".into(), with(2, sip)),
    ];
    for (name, record) in samples("tests/replay", "jsonl") {
        let text = String::from_utf8_lossy(&record).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        for (number, piece) in lines.get(1..).unwrap_or_default().chunks(8).take(4).enumerate() {
            let birth = lines.first().copied().unwrap_or_default();
            seeds.push((format!("{number}-{name}"), with(3, &format!("{birth}\n{}\n", piece.join("\n")))));
        }
    }
    seeds
}

/// Of the notes, and keys of the records.
pub fn words() -> Vec<String> {
    let text = "alive latido boot leaving failback peer-gone lost bears handover gives takes all begun done asked overdue group held \
        free starting stopping failed blocked why job client 18446744073709551615 -1 1e308 null {\"now\":{\"mono\": \"wall\": \"event\": \
        \"tick\" \"message\": \"done\": \"request\": \"leave\" \"upgrade\" \"reconfigure\": \"standby\": \"one\": \u{1b}[";
    super::words_of(text)
}
