//! Who may sign on under which name (`api.md` 2.3): `apiauth` of `ha.cf`, and the defaults of the original.

use std::collections::BTreeMap;

use crate::config::ApiRule;

/// What the kernel says of whoever connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Its process when it connected.
    pub pid: u32,
    /// Its effective user.
    pub uid: u32,
    /// Its effective group; supplementary ones are invisible.
    pub gid: u32,
}

/// Name, users, groups. `default` has none: a name without a rule may not sign on.
const DEFAULTS: [(&str, &[&str], &[&str]); 5] = [
    ("ipfail", &["hacluster"], &[]),
    ("ccm", &["hacluster"], &[]),
    ("ping", &[], &["haclient"]),
    ("lha-snmpagent", &["root"], &[]),
    (ANYBODY, &["root"], &["haclient"]),
];
/// All casual clients.
const ANYBODY: &str = "anon";
/// Named clients without a rule of their own.
const OTHERS: &str = "default";

/// The rules in force, by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiRules {
    of: BTreeMap<String, Rule>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Rule {
    uids: Vec<u32>,
    gids: Vec<u32>,
}

impl ApiRules {
    /// Those of `ha.cf` and the defaults it does not replace. Users and groups nobody knows let nobody in.
    pub fn new(
        given: &[ApiRule],
        uid_of: impl Fn(&str) -> Option<u32>,
        gid_of: impl Fn(&str) -> Option<u32>,
    ) -> ApiRules {
        let rule = |uids: &mut dyn Iterator<Item = &str>, gids: &mut dyn Iterator<Item = &str>| Rule {
            uids: uids.filter_map(|name| name.parse().ok().or_else(|| uid_of(name))).collect(),
            gids: gids.filter_map(|name| name.parse().ok().or_else(|| gid_of(name))).collect(),
        };
        let mut of = BTreeMap::new();
        for (name, uids, gids) in DEFAULTS {
            of.insert(name.to_owned(), rule(&mut uids.iter().copied(), &mut gids.iter().copied()));
        }
        for ApiRule { client, uids, gids } in given {
            let mut uids = uids.iter().map(String::as_str);
            let mut gids = gids.iter().map(String::as_str);
            of.insert(client.clone(), rule(&mut uids, &mut gids));
        }
        ApiRules { of }
    }

    /// Whether these rules let a user of this name sign on as `client`, by names alone: what numbers they have, and in
    /// which groups they are, is another machine's affair.
    pub fn let_in(given: &[ApiRule], client: &str, user: &str) -> bool {
        let number = |name: &str| Some(if name == user { 1 } else { 2 });
        let uid = user.parse().unwrap_or(1);
        ApiRules::new(given, number, |_| Some(3)).admit(Some(client), Credentials { pid: 1, uid, gid: 4 }).is_ok()
    }

    /// whether a program with these credentials may sign on; `name` is `None` for a casual client.
    ///
    /// # Errors
    /// The original's words for why not.
    pub fn admit(&self, name: Option<&str>, credentials: Credentials) -> Result<(), &'static str> {
        let rule = self.rule(name).ok_or("no default client auth")?;
        let welcome = rule.uids.contains(&credentials.uid) || rule.gids.contains(&credentials.gid);
        welcome.then_some(()).ok_or("client failed authorization")
    }

    /// Whether what this client asks for may move resources: whoever is let in for his group alone may look and talk.
    pub fn let_order(&self, name: &str, credentials: Credentials) -> bool {
        credentials.uid == 0 || self.rule(Some(name)).is_some_and(|rule| rule.uids.contains(&credentials.uid))
    }

    fn rule(&self, name: Option<&str>) -> Option<&Rule> {
        match name {
            None => self.of.get(ANYBODY),
            Some(name) => self.of.get(name).or_else(|| self.of.get(OTHERS)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HACLUSTER: u32 = 105;
    const HACLIENT: u32 = 106;

    fn rules(given: &[ApiRule]) -> ApiRules {
        let uid_of = |name: &str| [("root", 0), ("hacluster", HACLUSTER)].into_iter().find(|known| known.0 == name);
        let gid_of = |name: &str| [("root", 0), ("haclient", HACLIENT)].into_iter().find(|known| known.0 == name);
        ApiRules::new(given, |name| Some(uid_of(name)?.1), |name| Some(gid_of(name)?.1))
    }

    fn credentials(uid: u32, gid: u32) -> Credentials {
        Credentials { pid: 1, uid, gid }
    }

    #[test]
    fn the_defaults_let_in_whom_the_original_lets_in() {
        let rules = rules(&[]);
        let refused = Err("client failed authorization");
        assert_eq!(rules.admit(None, credentials(0, 0)), Ok(()));
        assert_eq!(rules.admit(None, credentials(1000, HACLIENT)), Ok(()));
        assert_eq!(rules.admit(None, credentials(1000, 1000)), refused);
        assert_eq!(rules.admit(Some("ipfail"), credentials(HACLUSTER, 1)), Ok(()));
        assert_eq!(rules.admit(Some("ipfail"), credentials(0, 0)), refused);
        assert_eq!(rules.admit(Some("ping"), credentials(0, 0)), refused);
        assert_eq!(rules.admit(Some("ping"), credentials(0, HACLIENT)), Ok(()));
        assert_eq!(rules.admit(Some("dopd"), credentials(0, 0)), Err("no default client auth"));
    }

    #[test]
    fn who_is_let_in_for_his_group_moves_nothing() {
        let given = ApiRule { client: "panel".into(), uids: vec!["1001".into()], gids: vec!["haclient".into()] };
        let rules = rules(&[given]);
        for (name, credentials, may) in [
            ("ipfail", credentials(HACLUSTER, 1), true),
            ("ping", credentials(1000, HACLIENT), false),
            ("ping", credentials(0, HACLIENT), true),
            ("panel", credentials(1001, 1), true),
            ("panel", credentials(1000, HACLIENT), false),
            ("nobody-knows", credentials(1000, HACLIENT), false),
        ] {
            assert_eq!(rules.let_order(name, credentials), may, "{name} {credentials:?}");
        }
    }

    #[test]
    fn a_line_of_ha_cf_replaces_the_default_of_that_name() {
        let line = |client: &str, uids: &[&str], gids: &[&str]| ApiRule {
            client: client.into(),
            uids: uids.iter().map(|name| (*name).into()).collect(),
            gids: gids.iter().map(|name| (*name).into()).collect(),
        };
        let rules = rules(&[
            line("dopd", &["hacluster"], &["haclient"]),
            line("ipfail", &["77"], &[]),
            line("default", &["nobody-knows"], &["0"]),
        ]);
        assert_eq!(rules.admit(Some("dopd"), credentials(1, HACLIENT)), Ok(()));
        assert_eq!(rules.admit(Some("ipfail"), credentials(77, 1)), Ok(()));
        assert!(rules.admit(Some("ipfail"), credentials(HACLUSTER, 1)).is_err());
        assert_eq!(rules.admit(Some("mine"), credentials(0, 0)), Ok(()));
        assert_eq!(rules.admit(Some("mine"), credentials(1, 1)), Err("client failed authorization"));
    }

    #[test]
    fn names_alone_tell_who_may_be_ipfail() {
        let line = |uid: &str| [ApiRule { client: "ipfail".into(), uids: vec![uid.into()], gids: Vec::new() }];
        assert!(ApiRules::let_in(&[], "ipfail", "hacluster") && !ApiRules::let_in(&[], "ipfail", "root"));
        assert!(ApiRules::let_in(&line("ha"), "ipfail", "ha") && !ApiRules::let_in(&line("ha"), "ipfail", "hacluster"));
        assert!(ApiRules::let_in(&line("77"), "ipfail", "77") && !ApiRules::let_in(&line("77"), "ipfail", "78"));
    }
}
