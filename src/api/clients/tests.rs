//! Dialogues with the table of clients, as the real clients lead them.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::cluster::{Cluster, Event, MediumCondition, StartFacts, View};
use crate::config::{Config, OnlyName, Sources};
use crate::diagnostic::SourceText;
use crate::names::MediumId;
use crate::time::{Mono, Now, Wall};
use crate::wire::{Generation, Value};

use super::super::body::{Spelling, encode};
use super::*;

const HA_CF: &str = "keepalive 1\ndeadtime 6\nwarntime 3\ninitdead 12\nbcast eth0\nserial /dev/ttyS0\nping 10.24.1.254\n\
                     auto_failback off\nnode alpha\nnode beta\nenv SECRET=x\n";
const HACLUSTER: Credentials = Credentials { pid: 60, uid: 105, gid: 106 };
const ROOT: Credentials = Credentials { pid: 70, uid: 0, gid: 0 };
const ID: ClientId = ClientId(1);
const OTHER: ClientId = ClientId(2);

struct Rig {
    config: Config,
    view: View,
    clients: ApiClients,
}

fn source(name: &str, text: &str) -> Option<SourceText> {
    Some(SourceText { name: name.into(), text: text.into() })
}

fn rig() -> Rig {
    let alpha = NodeName::new("alpha").unwrap();
    let sources = Sources {
        ha_cf: source("ha.cf", HA_CF),
        haresources: source("haresources", "alpha 10.0.0.1\n"),
        authkeys: source("authkeys", "auth 1\n1 crc\n"),
        ..Sources::default()
    };
    let config = Config::assemble(&sources, &OnlyName(alpha)).unwrap();
    let start_facts = StartFacts::new(Generation(1), [7; 16], 1);
    let now = Now { mono: Mono::ZERO, wall: Wall(1) };
    let mut cluster = Cluster::start(config.settings.clone(), config.groups.clone(), start_facts, now);
    let medium = MediumId::new("/dev/ttyS0");
    cluster.handle(now, Event::Medium { medium, condition: MediumCondition::Failed("unplugged".into()) });
    let rules = ApiRules::new(
        &config.apiauth,
        |name| [("root", 0), ("hacluster", 105)].into_iter().find(|known| known.0 == name).map(|known| known.1),
        |name| (name == "haclient").then_some(106),
    );
    Rig { view: cluster.view(Mono::ZERO), config, clients: ApiClients::new(rules) }
}

fn message(t: &str, fields: &[(&str, &str)]) -> Message {
    fields.iter().fold(Message::new(&Kind::Other(t.into())), |message, (name, value)| message.with(name, *value))
}

impl Rig {
    fn me(&self) -> NodeName {
        self.config.settings.me.clone()
    }

    fn raw(&mut self, id: ClientId, body: &[u8]) -> Vec<ApiEffect> {
        let context = ApiContext { view: &self.view, config: &self.config };
        self.clients.heard(id, body, context, &|pid| pid < 100)
    }

    fn hear(&mut self, id: ClientId, message: &Message) -> Vec<ApiEffect> {
        self.raw(id, &encode(message, Spelling::Classic))
    }

    fn sign_on(&mut self, id: ClientId, name: Option<&str>, credentials: Credentials) -> Vec<ApiEffect> {
        self.clients.connected(id, credentials);
        let [pid, uid, gid] = [credentials.pid, credentials.uid, credentials.gid].map(|number| number.to_string());
        let fields = [("reqtype", "signon"), ("pid", &pid), ("uid", &uid), ("gid", &gid)];
        let mut message = message("hbapi-req", &fields);
        name.into_iter().for_each(|name| message.set("from_id", name));
        self.hear(id, &message)
    }

    /// Signed on as a casual client.
    fn asking() -> Rig {
        let mut rig = rig();
        rig.sign_on(ID, None, ROOT);
        rig
    }

    fn ask(&mut self, fields: &[(&str, &str)]) -> Vec<String> {
        let mut request = message("hbapi-req", fields);
        request.set("from_id", "70");
        said(&self.hear(ID, &request))
    }
}

/// What is said to anybody, one message a line, without the type every answer has.
fn said(effects: &[ApiEffect]) -> Vec<String> {
    let mut lines = Vec::new();
    for effect in effects {
        if let ApiEffect::Say { message, .. } = effect {
            lines.push(message.to_string().replace("t=hbapi-resp ", ""));
        }
    }
    lines
}

fn sent(effects: &[ApiEffect]) -> Vec<String> {
    let mut lines = Vec::new();
    for effect in effects {
        if let ApiEffect::Send { message, .. } = effect {
            lines.push(message.to_string());
        }
    }
    lines
}

#[test]
fn a_named_client_is_announced_before_it_is_answered() {
    let effects = rig().sign_on(ID, Some("ipfail"), HACLUSTER);
    let join = "t=hbapi-clstat st=join from_id=ipfail to_id=ipfail src=alpha info=signon client_gen=0";
    assert_eq!(sent(&effects), [join]);
    let answer = said(&effects);
    assert!(answer[0].starts_with("reqtype=signon result=OK deadtime=1770 keepalive=3e8 node=alpha "), "{answer:?}");
    assert!(answer[0].ends_with(" pacemaker=false logfacility=-1"), "{answer:?}");
    let is = |wanted: fn(&ApiEffect) -> bool| effects.iter().position(wanted).unwrap();
    assert!(is(|e| matches!(e, ApiEffect::Send { .. })) < is(|e| matches!(e, ApiEffect::Say { .. })));
    assert!(effects.contains(&ApiEffect::Limits { client: ID, limits: Limits { queue: 64, body: MAX_BODY } }));
}

#[test]
fn a_casual_client_is_not_announced_and_counts_as_a_sign_on() {
    let mut rig = rig();
    assert_eq!(sent(&rig.sign_on(ID, Some("70"), ROOT)), Vec::<String>::new());
    assert!(sent(&rig.sign_on(OTHER, Some("ipfail"), HACLUSTER))[0].ends_with("client_gen=1"));
}

#[test]
fn a_refused_client_learns_the_times_and_the_reason_and_is_closed() {
    let mut rig = rig();
    let effects = rig.sign_on(ID, Some("ping"), ROOT);
    let answer = said(&effects);
    assert!(answer[0].contains("result=badreq info=client failed authorization deadtime=1770"), "{answer:?}");
    assert_eq!(effects.last(), Some(&ApiEffect::Close(ID)));
    assert!(!rig.clients.is_signed_on(ID));
    assert_eq!(rig.clients.everybody().count(), 0);
}

#[test]
fn a_second_of_one_name_is_refused_unless_the_first_has_died() {
    let mut rig = rig();
    rig.sign_on(ID, Some("ipfail"), HACLUSTER);
    assert!(said(&rig.sign_on(OTHER, Some("ipfail"), HACLUSTER))[0].contains("info=duplicate add request"));
    // As if its end had not been heard yet.
    rig.clients.list.get_mut(&ID).unwrap().credentials.pid = 4000;
    let effects = rig.sign_on(OTHER, Some("ipfail"), HACLUSTER);
    assert!(sent(&effects)[0].starts_with("t=hbapi-clstat st=leave"), "{effects:?}");
    assert!(sent(&effects)[0].contains("info=died"));
    assert!(effects.contains(&ApiEffect::Close(ID)));
    assert!(said(&effects)[0].contains("result=OK"));
}

#[test]
fn nodes_are_listed_in_the_order_of_ha_cf_with_the_kind_and_status_the_library_caches() {
    let mut rig = Rig::asking();
    let expected = [
        "reqtype=nodelist node=10.24.1.254 nodetype=ping st=init result=ok/more",
        "reqtype=nodelist node=alpha nodetype=normal st=init result=ok/more",
        "reqtype=nodelist node=beta nodetype=normal st=init result=OK",
    ];
    assert_eq!(rig.ask(&[("reqtype", "nodelist")]), expected);
}

#[test]
fn simple_questions_have_the_answers_of_the_original() {
    let mut rig = Rig::asking();
    let cases: [(&[(&str, &str)], &str); 18] = [
        (&[("reqtype", "nodestatus"), ("node", "BETA")], "st=init result=OK"),
        (&[("reqtype", "nodestatus"), ("node", "nosuch")], "result=badreq info=EINVAL"),
        (&[("reqtype", "nodetype"), ("node", "10.24.1.254")], "nodetype=ping result=OK"),
        (&[("reqtype", "nodeweight"), ("node", "beta")], "weight=100 result=OK"),
        (&[("reqtype", "nodesite"), ("node", "beta")], "site= result=OK"),
        (&[("reqtype", "nodesite"), ("node", "nosuch")], "result=badreq info=EINVAL"),
        (&[("reqtype", "numnodes")], "numnodes=2 result=OK"),
        (&[("reqtype", "ifstatus"), ("node", "beta"), ("ifname", "eth0")], "st=dead result=OK"),
        (&[("reqtype", "ifstatus"), ("node", "alpha"), ("ifname", "eth0")], "st=up result=OK"),
        (&[("reqtype", "ifstatus"), ("node", "alpha"), ("ifname", "/dev/ttyS0")], "st=dead result=OK"),
        (&[("reqtype", "ifstatus"), ("node", "beta"), ("ifname", "eth9")], "result=badreq info=EINVAL"),
        (&[("reqtype", "getparm"), ("pname", "keepalive")], "pvalue=1 result=OK"),
        (&[("reqtype", "getparm"), ("pname", "crm")], "pvalue=false result=OK"),
        (&[("reqtype", "getparm"), ("pname", "nosuch")], "result=OK"),
        (&[("reqtype", "getparm"), ("pname", "SECRET")], "result=OK"),
        (&[("reqtype", "getrsc")], "rsc_hold=transition result=OK"),
        (&[("reqtype", "setfilter"), ("fmask", "f")], "result=OK"),
        (&[("reqtype", "reboot")], "result=badreq"),
    ];
    for (fields, expected) in cases {
        let (_, reqtype) = fields[0];
        assert_eq!(rig.ask(fields), [format!("reqtype={reqtype} {expected}")], "{fields:?}");
    }
}

#[test]
fn interfaces_of_a_node_are_its_media_and_a_ping_node_has_one_of_its_name() {
    let mut rig = Rig::asking();
    let beta =
        ["reqtype=iflist ifname=eth0 st=dead result=ok/more", "reqtype=iflist ifname=/dev/ttyS0 st=dead result=OK"];
    assert_eq!(rig.ask(&[("reqtype", "iflist"), ("node", "beta")]), beta);
    let ping = ["reqtype=iflist ifname=10.24.1.254 st=dead result=OK"];
    assert_eq!(rig.ask(&[("reqtype", "iflist"), ("node", "10.24.1.254")]), ping);
}

#[test]
fn uuids_and_names_are_found_both_ways() {
    let mut rig = Rig::asking();
    let own = message("hbapi-req", &[("reqtype", "getuuid"), ("from_id", "70"), ("queryname", "alpha")]);
    let ApiEffect::Say { message: answer, .. } = &rig.hear(ID, &own)[0] else { panic!("no answer") };
    assert_eq!(answer.binary("queryuuid"), Some([7; 16].as_slice()));
    let mut back = message("hbapi-req", &[("reqtype", "getnodename"), ("from_id", "70")]);
    back.set_value("queryuuid", Value::Binary(vec![7; 16]));
    assert_eq!(said(&rig.hear(ID, &back)), ["reqtype=getnodename queryname=alpha result=OK"]);
}

#[test]
fn whether_a_client_is_online_is_known_here_and_asked_elsewhere() {
    let mut rig = Rig::asking();
    rig.sign_on(OTHER, Some("ipfail"), HACLUSTER);
    let status = |node: &str| {
        message("hbapi-req", &[("reqtype", "clientstatus"), ("from_id", "70"), ("node", node), ("cn", "ipfail")])
    };
    let answer = "reqtype=clientstatus subt=respond-cstatus cs=online result=OK";
    assert_eq!(said(&rig.hear(ID, &status("ALPHA"))), [answer]);
    assert_eq!(said(&rig.hear(ID, &status("beta"))), [answer.replace("online", "offline")]);
    assert_eq!(said(&rig.hear(ID, &status("nosuch"))), ["reqtype=clientstatus result=badreq info=EINVAL"]);
    let beta = rig.view.nodes.iter_mut().find(|node| node.name.as_str() == "beta").unwrap();
    beta.status = Status::Active;
    let effects = rig.hear(ID, &status("beta"));
    assert_eq!(sent(&effects), ["t=query-cstatus dest=beta cn=ipfail from_id=70"]);
    assert_eq!(said(&effects), Vec::<String>::new());
}

#[test]
fn a_query_of_another_node_is_answered_and_told_to_nobody() {
    let mut rig = Rig::asking();
    let query = message("query-cstatus", &[("cn", "70"), ("from_id", "ping"), ("src", "beta"), ("dest", "alpha")]);
    let effects = rig.clients.deliver(Class::Keep, &query, &rig.config.settings.me.clone());
    assert_eq!(sent(&effects), ["t=respond-cstatus dest=beta result=OK cn=70 to_id=ping cs=online"]);
    assert_eq!(effects.len(), 1);
}

#[test]
fn a_message_of_a_named_client_goes_out_under_its_own_name() {
    let mut rig = rig();
    rig.sign_on(ID, Some("ipfail"), HACLUSTER);
    let effects = rig.hear(ID, &message("num_ping_nodes", &[("num_ping", "1"), ("dest", "beta"), ("to_id", "root")]));
    assert_eq!(sent(&effects), ["t=num_ping_nodes num_ping=1 dest=beta to_id=ipfail from_id=ipfail client_gen=0"]);
    for forbidden in ["status", "NS_anything", "shutdone", "starting", "resource", "hbapi-clstat", "stonith", "latido"]
    {
        let effects = rig.hear(ID, &message(forbidden, &[("st", "dead")]));
        assert_eq!((sent(&effects), said(&effects)), (vec![], vec![]), "{forbidden}");
    }
}

#[test]
fn a_casual_client_that_speaks_to_the_cluster_is_cut_off() {
    let mut rig = Rig::asking();
    let effects = rig.hear(ID, &message("ping", &[]));
    assert_eq!(sent(&effects), Vec::<String>::new());
    assert!(effects.contains(&ApiEffect::Close(ID)));
    assert_eq!(rig.clients.everybody().count(), 0);
}

#[test]
fn a_request_in_another_name_is_not_answered() {
    let mut rig = Rig::asking();
    rig.sign_on(OTHER, Some("ipfail"), HACLUSTER);
    for name in ["ipfail", "nobody"] {
        let effects = rig.hear(ID, &message("hbapi-req", &[("reqtype", "numnodes"), ("from_id", name)]));
        assert!(matches!(effects[..], [ApiEffect::Log { .. }]), "{effects:?}");
    }
}

#[test]
fn only_root_sees_more_than_others() {
    let mut rig = rig();
    rig.sign_on(ID, Some("ipfail"), HACLUSTER);
    let filter = |mask| message("hbapi-req", &[("reqtype", "setfilter"), ("from_id", "ipfail"), ("fmask", mask)]);
    assert_eq!(said(&rig.hear(ID, &filter("f"))), ["reqtype=setfilter result=badreq info=EPERM"]);
    assert_eq!(said(&rig.hear(ID, &filter("1"))), ["reqtype=setfilter result=OK"]);
    let heartbeat = Message::new(&Kind::Status);
    assert_eq!(rig.clients.deliver(Class::NoChange, &heartbeat, &rig.me()), []);
}

#[test]
fn each_message_to_a_client_is_followed_by_the_signal_it_asked_for() {
    let mut rig = Rig::asking();
    rig.ask(&[("reqtype", "setsignal"), ("signal", "10")]);
    let news = Message::new(&Kind::IfStat).with("st", "up");
    let effects = rig.clients.deliver(Class::Keep, &news, &rig.me());
    assert_eq!(effects, [ApiEffect::Say { to: vec![ID], message: news }, ApiEffect::Signal { client: ID, signal: 10 }]);
}

#[test]
fn leaving_is_announced_with_its_reason() {
    let reasons =
        [(CloseReason::Eof, "EOF"), (CloseReason::Died, "died"), (CloseReason::Rubbish("magic".into()), "EOF")];
    let slow = (CloseReason::Slow { waiting: 64, most: 64 }, "send failed,farside_pid=60, sendq length=64(max is 64)");
    for (why, info) in reasons.into_iter().chain([slow]) {
        let mut rig = rig();
        rig.sign_on(ID, Some("ipfail"), HACLUSTER);
        let effects = rig.clients.gone(ID, &why, &rig.config.settings.me.clone());
        let leave = format!("t=hbapi-clstat st=leave from_id=ipfail to_id=ipfail src=alpha info={info} client_gen=0");
        assert_eq!(sent(&effects), [leave]);
    }
    let mut rig = rig();
    rig.sign_on(ID, Some("ipfail"), HACLUSTER);
    let effects = rig.hear(ID, &message("hbapi-req", &[("reqtype", "signoff"), ("from_id", "ipfail")]));
    assert!(sent(&effects)[0].contains("info=signoff"));
    assert!(said(&effects).is_empty() && effects.contains(&ApiEffect::Close(ID)));
}

#[test]
fn rubbish_is_forgiven_nine_times() {
    let mut rig = Rig::asking();
    for _ in 0..9 {
        assert_eq!(rig.raw(ID, b"junk").len(), 1);
    }
    assert_eq!(rig.ask(&[("reqtype", "numnodes")]).len(), 1);
    for _ in 0..9 {
        rig.raw(ID, b"");
    }
    assert!(rig.raw(ID, b"###\n").contains(&ApiEffect::Close(ID)));
}

#[test]
fn a_second_sign_on_is_refused_and_changes_nothing() {
    let mut rig = Rig::asking();
    assert_eq!(rig.ask(&[("reqtype", "signon"), ("pid", "70")]), ["reqtype=signon result=badreq"]);
    assert_eq!(rig.ask(&[("reqtype", "numnodes")]).len(), 1);
}

/// What a stranger might say: words of the protocol in any order, and junk.
fn any_body() -> impl Strategy<Value = Vec<u8>> {
    let name =
        prop::sample::select(vec!["t", "reqtype", "from_id", "pid", "uid", "gid", "node", "cn", "fmask", "to_id"]);
    let words = vec![
        "hbapi-req",
        "signon",
        "signoff",
        "nodelist",
        "iflist",
        "clientstatus",
        "setfilter",
        "status",
        "ipfail",
        "60",
        "70",
        "0",
        "105",
        "106",
        "alpha",
        "beta",
        "f",
        "query-cstatus",
        "",
        "=",
        "set_sendqlen",
    ];
    let value = prop::sample::select(words);
    let fields = prop::collection::vec((name, value), 0..8);
    let text = fields.prop_map(|fields| {
        let mut body = b">>>\n".to_vec();
        fields.iter().for_each(|(name, value)| body.extend_from_slice(format!("{name}={value}\n").as_bytes()));
        body.extend_from_slice(b"<<<\n\0");
        body
    });
    prop_oneof![4 => text, 1 => prop::collection::vec(any::<u8>(), 0..60)]
}

proptest! {
    #[test]
    fn whatever_clients_say_names_stay_single_and_each_request_has_at_most_one_end(
        talk in prop::collection::vec((1_u64..4, any_body(), any::<bool>()), 1..60)
    ) {
        let mut rig = rig();
        for (id, body, leaves) in talk {
            let id = ClientId(id);
            if !rig.clients.list.contains_key(&id) {
                let credentials = if id.0 == 1 { ROOT } else { HACLUSTER };
                rig.clients.connected(id, credentials);
            }
            let effects = rig.raw(id, &body);
            let ends = said(&effects).iter().filter(|line| !line.contains("result=ok/more")).count();
            prop_assert!(ends <= 1, "{:?}", effects);
            if leaves {
                let me = rig.me();
                rig.clients.gone(id, &CloseReason::Eof, &me);
            }
            let mut names: BTreeMap<&str, u32> = BTreeMap::new();
            for signed in rig.clients.list.values().filter_map(|client| client.signed.as_ref()) {
                *names.entry(&signed.name).or_default() += 1;
            }
            prop_assert!(names.values().all(|count| *count == 1));
        }
    }
}
