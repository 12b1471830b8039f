//! The questions of `latido init`, for what no flag said. A wrong answer is asked again; the end of the input ends it.

use std::io::{BufRead, Write};

use crate::names::NodeName;

use super::pair::Pair;
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
    /// Its interfaces with an address, without the loopback.
    pub(super) interfaces: Vec<String>,
}

/// Asks for everything that `pair` does not say yet.
///
/// # Errors
/// A sentence when the answers end or stay wrong.
pub(super) fn complete(
    pair: &mut Pair,
    hints: &Hints,
    input: &mut dyn BufRead,
    output: &mut dyn Write,
) -> Result<(), String> {
    let mut talk = Talk { input, output };
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
    if pair.serial.is_empty() && pair.bcast.is_empty() && pair.ucast.is_empty() {
        paths(pair, hints, &mut talk)?;
    }
    if pair.drbd.is_empty() && pair.disk.is_empty() && pair.address.is_empty() && pair.service.is_empty() {
        resources(pair, hints, &mut talk)?;
    }
    Ok(())
}

fn paths(pair: &mut Pair, hints: &Hints, talk: &mut Talk<'_>) -> Result<(), String> {
    let serial = hints.serial.clone().unwrap_or_else(|| "-".to_owned());
    pair.serial = talk.list("Serial port of the null-modem cable, - for none", &serial, words::device)?;
    let interfaces = if hints.interfaces.is_empty() { "-".to_owned() } else { hints.interfaces.join(" ") };
    let question = "Interfaces to send heartbeats on (UDP broadcast), - for none";
    pair.bcast = talk.list(question, &interfaces, words::word)?;
    if pair.serial.is_empty() && pair.bcast.is_empty() {
        return Err("without a cable or an interface the nodes cannot hear each other".to_owned());
    }
    Ok(())
}

fn resources(pair: &mut Pair, hints: &Hints, talk: &mut Talk<'_>) -> Result<(), String> {
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

    fn told(answers: &str) -> (Result<Pair, String>, String) {
        let hints = Hints {
            here: NodeName::new("alpha"),
            serial: Some("/dev/ttyS0".to_owned()),
            interfaces: vec!["eth0".to_owned(), "eth1".to_owned()],
        };
        let (mut pair, mut said) = (Pair::default(), Vec::new());
        let result = complete(&mut pair, &hints, &mut answers.as_bytes(), &mut said);
        (result.map(|()| pair), String::from_utf8(said).unwrap())
    }

    #[test]
    fn empty_answers_take_what_the_machine_suggests() {
        let (pair, _) = told("\nbeta\n\n\n10.0.0.5/24/eth0\n\n\nasterisk mysql\n\n");
        let pair = pair.unwrap();
        assert_eq!(pair.nodes.iter().map(NodeName::as_str).collect::<Vec<_>>(), ["alpha", "beta"]);
        assert_eq!((pair.serial, pair.bcast), (vec!["/dev/ttyS0".to_owned()], vec!["eth0".into(), "eth1".into()]));
        assert_eq!((pair.address.len(), pair.service.len(), pair.failback), (1, 2, false));
    }

    #[test]
    fn a_wrong_answer_is_explained_and_asked_again() {
        let (pair, said) = told("\nalpha\nbeta\n-\neth1\nnot-an-address\n-\n-\n-\n-\non\n");
        assert!(pair.unwrap().failback);
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
