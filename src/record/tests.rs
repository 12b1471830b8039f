use std::time::Duration;

use super::*;
use crate::cluster::{Monitor, Probe};
use crate::haresources::{Exit, Outcome};
use crate::names::{JobId, MediumId};
use crate::simulate::{groups, settings};
use crate::time::{Mono, Wall};
use crate::wire::{Generation, Kind, Message};

const NOW: Now = Now { mono: Mono::at(Duration::from_nanos(1_000_000_001)), wall: Wall(1_795_260_153) };

fn life(edit: impl Fn(&mut Settings)) -> RecordStart {
    let mut settings = settings("alpha").unwrap();
    edit(&mut settings);
    let start_facts = StartFacts::new(Generation(7), [1; 16], 3);
    RecordStart::new(&settings, &groups("alpha ra IPaddr::10.0.0.1/24\nbeta rc"), &start_facts, NOW)
}

fn text(line: Vec<u8>) -> String {
    String::from_utf8(line).unwrap()
}

fn reread(event: &Event) -> Event {
    match read_line(&text(event_line(NOW, event))) {
        Ok(RecordLine::Event(NOW, event)) => *event,
        other => panic!("{other:?}"),
    }
}

fn done(said: &str) -> Event {
    Event::Done { job: JobId(4), outcome: Outcome { exit: Exit::Code(0), said: said.to_owned() } }
}

#[test]
fn a_life_and_what_happens_come_back_as_they_were() {
    let life = life(|_| {});
    assert_eq!(read_line(&text(life.to_line())), Ok(RecordLine::Start(Box::new(life.clone()))));
    let message = Message::new(&Kind::Status).with("st", "active").with("src", "beta").with("seq", "1f");
    for event in [
        Event::Tick,
        Event::Leave,
        Event::Message { medium: MediumId::new("eth0"), at: NOW.mono, message: message.clone() },
        Event::Local(message),
        Event::Reconfigure(Box::new((life.settings.clone(), life.groups))),
        done("stopped"),
    ] {
        assert_eq!(reread(&event), event);
    }
}

#[test]
fn no_secret_of_a_command_a_program_or_a_script_is_written() {
    let command = Probe::Command(vec!["/bin/ask".into(), "--password=hunter2".into()]);
    let monitor =
        Monitor { resource: "ra".into(), every: Duration::from_secs(5), failures: 1, restarts: 0, with: command };
    let life = life(|settings| settings.monitors = vec![monitor.clone()]);
    let talk =
        Message::new(&Kind::Other("chat".into())).with("info", "hunter2").with("x", "hunter2").with("src", "beta");
    let odd = Message::new(&Kind::Status).with("st", "active").with("auth", "1 hunter2").with("x", "hunter2");
    let medium = MediumId::new("eth0");
    let lines = [
        life.to_line(),
        event_line(NOW, &Event::Reconfigure(Box::new((life.settings.clone(), vec![])))),
        event_line(NOW, &Event::Local(talk.clone())),
        event_line(NOW, &Event::Message { medium: medium.clone(), at: NOW.mono, message: talk }),
        event_line(NOW, &Event::Message { medium, at: NOW.mono, message: odd }),
        event_line(NOW, &done("Active: active (running), called with hunter2")),
    ];
    for line in lines {
        let line = text(line);
        assert!(!line.contains("hunter2"), "{line}");
        assert!(read_line(&line).is_ok(), "{line}");
    }
}

#[test]
fn what_a_script_says_means_the_same_when_it_is_shortened() {
    let far = "x".repeat(200);
    for said in ["running", "OK", "stopped", "", &format!("{far} running"), &format!("running {far} not running")] {
        let Event::Done { outcome, .. } = reread(&done(said)) else { panic!("no end") };
        let before = Outcome { exit: Exit::Code(0), said: said.to_owned() };
        assert_eq!(outcome.says_running(), before.says_running(), "{said}");
        assert!(outcome.said.len() < 140, "{said}");
    }
}

#[test]
fn what_a_status_proves_is_the_same_when_it_is_shortened() {
    let far = "x".repeat(200);
    for code in [0, 3, 4, 127] {
        for said in ["running", "stopped", "", " \n", &far, &format!("{far} is stopped"), &format!("{far} running")] {
            let before = Outcome { exit: Exit::Code(code), said: said.to_owned() };
            let event = Event::Done { job: JobId(1), outcome: before.clone() };
            let Event::Done { outcome, .. } = reread(&event) else { panic!("no end") };
            assert_eq!(outcome.told(), before.told(), "{code} {said}");
        }
    }
}

#[test]
fn a_record_of_a_newer_format_a_cut_line_and_rubbish_are_refused_by_their_line() {
    let first = text(life(|_| {}).to_line());
    let newer = first.replace(r#""latido_record":1"#, r#""latido_record":2"#);
    let idle = first.replace(r#""keepalive":{"secs":1"#, r#""keepalive":{"secs":0"#);
    let tick = text(event_line(NOW, &Event::Tick));
    let cases = [
        (newer.as_str(), "1: a record of format 2, written by latido 0."),
        (&idle, "1: no node can be born with this: keepalive of 0ns"),
        (&tick, "1: something happens before a life has begun: the record's first line is missing"),
        ("alpha ra rb", "1: no line of a record"),
        ("[]", "1: no line of a record"),
        ("", "1: no line of a record"),
    ];
    for (line, complaint) in cases {
        let stuck = Player::new(ShowLevel::Changes).play(line).unwrap_err();
        assert!(stuck.to_string().starts_with(complaint), "{stuck}");
    }
    let unknown = tick.replace("tick", "tock");
    let mut player = Player::new(ShowLevel::Changes);
    player.play(&first).unwrap();
    let stuck = player.play(&unknown).unwrap_err().to_string();
    assert!(stuck.starts_with(concat!("2: latido ", env!("CARGO_PKG_VERSION"), " wrote this line")), "{stuck}");
}

#[test]
fn a_life_that_was_cut_off_is_followed_by_the_next_and_the_last_cut_is_an_error() {
    let first = text(life(|_| {}).to_line());
    let cut = &text(event_line(NOW, &Event::Tick))[..20];
    let mut player = Player::new(ShowLevel::Changes);
    for line in [&first, cut, &first] {
        player.play(line).unwrap();
    }
    assert_eq!(player.end(), Ok(()));
    let remark = player.play(cut).unwrap();
    assert!(remark[0].contains("-- line 4: the line is cut off"), "{remark:?}");
    assert!(player.end().unwrap_err().to_string().starts_with("4: the line is cut off"));
    assert!(player.play(&text(event_line(NOW, &Event::Tick))).is_err());
}

#[test]
fn the_end_of_something_this_program_did_not_start_shows_where_it_decides_otherwise() {
    let mut player = Player::new(ShowLevel::Changes);
    player.play(&text(life(|_| {}).to_line())).unwrap();
    let end = text(event_line(NOW, &Event::Done { job: JobId(900), outcome: Outcome::code(1) }));
    let lines = player.play(&end).unwrap().join("\n");
    assert!(lines.contains("alpha  ended   (something this program did not start) -> exit 1"), "{lines}");
    let remark = concat!("-- from here on it decides otherwise than latido ", env!("CARGO_PKG_VERSION"), " did");
    assert!(lines.contains(remark), "{lines}");
    assert!(!player.play(&end).unwrap().join("\n").contains("otherwise"));
}

#[test]
fn nothing_in_a_record_moves_the_cursor_of_its_reader() {
    let evil = "\u{1b}[2J\nx";
    let mut born = life(|_| {});
    born.program = evil.to_owned();
    let message = Message::new(&Kind::Other(evil.to_owned())).with("src", evil);
    let events = [
        done(&format!("stopped {evil}")),
        Event::Local(message.clone()),
        Event::Message { medium: MediumId::new(evil), at: NOW.mono, message },
    ];
    let mut player = Player::new(ShowLevel::Everything);
    let mut lines = player.play(&text(born.to_line())).unwrap();
    events.iter().for_each(|event| lines.extend(player.play(&text(event_line(NOW, event))).unwrap()));
    let stuck = player.play(r#"{"now":{"mono":1,"wall":1},"event":"\u001b[2J"}"#).unwrap_err();
    lines.push(stuck.to_string());
    assert!(lines.len() >= 5 && lines.iter().all(|line| !line.contains(char::is_control)), "{lines:?}");
}
