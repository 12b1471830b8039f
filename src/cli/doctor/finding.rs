//! What the doctor found, said at once to a person, or at the end to a program.

use std::borrow::Cow;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

use crate::cli::print;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Grade {
    /// As it should be.
    Pass,
    /// It works, and may not one day.
    Warn,
    /// A failover would fail, or do harm.
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Finding {
    check: Cow<'static, str>,
    level: Grade,
    what: String,
    remedy: Option<String>,
}

/// Version of the document: fields may be added within one, never changed or removed.
const VERSION: u32 = 1;

/// What `--json` prints.
#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    node: String,
    worst: Grade,
    findings: Vec<Finding>,
}

/// All of them, in the order they were found.
#[derive(Debug)]
pub(super) struct Findings {
    found: Vec<Finding>,
    aloud: bool,
}

impl Findings {
    /// None yet; `aloud` prints each as it is found.
    pub(super) fn new(aloud: bool) -> Findings {
        Findings { found: Vec::new(), aloud }
    }

    /// As it should be.
    pub(super) fn pass(&mut self, check: &'static str, what: impl Into<String>) {
        self.add(Finding { check: check.into(), level: Grade::Pass, what: what.into(), remedy: None });
    }

    /// Not wrong, and not well.
    pub(super) fn warn(&mut self, check: &'static str, what: impl Into<String>, remedy: impl Into<String>) {
        self.add(Finding { check: check.into(), level: Grade::Warn, what: what.into(), remedy: Some(remedy.into()) });
    }

    /// Wrong.
    pub(super) fn fail(&mut self, check: &'static str, what: impl Into<String>, remedy: impl Into<String>) {
        self.add(Finding { check: check.into(), level: Grade::Fail, what: what.into(), remedy: Some(remedy.into()) });
    }

    /// Adds what another node found, which is its document.
    ///
    /// # Errors
    /// A sentence when it is none, or of another version.
    pub(super) fn take_in(&mut self, node: &str, document: &str) -> Result<(), String> {
        let document: Document = serde_json::from_str(document)
            .map_err(|error| format!("{node}: its doctor answered something else: {error}"))?;
        if document.version != VERSION {
            return Err(format!("{node}: its doctor is of another version, {}", document.version));
        }
        for finding in document.findings {
            self.add(Finding { what: format!("{node}: {}", finding.what), ..finding });
        }
        Ok(())
    }

    fn add(&mut self, finding: Finding) {
        if self.aloud {
            print(&finding.to_text());
        }
        self.found.push(finding);
    }

    /// Whether anything of this name is worse than passed.
    pub(super) fn any_trouble(&self, check: &str) -> bool {
        self.found.iter().any(|finding| finding.check == check && finding.level > Grade::Pass)
    }

    fn count(&self, level: Grade) -> usize {
        self.found.iter().filter(|finding| finding.level == level).count()
    }

    /// The last line for a person.
    pub(super) fn summary(&self) -> String {
        let (warnings, failures) = (self.count(Grade::Warn), self.count(Grade::Fail));
        let verdict = match (failures, warnings) {
            (0, 0) => "fit to fail over",
            (0, _) => "works; look at the warnings today",
            _ => "not fit to fail over",
        };
        format!("{} passed, {warnings} warnings, {failures} failures: {verdict}", self.count(Grade::Pass))
    }

    /// One document for a program.
    pub(super) fn to_json(&self, node: &str) -> String {
        let findings = self.found.clone();
        let document = Document { version: VERSION, node: node.to_owned(), worst: self.worst(), findings };
        serde_json::to_string_pretty(&document).unwrap_or_default()
    }

    fn worst(&self) -> Grade {
        self.found.iter().map(|finding| finding.level).max().unwrap_or(Grade::Pass)
    }

    /// 0 all passed, 1 warnings only, 2 failures.
    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self.worst() {
            Grade::Pass => 0,
            Grade::Warn => 1,
            Grade::Fail => 2,
        })
    }
}

impl Finding {
    fn to_text(&self) -> String {
        let level = match self.level {
            Grade::Pass => "PASS",
            Grade::Warn => "WARN",
            Grade::Fail => "FAIL",
        };
        let remedy = self.remedy.as_ref().map(|remedy| format!("\n{:18}{remedy}", "")).unwrap_or_default();
        format!("{level}  {:<10}  {}{remedy}", self.check, self.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_decides_the_verdict() {
        let mut findings = Findings::new(false);
        assert!(findings.summary().ends_with("fit to fail over"));
        findings.pass("name", "alpha");
        findings.warn("clock", "off", "run ntp");
        assert!(findings.any_trouble("clock") && !findings.any_trouble("name"));
        assert_eq!((findings.worst(), findings.count(Grade::Pass)), (Grade::Warn, 1));
        findings.fail("line", "silent", "plug it in");
        assert_eq!(findings.worst(), Grade::Fail);
        assert!(findings.summary().ends_with("not fit to fail over"), "{}", findings.summary());
    }

    #[test]
    fn a_finding_stands_in_columns_with_its_remedy_below() {
        let finding =
            Finding { check: "line".into(), level: Grade::Fail, what: "silent".into(), remedy: Some("plug it".into()) };
        assert_eq!(finding.to_text(), "FAIL  line        silent\n                  plug it");
    }

    #[test]
    fn the_document_has_a_version_and_the_worst_level() {
        let mut findings = Findings::new(false);
        findings.warn("clock", "off", "run ntp");
        let value: serde_json::Value = serde_json::from_str(&findings.to_json("alpha")).unwrap();
        assert_eq!((value["version"].as_u64(), value["worst"].as_str()), (Some(1), Some("warn")));
        assert_eq!(value["findings"][0]["remedy"], "run ntp");

        let mut here = Findings::new(false);
        here.take_in("alpha", &findings.to_json("alpha")).unwrap();
        assert_eq!(here.found[0].what, "alpha: off");
        assert!(here.take_in("alpha", "Last login").is_err());
        assert!(here.take_in("alpha", r#"{"version":2,"node":"","worst":"pass","findings":[]}"#).is_err());
    }
}
