//! The old name `cl_status`: same subcommands, words and exit codes (`api.md` 4.1), at the socket of a Latido or of a
//! heartbeat of either generation.

use std::process::ExitCode;
use std::time::Duration;

use crate::api::field;
use crate::cli::print;
use crate::client::api::{ApiFailure, ApiSession, myself};
use crate::wire::{Message, field as wire};

use super::log::{OldLog, runtime};

const USAGE: &str = include_str!("cl_status.txt");
/// The original's alarm.
const PATIENCE: Duration = Duration::from_secs(5);
/// For a client on another node, unless told otherwise.
const CLIENT_PATIENCE: Duration = Duration::from_millis(500);

/// Normal failure.
const FAIL: u8 = 1;
const WRONG_PARAMETERS: u8 = 11;
const TOO_LATE: u8 = 12;
const OTHER: u8 = 13;

const LINKS_FOLLOW: &str = "\tthis node has the following heartbeat links:";

const SUBCOMMANDS: [&str; 12] = [
    "clientstatus",
    "hblinkstatus",
    "hbstatus",
    "listnodes",
    "listhblinks",
    "nodestatus",
    "nodeweight",
    "nodesite",
    "nodetype",
    "rscstatus",
    "hbparameter",
    "test",
];

/// What stands behind the subcommand.
#[derive(Debug, Default)]
struct Words {
    prose: bool,
    verbose: bool,
    normal: bool,
    ping: bool,
    parameter: Option<String>,
    rest: Vec<String>,
}

impl Words {
    fn at(&self, n: usize) -> &str {
        self.rest.get(n).map_or("", String::as_str)
    }
}

/// One run.
struct Subcommand {
    log: OldLog,
    session: ApiSession,
    words: Words,
}

/// A connection that broke ends as the original's silence does.
type Answer = Result<u8, ApiFailure>;

/// Behaves as `cl_status` does with these words.
pub(crate) fn cl_status(words: &[String]) -> ExitCode {
    let Some((subcommand, rest)) = words.split_first().filter(|(first, _)| *first != "-h") else {
        print(USAGE.trim_end());
        return ExitCode::SUCCESS;
    };
    let log = OldLog::on_terminal("cl_status");
    if !SUBCOMMANDS.contains(&subcommand.as_str()) {
        log.error(&format!("{subcommand}: invalid sub-command."));
        return ExitCode::from(WRONG_PARAMETERS);
    }
    let Some(runtime) = runtime(&log) else { return ExitCode::from(OTHER) };
    let run = async { tokio::time::timeout(PATIENCE, answer(log, subcommand, rest)).await };
    ExitCode::from(runtime.block_on(run).unwrap_or(TOO_LATE))
}

async fn answer(log: OldLog, subcommand: &str, rest: &[String]) -> u8 {
    let socket = crate::cli::paths_from_environment().api_socket();
    let signed_on = ApiSession::sign_on(&socket, None, myself()).await;
    if subcommand == "hbstatus" {
        let words = read(&log, subcommand, rest).unwrap_or_default();
        return hbstatus(log, signed_on, words).await;
    }
    let session = match signed_on {
        Ok(session) => session,
        Err(failure) => {
            complain(&log, "Cannot signon with heartbeat", &failure);
            return FAIL;
        }
    };
    let Some(words) = read(&log, subcommand, rest) else { return WRONG_PARAMETERS };
    let mut run = Subcommand { log, session, words };
    let code = run.subcommand(subcommand).await.unwrap_or_else(|failure| {
        run.log.error(&failure.to_string());
        OTHER
    });
    run.session.sign_off().await;
    code
}

fn complain(log: &OldLog, what: &str, failure: &ApiFailure) {
    log.error(what);
    log.error(&format!("REASON: {failure}"));
}

/// Options may stand anywhere; `None` after a word about the first that is none.
fn read(log: &OldLog, subcommand: &str, rest: &[String]) -> Option<Words> {
    let allowed = match subcommand {
        "listnodes" => "mnpv",
        "listhblinks" | "hbstatus" => "mv",
        "hbparameter" => "mp",
        _ => "m",
    };
    let mut words = Words::default();
    if subcommand == "test" {
        // It looks at nothing behind it.
        return Some(words);
    }
    let mut left = rest.iter();
    while let Some(word) = left.next() {
        if word == "--" {
            words.rest.extend(left.by_ref().cloned());
            break;
        }
        let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
            words.rest.push(word.clone());
            continue;
        };
        let mut letters = letters.chars();
        while let Some(letter) = letters.next() {
            if !allowed.contains(letter) {
                bad_option(log, subcommand, &format!("invalid option -- '{letter}'"))?;
                continue;
            }
            match letter {
                'm' => words.prose = true,
                'v' => words.verbose = true,
                'n' => words.normal = true,
                'p' if subcommand == "hbparameter" => {
                    let glued: String = letters.by_ref().collect();
                    let value = if glued.is_empty() { left.next().cloned() } else { Some(glued) };
                    if value.is_none() {
                        bad_option(log, subcommand, "option requires an argument -- 'p'")?;
                    }
                    words.parameter = value;
                }
                _ => words.ping = true,
            }
        }
    }
    let needed = match subcommand {
        "clientstatus" | "hblinkstatus" => 2,
        "listhblinks" | "nodestatus" | "nodeweight" | "nodesite" | "nodetype" => 1,
        _ => 0,
    };
    if words.rest.len() < needed {
        let not = matches!(subcommand, "nodestatus" | "nodeweight" | "nodesite");
        complain!("{}", if not { "Not enough parameters." } else { "No enough parameter." });
        return None;
    }
    Some(words)
}

/// What getopt says, and what the original says of it; `Some` where it goes on all the same.
fn bad_option(log: &OldLog, subcommand: &str, what: &str) -> Option<()> {
    complain!("{subcommand}: {what}");
    match subcommand {
        "hbstatus" => return Some(()),
        "listnodes" | "listhblinks" | "hbparameter" => log.error("Error: getopt returnedcharacter code ?."),
        _ => log.error("Error: getopt returnedcharacter ?."),
    }
    None
}

async fn hbstatus(log: OldLog, signed_on: Result<ApiSession, ApiFailure>, words: Words) -> u8 {
    let verbose = words.verbose;
    match signed_on {
        Ok(session) => {
            let mut run = Subcommand { log, session, words };
            let code = if verbose {
                run.tell_of_all().await.unwrap_or(OTHER)
            } else {
                print("Heartbeat is running on this machine.");
                0
            };
            run.session.sign_off().await;
            code
        }
        Err(failure) => {
            let (text, code) = match failure {
                ApiFailure::Refused(_) => {
                    ("Heartbeat is apparently running on this machine, but refuses my connection", 0)
                }
                ApiFailure::Stopped | ApiFailure::Bad(_) | ApiFailure::Lost(_) => {
                    ("Heartbeat is stopped on this machine.", 1)
                }
            };
            print(text);
            if verbose {
                print(&format!("({failure})"));
            }
            code
        }
    }
}

fn text<'a>(answer: &'a Message, name: &str) -> &'a str {
    answer.get(name).unwrap_or("")
}

impl Subcommand {
    async fn subcommand(&mut self, subcommand: &str) -> Answer {
        match subcommand {
            "clientstatus" => self.clientstatus().await,
            "hblinkstatus" => self.hblinkstatus().await,
            "listnodes" => self.print_nodes().await,
            "listhblinks" => self.listhblinks().await,
            "nodestatus" => self.nodestatus().await,
            "nodeweight" => self.nodeweight().await,
            "nodesite" => self.nodesite().await,
            "nodetype" => self.nodetype().await,
            "rscstatus" => self.rscstatus().await,
            "hbparameter" => self.hbparameter().await,
            _ => self.test().await,
        }
    }

    /// Prints a value, or the sentence it stands in.
    fn say(&self, value: &str, sentence: impl FnOnce() -> String) {
        print(&if self.words.prose { sentence() } else { value.to_owned() });
    }

    /// Asks about the node named first.
    async fn ask_node(&mut self, reqtype: &str) -> Result<Option<Message>, ApiFailure> {
        let node = self.words.at(0).to_owned();
        optional(self.session.ask(reqtype, &[(wire::NODE, &node)]).await)
    }

    async fn nodestatus(&mut self) -> Answer {
        let Some(answer) = self.ask_node("nodestatus").await? else { return Ok(no_such_node()) };
        let (node, st) = (self.words.at(0), text(&answer, wire::ST));
        self.say(st, || format!("The cluster node {node} is {st}"));
        Ok(if matches!(st, "active" | "up" | "ping") { 0 } else { FAIL })
    }

    async fn nodeweight(&mut self) -> Answer {
        let Some(answer) = self.ask_node("nodeweight").await? else {
            // Only here is it one word.
            complain!("Error. Maybe due to incorrect node name.");
            return Ok(WRONG_PARAMETERS);
        };
        let (node, weight) = (self.words.at(0), text(&answer, "weight"));
        self.say(weight, || format!("The weight of the cluster node {node} is {weight}"));
        Ok(0)
    }

    async fn nodesite(&mut self) -> Answer {
        let Some(answer) = self.ask_node("nodesite").await? else { return Ok(no_such_node()) };
        let (node, site) = (self.words.at(0), text(&answer, "site"));
        self.say(site, || format!("The site of the cluster node {node} is {site}"));
        Ok(0)
    }

    async fn nodetype(&mut self) -> Answer {
        let Some(answer) = self.ask_node("nodetype").await? else { return Ok(no_such_node()) };
        let (node, kind) = (self.words.at(0), text(&answer, "nodetype"));
        self.say(kind, || format!("The node {node}'s type: {kind}"));
        Ok(0)
    }

    /// All nodes or those of one kind, the last of `ha.cf` first.
    async fn print_nodes(&mut self) -> Answer {
        let mut nodes = self.session.list("nodelist", &[]).await?;
        if self.words.prose {
            print("The nodes are as follow:");
        }
        nodes.reverse();
        for node in nodes {
            let name = text(&node, wire::NODE).to_owned();
            let kind = self.of_node(&node, "nodetype", "nodetype").await?;
            let both = self.words.normal == self.words.ping;
            if !(both || self.words.normal && kind == "normal" || self.words.ping && kind == "ping") {
                continue;
            }
            if !self.words.verbose {
                print(&name);
                continue;
            }
            let st = self.of_node(&node, "nodestatus", wire::ST).await?;
            print(&format!("\n{name}\t{st}\t(nodetype: {kind})"));
            if let Some(links) = self.links(&name).await? {
                if self.words.prose {
                    print(LINKS_FOLLOW);
                }
                links.iter().for_each(|(link, st)| print(&format!("\t{link}\t{st}")));
            }
        }
        Ok(0)
    }

    /// What a list says of a node, or, where it is of a 2.1, the node's own answer.
    async fn of_node(&mut self, entry: &Message, reqtype: &str, name: &str) -> Result<String, ApiFailure> {
        if let Some(value) = entry.get(name) {
            return Ok(value.to_owned());
        }
        let answer = self.session.ask(reqtype, &[(wire::NODE, text(entry, wire::NODE))]).await?;
        Ok(text(&answer, name).to_owned())
    }

    /// A node's links and how they are; `None` for a node nobody knows.
    async fn links(&mut self, node: &str) -> Result<Option<Vec<(String, String)>>, ApiFailure> {
        let Some(mut links) = optional(self.session.list("iflist", &[(wire::NODE, node)]).await)? else {
            return Ok(None);
        };
        links.reverse();
        let mut found = Vec::new();
        for link in links {
            let name = text(&link, wire::IFNAME).to_owned();
            let st = match link.get(wire::ST) {
                Some(st) => st.to_owned(),
                None => {
                    let answer = self.session.ask("ifstatus", &[(wire::NODE, node), (wire::IFNAME, &name)]).await?;
                    text(&answer, wire::ST).to_owned()
                }
            };
            found.push((name, st));
        }
        Ok(Some(found))
    }

    async fn listhblinks(&mut self) -> Answer {
        let node = self.words.at(0).to_owned();
        let Some(links) = self.links(&node).await? else {
            let reason = ApiFailure::Bad("EINVAL".into());
            complain(&self.log, "Cannot start heartbeat link interface walk.", &reason);
            return Ok(OTHER);
        };
        if self.words.prose {
            print(LINKS_FOLLOW);
        }
        for (link, st) in links {
            print(&if self.words.verbose { format!("\t{link}\t{st}") } else { format!("\t{link}") });
        }
        Ok(0)
    }

    async fn hblinkstatus(&mut self) -> Answer {
        let (node, link) = (self.words.at(0).to_owned(), self.words.at(1).to_owned());
        let asked = self.session.ask("ifstatus", &[(wire::NODE, &node), (wire::IFNAME, &link)]).await;
        let Some(answer) = optional(asked)? else {
            complain(&self.log, "Cannot get heartbeat link status", &ApiFailure::Bad(String::new()));
            return Ok(OTHER);
        };
        let st = text(&answer, wire::ST);
        self.say(st, || format!("The node {node}'s heartbeat link {link} is {st}"));
        Ok(u8::from(st != "up"))
    }

    async fn clientstatus(&mut self) -> Answer {
        let (node, client) = (self.words.at(0).to_owned(), self.words.at(1).to_owned());
        let in_vain = |log: &OldLog, reason: &str| {
            let reason = ApiFailure::Bad(reason.into());
            complain(log, &format!("Cannot get heartbeat client {client}'s status"), &reason);
            Ok(OTHER)
        };
        if node.is_empty() {
            return in_vain(&self.log, "client status : bad nodename");
        }
        let given = self.words.rest.get(2).map(|ms| atoi(ms));
        self.session.send_request("clientstatus", &[(wire::NODE, &node), (field::CN, &client)]).await?;
        let answer = match given.map(u64::try_from) {
            // For ever, which ends with the alarm.
            Some(Err(_)) => Some(self.client_answer().await),
            // An answer that takes any time comes too late.
            Some(Ok(0)) => None,
            patience => {
                let patience = patience.and_then(Result::ok).map_or(CLIENT_PATIENCE, Duration::from_millis);
                tokio::time::timeout(patience, self.client_answer()).await.ok()
            }
        };
        let Some(answer) = answer else { return in_vain(&self.log, "No timely response.") };
        let cs = answer?;
        print(&cs);
        Ok(match cs.as_str() {
            "online" => 0,
            "join" => 2,
            "leave" => 3,
            _ => FAIL,
        })
    }

    /// The answer of this node, or that of another, which comes as an ordinary message.
    async fn client_answer(&mut self) -> Result<String, ApiFailure> {
        loop {
            let message = self.session.next().await?;
            let is_answer = [wire::T, "subt"].iter().any(|name| message.get(name) == Some(field::RESPOND));
            if is_answer && message.get(wire::RESULT) == Some(field::OK) {
                return Ok(text(&message, field::CS).to_owned());
            }
        }
    }

    async fn rscstatus(&mut self) -> Answer {
        let answer = self.session.ask("getrsc", &[]).await?;
        let held = text(&answer, wire::RSC_HOLD);
        self.say(held, || format!("This node is holding {held} resources."));
        Ok(0)
    }

    async fn hbparameter(&mut self) -> Answer {
        let Some(name) = self.words.parameter.clone() else {
            self.log.error("parameter name required");
            return Ok(WRONG_PARAMETERS);
        };
        match self.parameter(&name).await? {
            Some(value) => {
                self.say(&value, || format!("Heartbeat parameter {name}'s value: {value}"));
                Ok(0)
            }
            None => {
                complain(&self.log, &format!("Cannot get parameter {name}'s value"), &ApiFailure::Bad(String::new()));
                Ok(FAIL)
            }
        }
    }

    /// The version was told at sign-on, with more words than the parameter has.
    async fn parameter(&mut self, name: &str) -> Result<Option<String>, ApiFailure> {
        if let Some(version) = self.session.sign_on_field(name).filter(|_| name == "hbversion") {
            return Ok(Some(version.to_owned()));
        }
        let answer = self.session.ask("getparm", &[("pname", name)]).await?;
        Ok(answer.get("pvalue").map(str::to_owned))
    }

    /// `hbstatus -v`
    async fn tell_of_all(&mut self) -> Answer {
        let version = self.parameter("hbversion").await?.unwrap_or_default();
        let pacemaker = match self.session.sign_on_field("pacemaker") {
            Some(word) => word.to_owned(),
            None => self.parameter("crm").await?.unwrap_or_default(),
        };
        let manager =
            if matches!(pacemaker.as_str(), "" | "false" | "no" | "off" | "0") { "haresources" } else { "crm" };
        self.say(&format!("version:\t{version}\nmanaged by:\t\"{manager}\""), || {
            format!("Heartbeat version {version}\nResources controlled by \"{manager}\"")
        });
        self.print_nodes().await
    }

    async fn test(&mut self) -> Answer {
        let held = self.session.ask("getrsc", &[]).await?;
        let [dead, keepalive] = ["deadtime", "keepalive"].map(|name| self.session.time(name).as_millis());
        let node = self.session.node();
        print(&format!("Dead time: {dead}\n keeplive time: {keepalive}\n mynodeid: {node}"));
        print(&format!(" rsc: {}", text(&held, wire::RSC_HOLD)));
        Ok(0)
    }
}

/// As C's `atoi` reads it: a word that is no number is nought, one that is too long loses its upper half.
#[allow(clippy::cast_possible_truncation, reason = "as the original's library does")]
fn atoi(word: &str) -> i32 {
    let word = word.trim_start();
    let (sign, digits) = match word.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, word.strip_prefix('+').unwrap_or(word)),
    };
    let mut digits = digits.bytes().take_while(u8::is_ascii_digit).map(|digit| i64::from(digit - b'0'));
    let edge = if sign < 0 { i64::MIN } else { i64::MAX };
    let number = digits.try_fold(0_i64, |number, digit| number.checked_mul(10)?.checked_add(sign * digit));
    number.unwrap_or(edge) as i32
}

/// A refused question is an answer as well.
fn optional<T>(asked: Result<T, ApiFailure>) -> Result<Option<T>, ApiFailure> {
    match asked {
        Ok(answer) => Ok(Some(answer)),
        Err(ApiFailure::Bad(_)) => Ok(None),
        Err(failure @ (ApiFailure::Stopped | ApiFailure::Refused(_) | ApiFailure::Lost(_))) => Err(failure),
    }
}

fn no_such_node() -> u8 {
    complain!("Error. May be due to incorrect node name");
    WRONG_PARAMETERS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        let words = ["", "abc", "12ab", " 500", "-5", "+7", "- 5", "4294967296", "99999999999999999999", "1.5"];
        assert_eq!(words.map(atoi), [0, 0, 12, 500, -5, 7, 0, 0, -1, 1]);
        assert_eq!(atoi("-99999999999999999999"), 0);
    }
}
