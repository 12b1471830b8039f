//! Waiting for what must happen, and no longer than five seconds for it.

use std::future::Future;
use std::time::Duration;

use latido::clock::Clock;
use latido::link::{LinkEvent, Links};

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs a test body on a runtime as the daemon has it.
pub(crate) fn run<T>(body: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(body)
}

/// The next event; media that failed are retried meanwhile, as the daemon does.
pub(crate) async fn next(links: &mut Links, clock: &Clock) -> LinkEvent {
    let deadline = clock.mono() + PATIENCE;
    loop {
        let wake_at = links.next_wake().map_or(deadline, |retry| retry.min(deadline));
        tokio::select! {
            event = links.next() => return event,
            () = tokio::time::sleep_until(clock.instant(wake_at)) => links.retry(),
        }
        assert!(clock.mono() < deadline, "nothing happened");
    }
}

/// The bytes received next, and on which medium; anything but bytes fails the test.
pub(crate) async fn next_bytes(links: &mut Links, clock: &Clock) -> (usize, Vec<u8>) {
    match next(links, clock).await {
        LinkEvent::Bytes { link, .. } => (link, links.bytes().to_vec()),
        event @ (LinkEvent::Failed { .. } | LinkEvent::Restored { .. }) => panic!("bytes expected, got {event:?}"),
    }
}

/// Waits until `done`, looking every few milliseconds.
pub(crate) async fn until(clock: &Clock, mut done: impl FnMut() -> bool) {
    let deadline = clock.mono() + PATIENCE;
    while !done() {
        assert!(clock.mono() < deadline, "it did not happen");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
