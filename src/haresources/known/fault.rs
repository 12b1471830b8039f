//! What is wrong with arguments, and what would be right. Pure.

use std::fmt;

/// What a fault costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// An argument is missing: the agent does not start.
    Missing,
    /// An argument cannot be: the agent does not start.
    Refused,
    /// The agent starts, and does something else than was meant.
    Doubtful,
}

/// One thing that is wrong with the arguments of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgumentFault {
    /// What it costs.
    pub weight: Weight,
    /// What is wrong.
    pub what: String,
    /// What would be right.
    pub remedy: String,
    /// The phrase of the original's script, where people grep for it.
    pub original: Option<String>,
}

impl ArgumentFault {
    pub(super) fn missing(what: impl Into<String>, remedy: impl Into<String>) -> ArgumentFault {
        ArgumentFault { weight: Weight::Missing, what: what.into(), remedy: remedy.into(), original: None }
    }

    pub(super) fn refused(what: impl Into<String>, remedy: impl Into<String>) -> ArgumentFault {
        ArgumentFault { weight: Weight::Refused, ..ArgumentFault::missing(what, remedy) }
    }

    pub(super) fn doubtful(what: impl Into<String>, remedy: impl Into<String>) -> ArgumentFault {
        ArgumentFault { weight: Weight::Doubtful, ..ArgumentFault::missing(what, remedy) }
    }

    pub(super) fn original(self, phrase: impl Into<String>) -> ArgumentFault {
        ArgumentFault { original: Some(phrase.into()), ..self }
    }

    /// Whether the agent does not start with it.
    pub fn is_refusal(&self) -> bool {
        self.weight != Weight::Doubtful
    }
}

/// As an agent says it: `"33" is not a netmask (write …) [Invalid netmask specification [33]]`.
impl fmt::Display for ArgumentFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.what, self.remedy)?;
        self.original.iter().try_for_each(|phrase| write!(f, " [{phrase}]"))
    }
}

/// Arguments behind those that the agent reads.
pub(super) fn unread(agent: &str, args: &[String], taken: usize, form: &str) -> Option<ArgumentFault> {
    let rest = args.get(taken..).filter(|rest| !rest.is_empty())?;
    let what = format!("{agent} does not read \"{}\": it takes no more arguments", rest.join("::"));
    Some(ArgumentFault::doubtful(what, format!("write {form}")))
}
