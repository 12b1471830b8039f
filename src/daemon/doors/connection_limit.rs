//! Who may be connected at the same time: to the client API, to the control socket, to the status page.
//!
//! Places are kept for root. Nobody else can have more than a share, and where there is none left the one goes who has
//! been silent for longest and said nothing of worth yet: a crowd that only sits there keeps nobody out.

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

/// What somebody has shown of himself; who has shown least goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// Nothing yet, or nothing any more.
    Silent,
    /// He is signed on.
    Known,
    /// He waits for an answer.
    Busy,
}

/// Keeps the list; clones keep the same.
#[derive(Debug)]
pub(crate) struct Doorman<W>(Arc<Mutex<List<W>>>);

#[derive(Debug)]
struct List<W> {
    most: usize,
    for_root: usize,
    share: usize,
    /// Counts what is said: the smaller somebody's last number, the longer he has been silent.
    said: u64,
    next: u64,
    guests: BTreeMap<u64, Guest<W>>,
}

#[derive(Debug)]
struct Guest<W> {
    who: W,
    is_root: bool,
    last: u64,
    standing: Standing,
    out: Arc<Notify>,
}

/// A place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place<W: Ord> {
    list: Arc<Mutex<List<W>>>,
    number: u64,
    out: Arc<Notify>,
}

impl<W> Clone for Doorman<W> {
    fn clone(&self) -> Doorman<W> {
        Doorman(Arc::clone(&self.0))
    }
}

impl<W: Ord + Clone> Doorman<W> {
    /// For `most` guests, `for_root` of these places kept for root, and at most `share` for anybody else.
    pub(crate) fn new(most: usize, for_root: usize, share: usize) -> Doorman<W> {
        let (said, next, guests) = (0, 0, BTreeMap::new());
        Doorman(Arc::new(Mutex::new(List { most, for_root, share, said, next, guests })))
    }

    /// A place for `who`, perhaps that of somebody who has to go for it; `None` when there is none.
    pub(crate) fn admit(&self, who: W, is_root: bool) -> Option<Place<W>> {
        let mut list = lock(&self.0);
        while let Some(full) = list.lacks(&who, is_root) {
            let victim = list.victim(&who, full)?;
            let guest = list.guests.remove(&victim)?;
            guest.out.notify_one();
        }
        list.next += 1;
        list.said += 1;
        let (number, last, out) = (list.next, list.said, Arc::new(Notify::new()));
        list.guests.insert(number, Guest { who, is_root, last, standing: Standing::Silent, out: Arc::clone(&out) });
        Some(Place { list: Arc::clone(&self.0), number, out })
    }
}

impl<W: Ord> Place<W> {
    /// He said something.
    pub(crate) fn stands(&self, standing: Standing) {
        let mut list = lock(&self.list);
        list.said += 1;
        let said = list.said;
        if let Some(guest) = list.guests.get_mut(&self.number) {
            (guest.last, guest.standing) = (said, standing);
        }
    }

    /// Ends when he has to go.
    pub(crate) async fn out(&self) {
        self.out.notified().await;
    }
}

impl<W: Ord> Drop for Place<W> {
    fn drop(&mut self) {
        lock(&self.list).guests.remove(&self.number);
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
        let others = self.guests.values().filter(|guest| !guest.is_root);
        if is_root {
            return (self.guests.len() >= self.most).then_some(Full::All);
        }
        if others.clone().filter(|guest| guest.who == *who).count() >= self.share {
            return Some(Full::Share);
        }
        let few = others.count() < self.most.saturating_sub(self.for_root);
        (!few || self.guests.len() >= self.most).then_some(Full::Others)
    }

    fn victim(&self, who: &W, full: Full) -> Option<u64> {
        let silent = |among: &dyn Fn(&Guest<W>) -> bool| {
            let silent = self.guests.iter().filter(|(_, guest)| guest.standing == Standing::Silent && among(guest));
            silent.min_by_key(|(_, guest)| guest.last).map(|(number, _)| *number)
        };
        match full {
            Full::Share => silent(&|guest| !guest.is_root && guest.who == *who),
            Full::Others => silent(&|guest| !guest.is_root).or_else(|| self.of_the_largest(who)),
            Full::All => {
                silent(&|guest| !guest.is_root).or_else(|| self.of_the_largest(who)).or_else(|| silent(&|_| true))
            }
        }
    }

    /// The one silent for longest of those signed on, of whoever has most; not of who asks.
    fn of_the_largest(&self, who: &W) -> Option<u64> {
        let mut counts: BTreeMap<&W, usize> = BTreeMap::new();
        for guest in self.guests.values().filter(|guest| !guest.is_root) {
            *counts.entry(&guest.who).or_default() += 1;
        }
        let own = counts.get(who).copied().unwrap_or(0);
        let (largest, _) = counts.into_iter().filter(|(_, count)| *count > own + 1).max_by_key(|(_, count)| *count)?;
        let known = self
            .guests
            .iter()
            .filter(|(_, guest)| !guest.is_root && guest.who == *largest && guest.standing == Standing::Known);
        known.min_by_key(|(_, guest)| guest.last).map(|(number, _)| *number)
    }
}

fn lock<W>(list: &Mutex<List<W>>) -> MutexGuard<'_, List<W>> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_out(place: &Place<u32>) -> bool {
        !lock(&place.list).guests.contains_key(&place.number)
    }

    #[test]
    fn a_crowd_of_one_user_takes_its_share_and_its_idlest_makes_room() {
        let door = Doorman::new(32, 8, 4);
        let crowd: Vec<_> = (0..10).map(|_| door.admit(1000, false).unwrap()).collect();
        assert_eq!(crowd.iter().map(is_out).collect::<Vec<_>>()[..7], [true, true, true, true, true, true, false]);
        crowd[6].stands(Standing::Known);
        let _more = door.admit(1000, false).unwrap();
        assert!(!is_out(&crowd[6]) && is_out(&crowd[7]), "who is signed on stays");
    }

    #[test]
    fn crowds_of_many_users_leave_roots_places_alone_and_a_signed_on_client_in_peace() {
        let door = Doorman::new(32, 8, 4);
        let ipfail = door.admit(105, false).unwrap();
        ipfail.stands(Standing::Known);
        let crowd: Vec<_> = (0..40).map(|uid| door.admit(2000 + uid, false).unwrap()).collect();
        assert!(!is_out(&ipfail));
        assert_eq!(crowd.iter().filter(|place| !is_out(place)).count(), 23);
        let root: Vec<_> = (0..8).map(|_| door.admit(0, true).unwrap()).collect();
        assert!(root.iter().all(|place| !is_out(place)));
        assert_eq!(crowd.iter().filter(|place| !is_out(place)).count(), 23);
        // More of root's push the silent out, and at last its own.
        let more: Vec<_> = (0..40).map(|_| door.admit(0, true).unwrap()).collect();
        assert!(crowd.iter().all(is_out) && !is_out(&ipfail) && !is_out(&more[39]));
    }

    #[test]
    fn where_all_are_signed_on_who_has_most_gives_one() {
        let door = Doorman::new(12, 2, 8);
        let mut greedy: Vec<_> = (0..8).map(|_| door.admit(1, false).unwrap()).collect();
        greedy.iter().for_each(|place| place.stands(Standing::Known));
        assert!(door.admit(1, false).is_none());
        let one = || door.admit(2, false).inspect(|place| place.stands(Standing::Known));
        let few: Vec<_> = (0..4).map(|_| one()).collect();
        assert!(few.iter().all(Option::is_some));
        assert_eq!(greedy.iter().filter(|place| is_out(place)).count(), 2);
        greedy.retain(|place| !is_out(place));
        greedy.iter().for_each(|place| place.stands(Standing::Busy));
        few.iter().flatten().for_each(|place| place.stands(Standing::Busy));
        assert!(door.admit(3, false).is_none(), "who waits for an answer is not sent away");
        assert!(door.admit(0, true).is_some());
    }

    #[test]
    fn files_are_left_for_the_daemon() {
        assert!((8..=400).contains(&affordable(400)));
    }
}
