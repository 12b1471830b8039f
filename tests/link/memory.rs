//! The cable inside the process behaves as the others do, so that what is tested over it is worth something.

use std::time::Duration;

use latido::clock::Clock;
use latido::link::{CableFault, LinkEvent, Links, MemoryMedium, Urgency, memory_pair};
use latido::names::MediumId;

use crate::support::{next, next_bytes, run};

fn one(clock: &Clock) -> (Links, MemoryMedium) {
    let (near, far) = memory_pair();
    (Links::in_memory(vec![(MediumId::new("eth0"), near)], clock), far)
}

#[test]
fn what_one_end_says_the_other_hears_with_the_time_of_saying() {
    run(async {
        let clock = Clock::start();
        let (mut links, far) = one(&clock);
        let said_at = clock.mono();
        far.try_send(b"hello").unwrap();
        let said_by = clock.mono();
        tokio::time::sleep(Duration::from_millis(20)).await;
        let LinkEvent::Bytes { link: 0, at, stream: false } = next(&mut links, &clock).await else { panic!() };
        assert_eq!(links.bytes(), b"hello");
        assert!((said_at..=said_by).contains(&at), "{at} is the time of hearing");
        links.broadcast(b"datagram", b"text", Urgency::Beat);
        assert_eq!(far.try_take().unwrap().1, b"datagram");
    });
}

#[test]
fn a_cut_cable_swallows_and_a_lossy_one_loses_its_share() {
    run(async {
        let clock = Clock::start();
        let (mut links, far) = one(&clock);
        far.set_fault(CableFault::Cut);
        far.try_send(b"lost").unwrap();
        far.set_fault(CableFault::Lossy(3));
        for n in 0..100_u8 {
            far.try_send(&[n]).unwrap();
        }
        links.begin_drain();
        let mut heard = 0;
        while links.try_next().is_some() {
            heard += 1;
        }
        assert_eq!(heard, 70);
    });
}

#[test]
fn a_broken_medium_is_told_once_and_again_when_it_is_restored() {
    run(async {
        let clock = Clock::start();
        let (near, far) = memory_pair();
        let mut links = Links::in_memory(vec![(MediumId::new("eth0"), near.clone())], &clock);
        near.set_broken(Some("unplugged"));
        let failed = next(&mut links, &clock).await;
        assert_eq!(failed, LinkEvent::Failed { link: 0, reason: "cannot read: unplugged".into() });
        links.broadcast(b"x", b"x", Urgency::Beat);
        assert_eq!(links.failure(0), Some("cannot read: unplugged"));
        assert!(links.next_wake().is_some());
        near.set_broken(None);
        assert_eq!(next(&mut links, &clock).await, LinkEvent::Restored { link: 0 });
        assert_eq!(links.next_wake(), None);
        far.try_send(b"back").unwrap();
        assert_eq!(next_bytes(&mut links, &clock).await, (0, b"back".to_vec()));
    });
}

#[test]
fn a_drain_hands_over_what_had_arrived_and_no_more() {
    run(async {
        let clock = Clock::start();
        let (mut links, far) = one(&clock);
        for _ in 0..3 {
            far.try_send(b"before").unwrap();
        }
        links.begin_drain();
        tokio::time::sleep(Duration::from_millis(2)).await;
        for _ in 0..3 {
            far.try_send(b"after").unwrap();
        }
        let mut heard = Vec::new();
        while links.try_next().is_some() {
            heard.push(links.bytes().to_vec());
        }
        // One that came later is needed to know that the earlier ones are through.
        assert_eq!(heard, [&b"before"[..], b"before", b"before", b"after"]);
    });
}

#[test]
fn media_are_heard_in_turn() {
    run(async {
        let clock = Clock::start();
        let (a, far_a) = memory_pair();
        let (b, far_b) = memory_pair();
        let mut links = Links::in_memory(vec![(MediumId::new("a"), a), (MediumId::new("b"), b)], &clock);
        for _ in 0..500 {
            far_a.try_send(b"flood").unwrap();
        }
        far_b.try_send(b"beat").unwrap();
        far_b.try_send(b"beat").unwrap();
        let mut order = Vec::new();
        for _ in 0..5 {
            order.push(next_bytes(&mut links, &clock).await.0);
        }
        assert_eq!(order, [0, 1, 0, 1, 0]);
    });
}
