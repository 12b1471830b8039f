//! The client API: frames cut anywhere, bodies, sign-on, requests, and what clients say to the cluster. Five connections of
//! different users; what is heard back is bounded, and goes to somebody who is there.

use std::collections::BTreeSet;

use latido::api::{
    ApiClients, ApiContext, ApiEffect, ApiFramer, ApiRules, CloseReason, Credentials, Limits, MAX_BODY, body, frame,
};
use latido::cluster::{Class, Cluster, StartFacts, View};
use latido::config::{Config, OnlyName, Sources};
use latido::diagnostic::SourceText;
use latido::names::{ClientId, NodeName};
use latido::time::{Mono, Now};
use latido::wire::{Generation, Message};

use super::{Seed, bytes::Bytes};

const HA_CF: &str = "node alpha beta\nbcast eth0\nserial /dev/ttyS0\nping 10.0.0.1\nauto_failback on\ndeadtime 10\n\
    apiauth ipfail uid=hacluster\napiauth cl gid=haclient uid=7\nlogfacility daemon\n";
/// Fields clients know, so that a choice of one byte spells them.
const FIELDS: [&str; 22] = [
    "t",
    "reqtype",
    "pid",
    "from_id",
    "to_id",
    "client_gen",
    "uid",
    "gid",
    "cn",
    "cs",
    "query",
    "node",
    "ifname",
    "param",
    "src",
    "dest",
    "fmask",
    "nsig",
    "queuelen",
    "info",
    "payload",
    "deadtime",
];
const WORDS: [&str; 30] = [
    "hbapi-req",
    "hbapi-resp",
    "hbapi-clstat",
    "query-cstatus",
    "respond-cstatus",
    "signon",
    "signoff",
    "setfilter",
    "setsignal",
    "nodelist",
    "nodestatus",
    "nodetype",
    "iflist",
    "ifstatus",
    "getparm",
    "getrsc",
    "nodesite",
    "clientstatus",
    "setsendqlen",
    "ping",
    "ipfail",
    "cl",
    "anon",
    "alpha",
    "beta",
    "eth0",
    "deadtime",
    "status",
    "OK",
    "",
];

fn scene() -> (Config, View) {
    let source = |name: &str, text: &str| Some(SourceText::new(name, text));
    let sources = Sources {
        ha_cf: source("ha.cf", HA_CF),
        haresources: source("haresources", "alpha 10.0.0.10 apache\nbeta 10.0.0.11\n"),
        authkeys: source("authkeys", "auth 1\n1 sha1 ThisIsASecretOf0123456789\n"),
        ..Sources::default()
    };
    let alpha = NodeName::new("alpha").expect("a name");
    let config = Config::assemble(&sources, &OnlyName(alpha)).expect("a good configuration");
    let start_facts = StartFacts::new(Generation(1), [7; 16], 1);
    let cluster = Cluster::start(config.settings.clone(), config.groups.clone(), start_facts, Now::default());
    let view = cluster.view(Mono::ZERO);
    (config, view)
}

fn caller(number: u64) -> Credentials {
    let number = u32::try_from(number).unwrap_or(0);
    // Root, a named user, two members of haclient, and a stranger.
    let (uid, gid) = [(0, 0), (7, 7), (1000, 113), (1001, 113), (65_534, 65_534)][number as usize % 5];
    Credentials { pid: 100 + number, uid, gid }
}

struct Table<'a> {
    clients: ApiClients,
    open: BTreeSet<ClientId>,
    config: &'a Config,
    view: &'a View,
}

impl Table<'_> {
    fn hear(&mut self, id: ClientId, body: &[u8]) {
        let picture = ApiContext { view: self.view, config: self.config };
        let effects = self.clients.heard(id, body, picture, &|pid| pid < 104);
        self.obey(effects);
    }

    fn obey(&mut self, effects: Vec<ApiEffect>) {
        assert!(effects.len() <= 200, "{} things to do for one body", effects.len());
        for effect in effects {
            match effect {
                ApiEffect::Say { to, message } => {
                    assert!(!to.is_empty() && to.iter().all(|id| self.open.contains(id)), "said to nobody: {message}");
                    assert!(body::encode(&message, body::Spelling::Classic).len() <= MAX_BODY);
                    let spelled = body::encode(&message, body::Spelling::Netstring);
                    assert!(body::decode(&spelled).is_ok(), "nobody can read {message}");
                }
                ApiEffect::Signal { client, signal } => {
                    assert!(self.open.contains(&client) && (1..=31).contains(&signal), "signal {signal}");
                }
                ApiEffect::Limits { client, limits } => {
                    assert!(self.open.contains(&client) && limits.body <= MAX_BODY && limits.queue <= 1 << 16);
                }
                ApiEffect::Close(client) => {
                    self.open.remove(&client);
                }
                ApiEffect::Send { message, by } => {
                    assert!(message.get("t").is_some(), "a message without a type");
                    let _ = by;
                    let me = &self.config.settings.me;
                    let effects = self.clients.deliver(Class::Keep, &message, me);
                    self.obey_quietly(effects);
                }
                ApiEffect::Log { text, .. } => assert!(text.len() <= MAX_BODY),
            }
        }
    }

    /// What a message that goes round causes does not go round again.
    fn obey_quietly(&mut self, effects: Vec<ApiEffect>) {
        for effect in effects {
            if let ApiEffect::Close(client) = effect {
                self.open.remove(&client);
            }
        }
    }
}

/// Steps: somebody connects, sends bytes, sends a body made of known words, goes away, a message is delivered.
pub fn run(bytes: &[u8]) {
    let (config, view) = scene();
    let mut bytes = Bytes::new(bytes);
    let rules = ApiRules::new(&config.apiauth, |_| Some(1000), |_| Some(113));
    let clients = ApiClients::new(rules);
    let mut table = Table { clients, open: BTreeSet::new(), config: &config, view: &view };
    let mut framers: Vec<ApiFramer> = (0..5).map(|_| ApiFramer::default()).collect();
    for _ in 0..200 {
        if bytes.is_over() {
            break;
        }
        let step = bytes.byte();
        let number = u64::from(step >> 4) % 5;
        let id = ClientId(number);
        if !table.open.contains(&id) && matches!(step & 15, 0..=9) {
            table.clients.connected(id, caller(number));
            table.open.insert(id);
            framers[usize::try_from(number).unwrap_or(0)] = ApiFramer::default();
        }
        match step & 15 {
            0 | 1 => {
                let framer = &mut framers[usize::try_from(number).unwrap_or(0)];
                framer.push(bytes.some());
                loop {
                    match framer.next_body(Limits::FIRST.body) {
                        Ok(Some(body)) => table.hear(id, &body),
                        Ok(None) => break,
                        Err(error) => {
                            let effects =
                                table.clients.gone(id, &CloseReason::Rubbish(error.to_string()), &config.settings.me);
                            table.obey(effects);
                            break;
                        }
                    }
                }
            }
            2 => {
                let body = bytes.some();
                table.hear(id, body);
            }
            3..=7 => {
                let message = spoken(&mut bytes);
                let spelling = if step & 1 == 0 { body::Spelling::Classic } else { body::Spelling::Netstring };
                let body = body::encode(&message, spelling);
                let mut framer = ApiFramer::default();
                framer.push(&frame::frame(&body));
                assert_eq!(framer.next_body(MAX_BODY).ok().flatten().as_ref(), Some(&body));
                table.hear(id, &body);
            }
            8 | 9 => {
                // The sign-on of a client that knows the protocol.
                let name = bytes.pick(&["ipfail", "cl", "", "anon", "7"]);
                let pid = caller(number).pid;
                let message = Message::empty()
                    .with("t", "hbapi-req")
                    .with("reqtype", "signon")
                    .with("pid", format!("{pid}"))
                    .with("uid", format!("{}", caller(number).uid))
                    .with("gid", format!("{}", caller(number).gid))
                    .with("from_id", if name.is_empty() { format!("{pid}") } else { name.to_owned() });
                table.hear(id, &body::encode(&message, body::Spelling::Classic));
            }
            10 => {
                let why = [
                    CloseReason::Eof,
                    CloseReason::Died,
                    CloseReason::Slow { waiting: 9, most: 8 },
                    CloseReason::Rubbish("x".into()),
                ];
                let effects = table.clients.gone(id, &bytes.pick(&why), &config.settings.me);
                table.obey(effects);
                table.open.remove(&id);
            }
            11 => table.clients.set_rules(ApiRules::new(&config.apiauth, |_| None, |_| None)),
            _ => {
                let message = spoken(&mut bytes);
                let class = bytes.pick(&[Class::Keep, Class::NoChange, Class::Drop]);
                let effects = table.clients.deliver(class, &message, &config.settings.me);
                table.obey_quietly(effects);
            }
        }
        assert!(table.clients.everybody().count() <= 5);
    }
}

fn spoken(bytes: &mut Bytes<'_>) -> Message {
    let mut message = Message::empty();
    for _ in 0..bytes.below(8) {
        let name = bytes.pick(&FIELDS);
        let value = match bytes.byte() {
            255 => bytes.text(),
            254 => bytes.number().to_string(),
            253 => format!("{:x}", bytes.number()),
            252 => String::from("100"),
            251 => String::from("101"),
            word => WORDS[usize::from(word) % WORDS.len()].to_owned(),
        };
        message.set(name, value);
    }
    message
}

/// A session each way a client may speak.
pub fn seeds() -> Vec<Seed> {
    let sign_on = b">>>\nt=hbapi-req\nreqtype=signon\npid=100\nuid=0\ngid=0\nfrom_id=100\n<<<\n\0";
    let list = b">>>\nt=hbapi-req\nreqtype=nodelist\npid=100\nfrom_id=100\n<<<\n\0";
    let mut framed = Vec::new();
    for body in [&sign_on[..], list] {
        let frame = frame::frame(body);
        framed.extend([0, u8::try_from(frame.len()).unwrap_or(255)]);
        framed.extend(frame);
    }
    let mut netstring = vec![2];
    let message = Message::empty().with("t", "hbapi-req").with("reqtype", "signon").with("pid", "100");
    let spelled = body::encode(&message, body::Spelling::Netstring);
    netstring.push(u8::try_from(spelled.len()).unwrap_or(255));
    netstring.extend(spelled);
    let word = |text: &str| u8::try_from(WORDS.iter().position(|word| *word == text).unwrap_or(0)).unwrap_or(0);
    // Root signs on by name and as a casual client, then asks everything there is to ask.
    let mut asks = vec![8, 2, 0x18, 1];
    for request in
        ["signoff", "setfilter", "setsignal", "nodelist", "nodestatus", "iflist", "ifstatus", "getparm", "getrsc"]
    {
        asks.extend([3, 5, 0, 0, 1, word(request), 2, 252, 11, word("beta"), 12, word("eth0")]);
        asks.extend([8, 2]);
    }
    // Named clients speak to each other, one goes.
    let talk = vec![
        0x18,
        1,
        8,
        2,
        0x13,
        4,
        0,
        word("ping"),
        4,
        word("cl"),
        15,
        word("beta"),
        20,
        255,
        3,
        b'a',
        b'b',
        b'c',
        0x1a,
        0,
    ];
    let alien = b"\x00\x08\x05\x00\x00\x00\xff\xff\xff\xff\x0c\x03\x00\x03\x01\x04".to_vec();
    vec![
        ("framed".into(), framed),
        ("netstring".into(), netstring),
        ("asks".into(), asks),
        ("talk".into(), talk),
        ("alien".into(), alien),
    ]
}

/// Fields and words of the protocol.
pub fn words() -> Vec<String> {
    let spelled = FIELDS.iter().map(|name| format!("\n{name}="));
    spelled.chain(WORDS.iter().filter(|word| !word.is_empty()).map(|word| (*word).to_owned())).collect()
}
