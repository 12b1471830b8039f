//! The questions of `latido init`, for what no flag said. A wrong answer is asked again; the end of the input ends it.

use std::io::{BufRead, Write};

use crate::names::NodeName;

use super::pair::PairToWrite;
use super::words;

/// How often one question is asked before we give up on whoever answers.
const TRIES: usize = 5;

/// What this machine suggests.
#[derive(Clone, Debug, Default)]
pub(super) struct Hints {
    /// Its own name.
    pub(super) here: Option<NodeName>,
    /// The first serial port it has.
    pub(super) serial: Option<String>,
    /// Its cards with an address: no loopback, no alias, no port of a bridge or of a bond.
    pub(super) interfaces: Vec<String>,
    /// Every interface it has, to know a slip of the pen; empty when nobody knows.
    pub(super) known: Vec<String>,
    /// Its router.
    pub(super) gateway: Option<String>,
}

impl Hints {
    /// Complains about an interface that this machine has not, when the files are for it.
    fn there(&self, nodes: &[NodeName], interface: &str) -> Result<(), String> {
        let here = self.here.as_ref().is_some_and(|here| nodes.contains(here));
        if !here || self.known.is_empty() || self.known.iter().any(|known| known == interface) {
            return Ok(());
        }
        Err(format!("this machine has no interface \"{interface}\"; it has {}", self.known.join(" ")))
    }
}

/// Asks for everything that `pair` does not say yet. What can be left out is asked when something else had to be, or
/// `all` of it was to be.
///
/// # Errors
/// A sentence when the answers end or stay wrong.
pub(super) fn complete(
    pair: &mut PairToWrite,
    hints: &Hints,
    all: bool,
    input: &mut dyn BufRead,
    output: &mut dyn Write,
) -> Result<(), String> {
    let mut talk = Talk { input, output };
    let no_path = pair.serial.is_empty() && pair.bcast.is_empty() && pair.ucast.is_empty();
    let nothing = pair.drbd.is_empty() && pair.disk.is_empty() && pair.address.is_empty() && pair.service.is_empty();
    let all = all || pair.nodes.is_empty() || no_path || nothing;
    if pair.nodes.is_empty() {
        let here = hints.here.as_ref().map_or(String::new(), ToString::to_string);
        let home =
            talk.ask("Name of the node that has the service at home, as `uname -n` prints it", &here, |word| {
                words::node(word)
            })?;
        let other = talk.ask("Name of the other node", "", |word| match words::node(word)? {
            other if other == home => Err("the two nodes have different names".to_owned()),
            other => Ok(other),
        })?;
        pair.nodes = vec![home, other];
    }
    if no_path {
        paths(pair, hints, &mut talk)?;
    }
    if nothing {
        resources(pair, hints, &mut talk)?;
    }
    if all { the_rest(pair, hints, &mut talk) } else { Ok(()) }
}

/// What a pair can do without, and is better off with.
fn the_rest(pair: &mut PairToWrite, hints: &Hints, talk: &mut Talk<'_>) -> Result<(), String> {
    if pair.ping.is_empty() {
        let question = "Hosts outside whose answers show that the network works, such as the router, - for none";
        pair.ping = talk.list(question, hints.gateway.as_deref().unwrap_or("-"), words::ping)?;
    }
    if pair.deadtime == 0 {
        let proposed = pair.proposed_deadtime().to_string();
        pair.deadtime = talk.ask("Seconds of silence after which a node is dead", &proposed, |word| {
            words::seconds(word)
                .and_then(|seconds| if seconds > 1 { Ok(seconds) } else { Err("write 2 or more".to_owned()) })
        })?;
    }
    if pair.stonith.is_empty() && pair.fence.is_empty() {
        let question = "What switches a dead node off: TYPE,FILE of a stonith device (external/ipmi,/etc/ha.d/stonith.conf), \
                        or a command with its full path and %n for the node, - for nothing";
        let fence = talk.ask(question, "-", |answer| match answer {
            "-" => Ok((None, None)),
            command if command.starts_with('/') => words::fence(command).map(|command| (None, Some(command))),
            device => words::stonith(device).map(|device| (Some(device), None)),
        })?;
        pair.stonith.extend(fence.0);
        pair.fence.extend(fence.1);
    }
    if pair.monitor.is_empty() && !pair.service.is_empty() {
        let question = "Seconds between two questions to each service whether it works, - for never";
        let every = talk.ask(question, "30", |answer| match answer {
            "-" => Ok(None),
            seconds => words::seconds(seconds).map(Some),
        })?;
        if let Some(every) = every {
            pair.monitor = pair.service.iter().map(|service| (service.clone(), every)).collect();
        }
    }
    Ok(())
}

fn paths(pair: &mut PairToWrite, hints: &Hints, talk: &mut Talk<'_>) -> Result<(), String> {
    let serial = hints.serial.clone().unwrap_or_else(|| "-".to_owned());
    let here = hints.here.as_ref().is_some_and(|here| pair.nodes.contains(here));
    pair.serial = talk.list("Serial port of the null-modem cable, - for none", &serial, |word| {
        let device = words::device(word)?;
        let missing = here && !std::path::Path::new(&device).exists();
        if missing {
            Err(format!("there is no {device} on this machine; dmesg | grep tty lists its ports"))
        } else {
            Ok(device)
        }
    })?;
    let interfaces = if hints.interfaces.is_empty() { "-".to_owned() } else { hints.interfaces.join(" ") };
    let question = "Interfaces to send heartbeats on (UDP broadcast), - for none";
    let nodes = pair.nodes.clone();
    pair.bcast = talk.list(question, &interfaces, |word| {
        let interface = words::interface(word)?;
        hints.there(&nodes, &interface).map(|()| interface)
    })?;
    let question =
        "The same to the other node's address (IPv4 or IPv6), as INTERFACE,ADDRESS,ADDRESS of both nodes, - for none";
    pair.ucast = talk.ask(question, "-", |answer| match answer {
        "-" => Ok(Vec::new()),
        all => all
            .split_whitespace()
            .map(|word| {
                let ucast = words::ucast(word)?;
                hints.there(&nodes, &ucast.0).map(|()| ucast)
            })
            .collect(),
    })?;
    if pair.serial.is_empty() && pair.bcast.is_empty() && pair.ucast.is_empty() {
        return Err("without a cable or an interface the nodes cannot hear each other".to_owned());
    }
    Ok(())
}

fn resources(pair: &mut PairToWrite, hints: &Hints, talk: &mut Talk<'_>) -> Result<(), String> {
    let interface = hints.interfaces.first().map_or("eth0", String::as_str);
    let question = format!("Address that clients use, such as 192.168.1.10/24/{interface}, - for none");
    pair.address = talk.list(&question, "-", words::address)?;
    pair.drbd = talk.list("DRBD resource, - for none", "-", words::word)?;
    let question = "Disk, as DEVICE:DIRECTORY:TYPE, - for none";
    pair.disk = talk.list(question, "-", words::disk)?;
    pair.service =
        talk.list("Services (init scripts or units), in the order of starting, - for none", "-", |word| {
            words::service(word)
        })?;
    let question = "When that node returns after a failure, move the service back by itself (on or off)";
    pair.failback = talk.ask(question, "off", |word| match word {
        "on" | "yes" | "y" => Ok(true),
        "off" | "no" | "n" => Ok(false),
        _ => Err("write on or off".to_owned()),
    })?;
    Ok(())
}

struct Talk<'a> {
    input: &'a mut dyn BufRead,
    output: &'a mut dyn Write,
}

impl Talk<'_> {
    /// One question until `read` accepts the answer; an empty one means `default`.
    fn ask<T>(&mut self, question: &str, default: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<T, String> {
        for _ in 0..TRIES {
            let offered = if default.is_empty() { String::new() } else { format!(" [{default}]") };
            let _ = write!(self.output, "{question}{offered}: ").and_then(|()| self.output.flush());
            let mut line = String::new();
            match self.input.read_line(&mut line) {
                Ok(0) => return Err(format!("no answer to \"{question}\"; nothing was written")),
                Ok(_) => {}
                Err(error) => return Err(format!("cannot read the answer: {error}; nothing was written")),
            }
            let answer = line.trim();
            match read(if answer.is_empty() { default } else { answer }) {
                Ok(value) => return Ok(value),
                Err(why) => {
                    let _ = writeln!(self.output, "  {why}");
                }
            }
        }
        Err(format!("no usable answer to \"{question}\"; nothing was written"))
    }

    /// Several words in one answer; `-` is none.
    fn list<T>(
        &mut self,
        question: &str,
        default: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, String> {
        self.ask(question, default, |answer| match answer {
            "-" => Ok(Vec::new()),
            words => words.split([' ', ',', '\t']).filter(|word| !word.is_empty()).map(&read).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(answers: &str) -> (Result<PairToWrite, String>, String) {
        let hints = Hints {
            here: NodeName::new("alpha"),
            serial: Some("/dev/ttyS0".to_owned()),
            interfaces: vec!["eth0".to_owned(), "eth1".to_owned()],
            known: ["lo", "eth0", "eth1"].map(str::to_owned).to_vec(),
            gateway: Some("10.0.0.254".to_owned()),
        };
        let (mut pair, mut said) = (PairToWrite::default(), Vec::new());
        let result = complete(&mut pair, &hints, false, &mut answers.as_bytes(), &mut said);
        (result.map(|()| pair), String::from_utf8(said).unwrap())
    }

    #[test]
    fn empty_answers_take_what_the_machine_suggests() {
        let (pair, _) = told("\nbeta\n-\n\n\n10.0.0.5/24/eth0\n\n\nasterisk mysql\n\n\n\n\n\n");
        let pair = pair.unwrap();
        assert_eq!(pair.nodes.iter().map(NodeName::as_str).collect::<Vec<_>>(), ["alpha", "beta"]);
        assert_eq!(pair.bcast, ["eth0", "eth1"]);
        assert_eq!((pair.ping, pair.deadtime), (vec!["10.0.0.254".to_owned()], 10));
        assert_eq!(pair.monitor, [("asterisk".to_owned(), 30), ("mysql".to_owned(), 30)]);
        assert_eq!((pair.address.len(), pair.service.len(), pair.failback), (1, 2, false));
    }

    #[test]
    fn a_wrong_answer_is_explained_and_asked_again() {
        let answers = "\nalpha\nbeta\n-\neth1:0\neth7\neth1\neth1,fd00::1\neth1,fd00::1,fd00::2\nnot-an-address\n-\n-\n-\n-\non\n\
                       10.0.0.300\n10.0.0.254\n0\n1\n20\nipmi\n/bin/off %n\n";
        let (pair, said) = told(answers);
        let pair = pair.unwrap();
        assert!(pair.failback && pair.deadtime == 20 && pair.fence == ["/bin/off %n"] && pair.ucast.len() == 1);
        for part in
            ["write eth1", "no interface \"eth7\"; it has lo eth0 eth1", "not TYPE,FILE", "not an address", "2 or more"]
        {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(said.contains("different names") && said.contains("ADDRESS/PREFIX/INTERFACE"), "{said}");
    }

    #[test]
    fn answers_that_end_or_stay_wrong_end_the_questions() {
        for answers in ["", "\n", "\nbeta\n-\n-\n", &"a b c\n".repeat(9)] {
            let why = told(answers).0.unwrap_err();
            assert!(why.contains("nothing was written") || why.contains("cannot hear each other"), "{why}");
        }
    }
}
