//! Who may be connected at the same time: to the client API, to the control socket, to the status page.
//!
//! Places are kept for root. Nobody else can have more than a share, and where there is none left the one goes who has
//! been silent for longest and has not signed on: many idle connections keep nobody out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::sys::resource::{Resource, getrlimit};
use tokio::sync::Notify;

/// What the daemon opens besides connections: media, scripts, files, and some to spare.
const OWN_FILES: u64 = 200;

/// How many connections there can be at most, with `wanted` in mind, so that the daemon always can open what it needs.
pub(super) fn affordable(wanted: usize) -> usize {
    let files = getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| soft);
    usize::try_from(files.saturating_sub(OWN_FILES) / 2).unwrap_or(wanted).clamp(8, wanted.max(8))
}

/// What a connection is used for; who uses it least makes room first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// Nothing yet, or nothing any more.
    Silent,
    /// Signed on.
    Known,
    /// It waits for an answer.
    Busy,
}

/// Counts connections; clones share one list.
#[derive(Debug)]
pub(crate) struct ConnectionLimit<W>(Arc<Mutex<List<W>>>);

#[derive(Debug)]
struct List<W> {
    most: usize,
    for_root: usize,
    share: usize,
    /// Counts what is said: the smaller the last number of a connection, the longer it has been silent.
    said: u64,
    next: u64,
    connected: BTreeMap<u64, Connected<W>>,
}

#[derive(Debug)]
struct Connected<W> {
    who: W,
    is_root: bool,
    last: u64,
    standing: Standing,
    out: Arc<Notify>,
}

/// A place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot<W: Ord> {
    list: Arc<Mutex<List<W>>>,
    number: u64,
    out: Arc<Notify>,
}

impl<W> Clone for ConnectionLimit<W> {
    fn clone(&self) -> ConnectionLimit<W> {
        ConnectionLimit(Arc::clone(&self.0))
    }
}

impl<W: Ord + Clone> ConnectionLimit<W> {
    /// For `most` connections, `for_root` of these kept for root, and at most `share` for anybody else.
    pub(crate) fn new(most: usize, for_root: usize, share: usize) -> ConnectionLimit<W> {
        let (said, next, connected) = (0, 0, BTreeMap::new());
        ConnectionLimit(Arc::new(Mutex::new(List { most, for_root, share, said, next, connected })))
    }

    /// A place for `who`, perhaps that of somebody who has to go for it; `None` when there is none.
    pub(crate) fn admit(&self, who: W, is_root: bool) -> Option<Slot<W>> {
        let mut list = lock(&self.0);
        while let Some(full) = list.lacks(&who, is_root) {
            let to_drop = list.to_drop(&who, full)?;
            let one = list.connected.remove(&to_drop)?;
            one.out.notify_one();
        }
        list.next += 1;
        list.said += 1;
        let (number, last, out) = (list.next, list.said, Arc::new(Notify::new()));
        list.connected
            .insert(number, Connected { who, is_root, last, standing: Standing::Silent, out: Arc::clone(&out) });
        Some(Slot { list: Arc::clone(&self.0), number, out })
    }
}

impl<W: Ord> Slot<W> {
    /// It said something.
    pub(crate) fn set(&self, standing: Standing) {
        let mut list = lock(&self.list);
        list.said += 1;
        let said = list.said;
        if let Some(one) = list.connected.get_mut(&self.number) {
            (one.last, one.standing) = (said, standing);
        }
    }

    /// Ends when it has to go.
    pub(crate) async fn out(&self) {
        self.out.notified().await;
    }
}

impl<W: Ord> Drop for Slot<W> {
    fn drop(&mut self) {
        lock(&self.list).connected.remove(&self.number);
    }
}

/// Why there is no place.
#[derive(Clone, Copy)]
enum Full {
    Share,
    Others,
    All,
}

impl<W: Ord + Clone> List<W> {
    fn lacks(&self, who: &W, is_root: bool) -> Option<Full> {
        let others = self.connected.values().filter(|one| !one.is_root);
        if is_root {
            return (self.connected.len() >= self.most).then_some(Full::All);
        }
        if others.clone().filter(|one| one.who == *who).count() >= self.share {
            return Some(Full::Share);
        }
        let few = others.count() < self.most.saturating_sub(self.for_root);
        (!few || self.connected.len() >= self.most).then_some(Full::Others)
    }

    fn to_drop(&self, who: &W, full: Full) -> Option<u64> {
        let silent = |among: &dyn Fn(&Connected<W>) -> bool| {
            let silent = self.connected.iter().filter(|(_, one)| one.standing == Standing::Silent && among(one));
            silent.min_by_key(|(_, one)| one.last).map(|(number, _)| *number)
        };
        match full {
            Full::Share => silent(&|one| !one.is_root && one.who == *who),
            Full::Others => silent(&|one| !one.is_root).or_else(|| self.of_the_largest(who)),
            Full::All => silent(&|one| !one.is_root).or_else(|| self.of_the_largest(who)).or_else(|| silent(&|_| true)),
        }
    }

    /// The one silent for longest of those signed on, of whoever has most; not of who asks.
    fn of_the_largest(&self, who: &W) -> Option<u64> {
        let mut counts: BTreeMap<&W, usize> = BTreeMap::new();
        for one in self.connected.values().filter(|one| !one.is_root) {
            *counts.entry(&one.who).or_default() += 1;
        }
        let own = counts.get(who).copied().unwrap_or(0);
        let (largest, _) = counts.into_iter().filter(|(_, count)| *count > own + 1).max_by_key(|(_, count)| *count)?;
        let known = self
            .connected
            .iter()
            .filter(|(_, one)| !one.is_root && one.who == *largest && one.standing == Standing::Known);
        known.min_by_key(|(_, one)| one.last).map(|(number, _)| *number)
    }
}

fn lock<W>(list: &Mutex<List<W>>) -> MutexGuard<'_, List<W>> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_out(slot: &Slot<u32>) -> bool {
        !lock(&slot.list).connected.contains_key(&slot.number)
    }

    #[test]
    fn a_crowd_of_one_user_takes_its_share_and_its_idlest_makes_room() {
        let limit = ConnectionLimit::new(32, 8, 4);
        let many: Vec<_> = (0..10).map(|_| limit.admit(1000, false).unwrap()).collect();
        assert_eq!(many.iter().map(is_out).collect::<Vec<_>>()[..7], [true, true, true, true, true, true, false]);
        many[6].set(Standing::Known);
        let _more = limit.admit(1000, false).unwrap();
        assert!(!is_out(&many[6]) && is_out(&many[7]), "who is signed on stays");
    }

    #[test]
    fn crowds_of_many_users_leave_roots_places_alone_and_a_signed_on_client_in_peace() {
        let limit = ConnectionLimit::new(32, 8, 4);
        let ipfail = limit.admit(105, false).unwrap();
        ipfail.set(Standing::Known);
        let many: Vec<_> = (0..40).map(|uid| limit.admit(2000 + uid, false).unwrap()).collect();
        assert!(!is_out(&ipfail));
        assert_eq!(many.iter().filter(|slot| !is_out(slot)).count(), 23);
        let root: Vec<_> = (0..8).map(|_| limit.admit(0, true).unwrap()).collect();
        assert!(root.iter().all(|slot| !is_out(slot)));
        assert_eq!(many.iter().filter(|slot| !is_out(slot)).count(), 23);
        // More of root's push the silent out, and at last its own.
        let more: Vec<_> = (0..40).map(|_| limit.admit(0, true).unwrap()).collect();
        assert!(many.iter().all(is_out) && !is_out(&ipfail) && !is_out(&more[39]));
    }

    #[test]
    fn where_all_are_signed_on_who_has_most_gives_one() {
        let limit = ConnectionLimit::new(12, 2, 8);
        let mut first: Vec<_> = (0..8).map(|_| limit.admit(1, false).unwrap()).collect();
        first.iter().for_each(|slot| slot.set(Standing::Known));
        assert!(limit.admit(1, false).is_none());
        let one = || limit.admit(2, false).inspect(|slot| slot.set(Standing::Known));
        let few: Vec<_> = (0..4).map(|_| one()).collect();
        assert!(few.iter().all(Option::is_some));
        assert_eq!(first.iter().filter(|slot| is_out(slot)).count(), 2);
        first.retain(|slot| !is_out(slot));
        first.iter().for_each(|slot| slot.set(Standing::Busy));
        few.iter().flatten().for_each(|slot| slot.set(Standing::Busy));
        assert!(limit.admit(3, false).is_none(), "who waits for an answer is not sent away");
        assert!(limit.admit(0, true).is_some());
    }

    #[test]
    fn files_are_left_for_the_daemon() {
        assert!((8..=400).contains(&affordable(400)));
    }
}
