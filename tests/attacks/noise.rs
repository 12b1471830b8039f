//! What can be caused from outside again and again: logged, told and kept within bounds (`takeover.md` 15).

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use latido::cluster::EventName;

use super::clients::{latido, pair_with};
use super::runner::{Pace, Test};
use super::support::clock::{epoch, wait_until};
use super::support::host::Host;
use super::support::stranger::as_stranger;
use super::support::{Failback, Kind::Latido, Pair, Plan, shell};
use crate::tests;

/// The tests of this file.
pub(crate) const TESTS: &[Test] = tests!(
    false,
    Pace::Alone,
    [claims_of_our_addresses_from_everywhere_after_a_takeover_fill_nothing_and_hide_no_move]
);

/// Both move with alpha's group.
const ADDRESSES: [&str; 2] = ["10.21.0.100", "10.21.0.101"];
const KEEPALIVE: f64 = 0.2;

/// For five seconds, some thousands a second, half of them for each address.
fn claim_everything(pair: &Pair) -> String {
    let [first, second] = ADDRESSES;
    let script = format!(
        "import os,socket,time
doors=[]
for _,name in socket.if_nameindex():
    if name=='lo': continue
    s=socket.socket(socket.AF_PACKET,socket.SOCK_RAW); s.bind((name,0)); doors.append(s)
ips=[socket.inet_aton('{first}'),socket.inet_aton('{second}')]; end=time.time()+5; sent=0
while time.time()<end:
    mac=b'\\x02'+os.urandom(5); ip=ips[sent%2]
    frame=b'\\xff'*6+mac+b'\\x08\\x06\\x00\\x01\\x08\\x00\\x06\\x04\\x00\\x02'+mac+ip+b'\\xff'*6+ip
    for s in doors:
        try: s.send(frame)
        except OSError: pass
    sent+=1
    if sent%5==0: time.sleep(0.001)
print(sent,'claims')"
    );
    as_stranger(pair, |_| {
        let mut command = shell::clean("python3");
        command.args(["-c", &script]);
        shell::must(command)
    })
}

fn told(host: &Host) -> String {
    fs::read_to_string(host.dir.join("log/told")).unwrap_or_default()
}

fn claims_of_our_addresses_from_everywhere_after_a_takeover_fill_nothing_and_hide_no_move() {
    let [first, second] = ADDRESSES;
    let plan = Plan::new(Latido, Latido).timed(200, 1500).failback(Failback::Off);
    let plan = plan.resources(&format!("alpha ra IPaddr2::{first}/24/eth0 IPaddr2::{second}/24/eth0\nbeta rc\n"));
    let mut pair = pair_with(&plan, "", "notify /etc/ha.d/tell\n");
    pair.settle(&["ra"], &["rc"], 60.0);
    let beta = pair.host("beta");
    let tell = beta.dir.join("ha.d/tell");
    fs::write(&tell, "#!/bin/sh\necho $LATIDO_EVENT >>/var/log/told\n").expect("a script of our own");
    fs::set_permissions(&tell, fs::Permissions::from_mode(0o755)).expect("a script of our own");
    pair.power_off("alpha");
    pair.settle(&[], &["ra", "rc"], 30.0);
    pair.stable("beta", 20.0);
    let beta = pair.host("beta");
    wait_until("the takeover to be told", 20.0, || told(beta).contains(EventName::GroupHeld.name()));
    let (from, log) = (epoch(), beta.log().len());

    let sent = claim_everything(&pair);
    let until = epoch();
    wait_until("the conflict to be told", 20.0, || told(beta).contains(EventName::AddressConflict.name()));
    let log = beta.log().split_off(log);
    let told = told(beta).lines().filter(|event| *event == EventName::AddressConflict.name()).count();
    shell::print(&format!("{}: {} bytes of log, {told} notices", sent.trim(), log.len()));
    for address in ADDRESSES {
        assert!(log.contains(&format!("address conflict: {address} is used by another machine")), "{log}");
    }
    assert!(log.len() < 10_000 && told <= 20, "{told} notices, {} bytes of log: {log}", log.len());
    let why = shell::said(&latido(beta, "why"));
    assert!(why.contains("because alpha was dead") && why.contains("ra start"), "{why}");
    let beats: Vec<f64> = pair.tap.beats("beta").into_iter().filter(|at| (from..until).contains(at)).collect();
    let worst = beats.windows(2).map(|two| two[1] - two[0]).fold(0.0, f64::max);
    assert!(beats.len() > 15 && worst < 2.0 * KEEPALIVE, "a gap of {worst} s in {} beats", beats.len());
    assert_eq!(pair.held()[1], ["ra", "rc"]);

    pair.await_log("beta", 0, "more like this in the last minute", 70.0);
}
