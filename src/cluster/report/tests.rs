//! What is said of each report: that it is said once, that every name used as a string somewhere is one, and that the lab
//! knows again what the log says.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;

use super::super::{Set, Status};
use super::*;

fn node() -> NodeName {
    NodeName::new("beta").unwrap()
}

fn medium() -> MediumId {
    MediumId::new("eth0")
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn took() -> Duration {
    Duration::from_millis(512)
}

/// One of each.
#[allow(clippy::too_many_lines, reason = "one line a report")]
fn samples() -> Vec<Report> {
    use Report as R;
    vec![
        R::LocalStatus(Status::Active),
        R::CommUp,
        R::LinkUp { node: node(), medium: medium() },
        R::LinkDead { node: node(), medium: medium() },
        R::MediumFailed { medium: medium(), why: text("no carrier") },
        R::MediumWorks { medium: medium() },
        R::NodeStatus { node: node(), status: Status::Active },
        R::NodeRestarted { node: node() },
        R::NodeDead { node: node(), silent_for: took() },
        R::NodeReturned { node: node(), silent_for: took() },
        R::LateHeartbeat { node: node(), interval: took() },
        R::OwnStall { lost: took() },
        R::LostPackets { node: node(), count: 2, last: 7, seq: 7 },
        R::LostALot { node: node(), count: 2 },
        R::NoneMissing { node: node() },
        R::Irretrievable { node: node(), seq: 7 },
        R::CannotRexmit { node: node(), seq: 7, why: "why" },
        R::Replay { node: node(), generation: Generation(8), known: Generation(8) },
        R::GenerationWentBack { node: node(), generation: Generation(8), known: Generation(8) },
        R::MayBeOld { node: node(), generation: Generation(8), known: Generation(8) },
        R::PeerForgotten { node: node() },
        R::UnknownNode { node: text("gamma") },
        R::NameTaken { medium: Some(medium()) },
        R::TwoMachines { node: node(), medium: medium(), refused: Generation(8), kept: Generation(8) },
        R::Refused { node: node() },
        R::FlowControlOff { node: node() },
        R::UuidChanged { node: node(), uuid: text("5200") },
        R::NodeListDiffers { node: node(), list: text("alpha gamma") },
        R::ResourcesDiffer { node: node() },
        R::PeerIsLegacy { node: node() },
        R::RemoteComplete,
        R::LocalComplete,
        R::TakingOverFrom { node: node() },
        R::DeadNodeGaveUp { node: node() },
        R::NoStonith,
        R::ShutdownNotice { node: node() },
        R::TakeoverCancelled,
        R::TakingOverGroup { group: text("web") },
        R::TakeoverComplete { node: node() },
        R::LocalAcquired { work: LocalWork::Done, me: node() },
        R::InitialComplete { how: "why" },
        R::IpRequest { group: text("web"), node: node() },
        R::Orphan { group: text("web"), owner: node() },
        R::FailbackBegins { node: node() },
        R::Acquiring { owner: node(), resources: text("web IPaddr::10.0.0.1") },
        R::Releasing { owner: node(), resources: text("web IPaddr::10.0.0.1") },
        R::GroupHeld { group: text("web"), took: took() },
        R::GroupReleased { group: text("web"), took: took() },
        R::Running { call: text("web start") },
        R::ScriptFailed { call: text("web start"), ended: text("exit 1") },
        R::GivingUp { resource: text("IPaddr 10.0.0.1") },
        R::GroupFailed { group: text("web"), resource: text("IPaddr 10.0.0.1") },
        R::FailureForgotten { group: text("web") },
        R::RetryingStop { resource: text("IPaddr 10.0.0.1") },
        R::NotLsb { resource: text("IPaddr 10.0.0.1") },
        R::StopFailed { resource: text("IPaddr 10.0.0.1") },
        R::GroupBlocked { group: text("web"), resource: text("IPaddr 10.0.0.1") },
        R::FailedThere { group: text("web"), node: node(), why: text("no carrier") },
        R::Given { node: node(), set: Set::Local, why: text("no carrier") },
        R::GoingStandby { set: Set::Local },
        R::WantsStandby { node: node(), set: Set::Local },
        R::StandbyAccepted { node: node(), set: Set::Local },
        R::StandbyAcquire { node: node(), set: Set::Local },
        R::ReleaseDone { set: Set::Local },
        R::AcquireDone { set: Set::Local },
        R::StandbyDone { set: Set::Local },
        R::OtherCompleted { set: Set::Local },
        R::StandbyNoReply,
        R::StandbyCancelled,
        R::StandbyBusy { node: node() },
        R::StandbyInFlux { node: node(), local: false },
        R::StandbyLegacy,
        R::StandbyRefused { why: text("no carrier") },
        R::BadSet { set: text("half") },
        R::OneWay { node: node(), groups: text("web, mail") },
        R::PartitionKept { group: text("web") },
        R::PartitionLetGo { group: text("web") },
        R::BothOwn { group: text("web") },
        R::ShutdownBegins,
        R::ShutdownUnderway,
        R::ShutdownWaits,
        R::ShutdownBlocked,
        R::GivingUpAll,
        R::AllReleased,
        R::ShutdownComplete { me: node() },
        R::Reconfigured { groups: 3 },
        R::Adopting { groups: text("web, mail") },
        R::Checking { owner: node(), resources: text("web IPaddr::10.0.0.1") },
        R::Adopted { group: text("web") },
        R::StoppingLeftovers { groups: text("web, mail"), leaving: false },
        R::LeftoversStopped,
        R::RunsAlready { resource: text("IPaddr 10.0.0.1"), agent: text("web"), group: text("web") },
        R::Upgrading,
        R::Resetting { node: node(), device: text("/bin/off") },
        R::NodeReset { node: node() },
        R::NotReset { node: node(), device: text("/bin/off"), why: text("no carrier") },
        R::FencingRetries { node: node() },
        R::FencingCancelled { node: node() },
        R::FenceDeviceBroken { device: text("/bin/off"), why: text("no carrier") },
        R::FenceDeviceWorks { device: text("/bin/off") },
        R::ResourceSick { resource: text("IPaddr 10.0.0.1"), said: text("stopped"), failures: 2 },
        R::Restarting { resource: text("IPaddr 10.0.0.1"), count: 2 },
        R::ResourceStays { group: text("web") },
        R::GroupGivenUp { group: text("web"), resource: text("IPaddr 10.0.0.1"), restarts: 2 },
        R::RunsHereToo { resource: text("IPaddr 10.0.0.1") },
        R::NotBrought { group: text("web"), why: text("no carrier") },
        R::TakenByHand,
    ]
}

fn lines(report: &Report) -> Vec<String> {
    report.lines(|agent| format!("/etc/ha.d/resource.d/{agent}")).into_iter().map(|line| line.text).collect()
}

/// The file of the repository.
fn file(path: &str) -> String {
    std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// `node-dead` for `NodeDead`.
fn kebab(variant: &str) -> String {
    let mut name = String::new();
    for letter in variant.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

#[test]
fn every_event_has_the_name_of_its_report_and_is_found_by_it() {
    let names: BTreeSet<&str> = EventName::ALL.iter().map(|event| event.name()).collect();
    assert_eq!(names.len(), EventName::ALL.len());
    for event in EventName::ALL {
        assert_eq!(event.name(), kebab(&format!("{event:?}")));
        assert_eq!(EventName::from_name(event.name()), Some(*event));
    }
    assert_eq!(EventName::from_name("of-another-release"), None);
}

#[test]
fn the_samples_hold_one_of_each_report() {
    let sampled: Vec<EventName> = samples().iter().map(Report::event).collect();
    let besides = [EventName::Asked, EventName::Script, EventName::AddressConflict];
    let all = EventName::ALL.iter().copied().filter(|event| !besides.contains(event));
    assert_eq!(sampled, all.collect::<Vec<_>>());
}

#[test]
fn the_particulars_of_a_report_are_as_they_were_ever_written() {
    let dead = Report::NodeDead { node: node(), silent_for: took() };
    assert_eq!(dead.data(), json!({"node": "beta", "silent_for": 512.0}));
    assert_eq!(Report::LocalStatus(Status::Active).data(), json!("active"));
    assert_eq!(Report::CommUp.data(), json!(null));
    assert_eq!(
        Report::WantsStandby { node: node(), set: Set::One(7) }.data(),
        json!({"node": "beta", "set": {"one": 7}})
    );
}

#[test]
fn what_an_event_is_said_to_name_it_names() {
    let of = |event: EventName| samples().into_iter().find(|report| report.event() == event).unwrap().data();
    let scopes = |event: &EventName| [event.may_stop(), event.settles()].into_iter().flatten().collect::<Vec<_>>();
    let all = EventName::ALL.iter().flat_map(|event| scopes(event).into_iter().map(|scope| (*event, scope)));
    for (event, scope) in all {
        let field = match scope {
            Scope::All => continue,
            Scope::ItsGroup => "group",
            Scope::GroupOfItsResource => "resource",
            Scope::ItsSet => "set",
            Scope::ForeignInLegacy => "status",
        };
        assert!(of(event)[field].is_string(), "{event:?} has no {field}");
    }
}

/// S6 of `docs/takeover.md`: nothing healthy is stopped without a cause that `latido why` names.
#[test]
fn whatever_may_stop_what_works_stands_in_the_story_that_why_tells() {
    let stops = EventName::ALL.iter().filter(|event| event.may_stop().is_some());
    // That an original is back, which is then heard with an ip-request.
    let stops = stops.filter(|event| **event != EventName::NodeStatus);
    let untold: Vec<_> = stops.filter(|event| !event.is_cause() && !event.is_part_of_move()).collect();
    assert!(untold.is_empty(), "{untold:?}");
}

#[test]
fn each_number_of_journald_is_one_event_s_and_the_document_names_both() {
    let document = file("docs/systemd.md");
    let rows = document.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix("` |")?.split_once(" | `"));
    let rows: BTreeMap<&str, &str> = rows
        .filter(|(_, id)| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .map(|(event, id)| (event.split(':').next().unwrap_or(event), id))
        .collect();
    let table = EventName::ALL.iter().filter_map(|event| Some((event.name(), event.message_id()?)));
    assert_eq!(rows, table.collect());
    assert_eq!(rows.values().collect::<BTreeSet<_>>().len(), rows.len());
}

#[test]
fn whoever_waits_for_a_move_has_a_number_to_wait_for() {
    let moves = EventName::ALL.iter().filter(|event| event.is_move());
    assert!(moves.clone().count() > 0 && moves.clone().all(|event| event.message_id().is_some()));
}

/// `UPDATE_EXPECTED=1` writes the table of the document anew.
#[test]
fn the_document_of_events_is_the_table() {
    let yes = |is: bool, word: &'static str| if is { word } else { "" };
    let row = |event: &EventName| {
        let part = [yes(event.is_cause(), "cause"), yes(event.is_part_of_move(), "step")].concat();
        let part = part.replace("causestep", "cause, step");
        let news = yes(event.is_news(), "yes");
        format!("| `{}` | {} | {news} | {part} |\n", event.name(), event.level().as_str())
    };
    let table: String = EventName::ALL.iter().map(row).collect();
    let document = file("docs/events.md");
    let (head, _) = document.split_once("| --- | --- | --- | --- |\n").unwrap();
    let expected = format!("{head}| --- | --- | --- | --- |\n{table}");
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/events.md"), expected).unwrap();
        return;
    }
    assert_eq!(document, expected, "UPDATE_EXPECTED=1 writes docs/events.md anew");
}

#[test]
fn the_script_that_mails_waits_only_for_events_that_notify_is_told_of() {
    let script = file("scripts/notify/mail");
    let list = script.split("\nevents=\"").nth(1).unwrap().split('"').next().unwrap();
    let mut found = 0;
    for name in list.split_whitespace() {
        let event = EventName::from_name(name).unwrap_or_else(|| panic!("scripts/notify/mail: no event {name}"));
        assert!(event.is_news(), "scripts/notify/mail waits for {name}, of which notify is not told");
        found += 1;
    }
    assert!(found > 10);
}

/// What stands behind `mark` in the text, as far as a name goes.
fn behind<'a>(text: &'a str, mark: &str) -> Vec<&'a str> {
    let is_of_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    let names = text.split(mark).skip(1).map(|rest| rest.split(|letter| !is_of_name(letter)).next().unwrap_or(""));
    names.filter(|name| !name.is_empty()).collect()
}

#[test]
fn every_name_written_down_elsewhere_is_an_event_s() {
    let files = [
        "docs/systemd.md",
        "docs/man/latido.8.in",
        "docs/man/latido.cf.5",
        "docs/mail.md",
        "docs/status.md",
        "fuzz/src/notes.rs",
        "pkg/prometheus/latido.rules.yml",
        "pkg/grafana/latido.json",
    ];
    let guide = ["docs/guide/src/operations/what-happened.md", "docs/guide/src/operations/look.md"];
    let mut found = 0;
    for path in files.into_iter().chain(guide) {
        let text = file(path);
        // A record has events of another kind.
        let names = behind(&text, "LATIDO_EVENT=").into_iter().chain(behind(&text, "\"WARN\",\"event\":\""));
        for name in names.chain(behind(&text, "\"info\",\"event\":\"")) {
            assert!(EventName::from_name(name).is_some(), "{path}: there is no event {name}");
            found += 1;
        }
        for id in behind(&text, "MESSAGE_ID=") {
            let known = EventName::ALL.iter().any(|event| event.message_id() == Some(id));
            assert!(known, "{path}: no event has the number {id}");
            found += 1;
        }
    }
    assert!(found >= 4, "{found}");
}

/// `docs/mail.md`: "everything that is ERROR or CRIT".
#[test]
fn notify_is_told_of_everything_that_is_wrong() {
    let wrong = EventName::ALL.iter().filter(|event| event.level() >= Level::Error);
    assert!(wrong.clone().count() > 0 && wrong.clone().all(|event| event.is_news()));
}

#[test]
fn a_line_is_known_as_the_event_that_wrote_it_and_never_as_another() {
    for report in samples() {
        let event = report.event();
        for line in lines(&report) {
            let told = phrases::told(&line);
            let is_needed = event.is_hidden() && event.level() > Level::Debug;
            assert!(told.is_some() || !is_needed, "{event:?}: nobody knows \"{line}\"");
            assert!(told.is_none_or(|told| told.event == event), "{event:?}: \"{line}\" is taken for another");
        }
    }
}

#[test]
fn what_a_phrase_leaves_open_is_read() {
    let words = |text| phrases::told(text).map(|told| (told.event, told.words));
    assert_eq!(words("Link alpha:/dev/ttyS1 up."), Some((EventName::LinkUp, vec!["alpha:/dev/ttyS1"])));
    let silent = words("node alpha was silent for 501 ms on every link");
    assert_eq!(silent, Some((EventName::NodeDead, vec!["alpha", "501 ms"])));
    assert_eq!(words("resource group a/24/eth0 is up (2 ms)"), Some((EventName::GroupHeld, vec!["a/24/eth0", "2 ms"])));
    assert_eq!(words("one HA resource release completed (standby)."), Some((EventName::ReleaseDone, vec!["one"])));
    assert_eq!(words("Heartbeat shutdown in progress. (17)"), Some((EventName::ShutdownBegins, vec!["17"])));
    for text in ["", "Link  up.", "node : is dead", "something nobody has heard of", "resource group x is down here: y"]
    {
        assert_eq!(words(text), None, "{text}");
    }
}

/// What both programs say and no event is behind.
const NO_EVENT: [&str; 4] =
    ["Configuration unchanged.", "Heartbeat restart triggered.", "Rereading authentication file.", "stringNmsg_ll:"];

#[test]
fn every_phrase_that_the_original_and_we_say_is_known() {
    let document = file("docs/compared/log-phrases.md");
    let both = document.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    let mut known = 0;
    for line in both.lines() {
        let text = line.split_once(": ").unwrap().1;
        let levels = Level::ALL.map(|level| format!("{}: ", level.as_str()));
        let text = levels.iter().find_map(|level| text.strip_prefix(level.as_str())).unwrap_or(text);
        let told = phrases::told(text);
        let other = phrases::is_of_the_start(text) || NO_EVENT.iter().any(|start| text.starts_with(start));
        assert!(told.is_some() != other, "{line}: {told:?}");
        known += usize::from(told.is_some());
    }
    assert!(known > 60, "{known}");
}

#[test]
fn a_time_line_says_an_event_in_few_words_as_the_log_does_or_not_at_all() {
    let what = |report: &Report, me: &str| {
        let lines = lines(report);
        let told = phrases::told(lines.last().unwrap()).unwrap();
        match told.event.shown(me, &told.words) {
            Shown::Short(short) => Some(format!("{}, {}", short.what, short.detail)),
            Shown::Hidden => None,
            Shown::AsLogged => Some(report.to_string()),
        }
    };
    let gives = Report::WantsStandby { node: node(), set: Set::one("web") };
    assert_eq!(what(&gives, "beta").as_deref(), Some("gives one group away, "));
    assert_eq!(what(&gives, "alpha"), None);
    let dead = Report::NodeDead { node: node(), silent_for: took() };
    assert_eq!(what(&dead, "alpha").as_deref(), Some("node beta is dead, silent for 512 ms on every link"));
    let up = Report::LocalStatus(Status::Up);
    assert_eq!(what(&up, "alpha"), None);
}
