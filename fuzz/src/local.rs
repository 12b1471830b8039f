//! What anybody on this machine or in a browser may write: lines of the control socket, the FIFO, requests for the status
//! page; and what an answer of the control socket is made into.

use latido::cluster::Set;
use latido::names::NodeName;
use latido::status::metrics::metrics;
use latido::status::text::describe;
use latido::status::{Answer, Ask};
use latido::wire::{field, parse_fifo};

use super::{Seed, bytes::Bytes};

/// The first byte says where the rest is written.
pub fn run(bytes: &[u8]) {
    let mut bytes = Bytes::new(bytes);
    match bytes.below(4) {
        0 => control(bytes.rest()),
        1 => fifo(&mut bytes),
        2 => page(bytes.rest()),
        _ => answer(bytes.rest()),
    }
}

fn control(bytes: &[u8]) {
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Ok(ask) = serde_json::from_slice::<Ask>(line) else { continue };
        let json = serde_json::to_string(&ask).expect("a question can be asked");
        assert_eq!(serde_json::from_str::<Ask>(&json).ok(), Some(ask.clone()));
        match ask {
            Ask::Standby { set } | Ask::Takeover { set } => {
                if let Some(set) = Set::from_text(&set) {
                    assert_eq!(Set::from_text(&set.to_text()), Some(set));
                }
            }
            Ask::Move { to: Some(node), .. } | Ask::Forget { node } => drop(NodeName::new(&node)),
            Ask::Status | Ask::Reload | Ask::Retry { .. } | Ask::Move { to: None, .. } | Ask::Bring { .. } => {}
        }
    }
}

fn fifo(bytes: &mut Bytes<'_>) {
    let mut pieces = Vec::new();
    while !bytes.is_over() {
        pieces.push(bytes.some());
    }
    let texts = latido::daemon::fuzzing::fifo(pieces.iter().copied());
    for text in texts {
        for read in parse_fifo(text.as_bytes()) {
            match read {
                Ok(message) => assert!(message.get(field::T).is_some_and(|kind| !kind.is_empty())),
                Err(reject) => drop(reject.to_string()),
            }
        }
    }
    for read in parse_fifo(&pieces.concat()) {
        read.map_or_else(|reject| drop(reject.to_string()), |message| drop(message.to_string()));
    }
}

fn page(bytes: &[u8]) {
    if let Some((ours, answer)) = latido::daemon::fuzzing::page(bytes) {
        assert!(answer.starts_with("HTTP/1.1 ") && answer.contains("\r\n\r\n"), "{answer}");
        let head = bytes.windows(4).position(|end| end == b"\r\n\r\n").map_or(bytes, |end| &bytes[..end + 2]);
        let evil = head.split(|byte| *byte == b'\n').any(|line| line.eq_ignore_ascii_case(b"host: evil.example\r"));
        assert!(!(ours && evil), "a strange host is taken for us");
        let length = answer.split("Content-Length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse().ok());
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        assert!(bytes.starts_with(b"HEAD") || length == Some(body.len()), "{answer}");
    }
}

fn answer(bytes: &[u8]) {
    let Ok(answer) = serde_json::from_slice::<Answer>(bytes) else { return };
    if let Answer::Status(status) = &answer {
        let _ = (metrics(status), describe(status));
        let _ = latido::status::health::troubles(status);
    }
    assert!(serde_json::to_string(&answer).is_ok());
}

/// Each question, messages of scripts, requests of browsers, an answer.
pub fn seeds() -> Vec<Seed> {
    let asks = "{\"ask\":\"status\"}\n{\"ask\":\"standby\",\"set\":\"all\"}\n{\"ask\":\"takeover\",\"set\":\"one:ff\"}\n\
        {\"ask\":\"retry\",\"group\":\"10.0.0.10\"}\n{\"ask\":\"move\",\"group\":\"apache\",\"to\":\"beta\"}\n\
        {\"ask\":\"bring\",\"group\":\"10.0.0.10\"}\n{\"ask\":\"forget\",\"node\":\"beta\"}\n";
    let takeover = b">>>\nt=hb_takeover\ninfo=me\nsrc=alpha\n<<<\n";
    let cut = [&[u8::try_from(takeover.len()).unwrap_or(0)], &takeover[..], &[9], b">>>\nt=res", &[9], b"ource\n<<<"]
        .concat();
    let status = r#"{"status":{"version":1,"program":"0.1.0","pid":7,"core":8,"up_for_ms":1000,"me":"alpha","nodes":[{"name":"beta","here":false,"ping":false,"status":"active","last_heard_ms":3,"generation":4,"deadtime_ms":10000,"latido":true,"resources_differ":null,"clock_ahead_s":null,"links":[{"medium":"eth0","up":true,"last_heard_ms":3,"failure":null,"gaps":{"count":4,"median_ms":1.5,"p999_ms":2.5,"worst_ms":3.5}}]}],"groups":[{"key":"ra","owner":"alpha","resources":["ra"],"state":"held","for_ms":4,"held_by_peer":false,"running":null,"failure":null}],"rscstatus":"all","waiting_for":null,"stable":true,"leaving":false,"auto_failback":"on","deadtime_ms":10000,"enough_deadtime_ms":4,"least_deadtime_ms":4,"loop_late_ms":0.5,"peer":null,"last_takeover_ms":null,"last_change_ms":5,"troubles":[]}}"#;
    let with = |mode: u8, text: &[u8]| [&[mode], text].concat();
    vec![
        ("asks".into(), with(0, asks.as_bytes())),
        ("fifo".into(), with(1, &cut)),
        ("get".into(), with(2, b"GET / HTTP/1.1\r\nHost: 127.0.0.1:5680\r\nAccept: */*\r\n\r\n")),
        ("evil".into(), with(2, b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")),
        ("metrics".into(), with(2, b"GET /metrics?x=y HTTP/1.0\r\n\r\n")),
        ("head".into(), with(2, b"HEAD /status.json HTTP/1.1\r\nHost: alpha\r\n\r\n")),
        ("post".into(), with(2, b"POST /standby HTTP/1.1\r\nContent-Length: 3\r\n\r\nall")),
        ("answer".into(), with(3, status.as_bytes())),
        ("moved".into(), with(3, b"{\"moved\":[\"10.0.0.10\"]}")),
    ]
}

/// Of JSON, of scripts and of browsers.
pub fn words() -> Vec<String> {
    let text = "{\"ask\": \"status\" \"standby\" \"takeover\" \"retry\" \"move\" \"bring\" \"forget\" \"node\": \"set\": \"group\": \"to\": \"one:ff\" null true -1 1e308 \
        \\u0000 evil.example GET HEAD HTTP/1.1 Host: /status.json /metrics ? %00";
    let mut words = super::words_of(text);
    words.extend([">>>\n", "\n<<<\n", "\r\n\r\n", "\nt="].map(str::to_owned));
    words
}
