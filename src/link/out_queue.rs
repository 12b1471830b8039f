//! What waits to be written to a serial line, and when it may be.
//!
//! A frame whose first bytes are out is finished, or the far end would lose the next one too; so what goes before decides
//! how late a heartbeat is. Heartbeats go first, then the talk about resources, then what was asked for again, then what
//! programs say to each other; and of the last two never more than one frame is handed to the kernel, whose buffer
//! nobody can overtake in.
//!
//! Bounded in bytes. A full lane loses its oldest frame: a heartbeat that could not be sent in time is worth less than the
//! one after it. What was asked for again is not taken instead: it will be asked for once more. Pure: the time and what
//! the kernel still holds are told.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::Mono;

use super::Urgency;

/// Of a line that is a little slower than it says, or whose driver is: so much of its time is left free of bulk.
const SPARE: u32 = 3;
/// With more than this before it no frame but a heartbeat is handed to the kernel.
const AHEAD: usize = 256;
/// The same for bulk: the last bytes of what is before it.
const AHEAD_OF_BULK: usize = 16;
/// A line that takes nothing for so long makes nobody wait for it.
const PATIENCE: Duration = Duration::from_secs(2);
/// Heartbeats that wait longer than the next ones take are not worth it.
const BEATS_LEAST: usize = 1024;
/// What went out may be asked for by who had not heard it yet: a request takes so long to come.
const ON_ITS_WAY: Duration = Duration::from_millis(500);
/// Nothing is looked at more often.
const BLINK: Duration = Duration::from_millis(1);

/// Frames in their lanes, one of them perhaps half written.
#[derive(Debug)]
pub(super) struct OutQueue {
    /// Indexed by [`Urgency`].
    lanes: [Lane; 4],
    begun: Option<Begun>,
    bytes_a_second: u32,
    /// When the line will have carried all that was written, by its speed.
    busy_until: Mono,
    /// Bulk waits until then.
    bulk_from: Mono,
    /// When the next heartbeat is due, and how long one is due after the other.
    next_beat: Mono,
    keepalive: Duration,
    /// What the kernel held at the last look, and how much had left this machine by then.
    held: usize,
    written: u64,
    left: u64,
    /// When something last left, or nothing was there to leave.
    moved_at: Mono,
    /// The kernel took no more at the last attempt.
    is_full: bool,
    /// The last bulk was something asked for again.
    is_talks_turn: bool,
    /// Bulk that went out, and until when nobody can have missed it yet.
    recent: VecDeque<(Mono, Vec<u8>)>,
}

#[derive(Debug, Default)]
struct Lane {
    frames: VecDeque<Vec<u8>>,
    bytes: usize,
    limit: usize,
}

#[derive(Debug)]
struct Begun {
    frame: Vec<u8>,
    out: usize,
    urgency: Urgency,
}

impl OutQueue {
    /// An empty queue for at most `limit` bytes of each urgency, before a line of that speed.
    pub(super) fn new(limit: usize, bytes_a_second: u32) -> OutQueue {
        let lane = |limit| Lane { limit, ..Lane::default() };
        OutQueue {
            lanes: [lane(limit.min(BEATS_LEAST.max(limit / 4))), lane(limit), lane(limit), lane(limit)],
            begun: None,
            bytes_a_second: bytes_a_second.max(1),
            busy_until: Mono::ZERO,
            bulk_from: Mono::ZERO,
            next_beat: Mono::ZERO,
            keepalive: Duration::ZERO,
            held: 0,
            written: 0,
            left: 0,
            moved_at: Mono::ZERO,
            is_full: false,
            is_talks_turn: false,
            recent: VecDeque::new(),
        }
    }

    /// Appends a frame and makes room for it; answers how many frames were lost, this one perhaps included.
    pub(super) fn push(&mut self, now: Mono, frame: &[u8], urgency: Urgency) -> u64 {
        if urgency == Urgency::Again {
            // Who heard what overtook it asks for what is on its way; and who has not got it asks once more.
            if self.holds(frame, now) {
                return 0;
            }
            if !self.lanes[urgency as usize].has_room(frame) {
                return 1;
            }
        }
        self.lanes[urgency as usize].push(frame)
    }

    fn holds(&self, frame: &[u8], now: Mono) -> bool {
        self.begun.as_ref().is_some_and(|begun| begun.frame == frame)
            || self.lanes.iter().any(|lane| lane.frames.iter().any(|waiting| waiting == frame))
            || self.recent.iter().any(|(until, sent)| now < *until && sent == frame)
    }

    /// Notes how many bytes the kernel holds that have not left this machine, as far as the driver tells.
    pub(super) fn look(&mut self, now: Mono, held: usize) {
        let left = self.written.saturating_sub(held as u64);
        if left > self.left || (held == 0 && !self.is_full) {
            self.moved_at = now;
        }
        (self.held, self.left) = (held, left);
    }

    /// The bytes to write now; `None` while there are none, or what waits has to wait on.
    pub(super) fn front(&self, now: Mono) -> Option<&[u8]> {
        if let Some(begun) = &self.begun {
            return begun.frame.get(begun.out..);
        }
        let urgency = self.first().filter(|urgency| self.goes_at(*urgency, now) <= now)?;
        self.lanes[urgency as usize].frames.front().map(Vec::as_slice)
    }

    /// Notes that `count` bytes of [`OutQueue::front`] are out.
    pub(super) fn advance(&mut self, now: Mono, count: usize) {
        if count == 0 {
            return;
        }
        self.is_full = false;
        self.written += count as u64;
        self.held += count;
        self.busy_until = self.busy_until.max(now) + self.time_of(count);
        let Some(mut begun) = self.begun.take().or_else(|| self.begin()) else { return };
        begun.out += count;
        if begun.out < begun.frame.len() {
            self.begun = Some(begun);
        } else if begun.urgency >= Urgency::Again {
            self.recent.retain(|(until, _)| now < *until);
            self.recent.push_back((self.busy_until + ON_ITS_WAY, begun.frame.clone()));
            self.is_talks_turn = begun.urgency == Urgency::Again;
            self.bulk_from = self.busy_until + self.time_of(begun.frame.len()) / SPARE;
        }
    }

    fn begin(&mut self) -> Option<Begun> {
        let urgency = self.first()?;
        Some(Begun { frame: self.lanes[urgency as usize].pop()?, out: 0, urgency })
    }

    /// A heartbeat is said now, and the next is due so much later.
    pub(super) fn expect_beat(&mut self, now: Mono, keepalive: Duration) {
        (self.next_beat, self.keepalive) = (now + keepalive, keepalive);
    }

    /// The kernel takes no more.
    pub(super) fn note_full(&mut self) {
        self.is_full = true;
    }

    /// Whether the kernel took no more at the last attempt: whoever watches the line is told when it does.
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// When [`OutQueue::look`] and [`OutQueue::front`] are worth calling again; later than `now`.
    pub(super) fn next_look(&self, now: Mono) -> Option<Mono> {
        let at = match (&self.begun, self.is_full) {
            (None, false) => self.goes_at(self.first()?, now),
            (Some(_), false) => now,
            (_, true) if self.is_stuck(now) => return None,
            (Some(_), true) => self.moved_at + PATIENCE,
            (None, true) => {
                let goes_at = self.goes_at(self.first()?, now);
                if goes_at > now { goes_at } else { self.moved_at + PATIENCE }
            }
        };
        Some(at.max(now + BLINK))
    }

    /// Whether what programs say to each other, or ask the other node for, may be added.
    pub(super) fn has_room(&self, now: Mono) -> bool {
        let waits = |urgency: Urgency| !self.lanes[urgency as usize].frames.is_empty();
        self.is_stuck(now) || !(waits(Urgency::Dialogue) || waits(Urgency::Talk))
    }

    /// Whether the line takes nothing: unplugged, or held up by its far end.
    fn is_stuck(&self, now: Mono) -> bool {
        (self.is_full || self.held > 0) && now.since(self.moved_at) > PATIENCE
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.begun.is_none() && self.first().is_none()
    }

    /// Bytes not yet written.
    pub(super) fn waiting(&self) -> usize {
        let begun = self.begun.as_ref().map_or(0, |begun| begun.frame.len() - begun.out);
        begun + self.lanes.iter().map(|lane| lane.bytes).sum::<usize>()
    }

    /// Forgets what is not worth the last moments of a node that leaves.
    pub(super) fn forget_bulk(&mut self) {
        for urgency in [Urgency::Again, Urgency::Talk] {
            let lane = &mut self.lanes[urgency as usize];
            *lane = Lane { limit: lane.limit, ..Lane::default() };
        }
    }

    fn first(&self) -> Option<Urgency> {
        let waits = |urgency: &Urgency| !self.lanes[*urgency as usize].frames.is_empty();
        // Who asks for everything again and again does not silence the programs: these two take turns.
        let in_turn = Some(Urgency::Talk).filter(|talk| self.is_talks_turn && waits(talk));
        let first = Urgency::ALL.into_iter().find(waits)?;
        Some(if first == Urgency::Again { in_turn.unwrap_or(first) } else { first })
    }

    /// When a frame of this urgency may be handed to the kernel.
    fn goes_at(&self, urgency: Urgency, now: Mono) -> Mono {
        let ahead = match urgency {
            Urgency::Beat => return Mono::ZERO,
            Urgency::Dialogue => AHEAD,
            Urgency::Again | Urgency::Talk => AHEAD_OF_BULK,
        };
        // A line that is held up holds more than its speed explains.
        let by_kernel = if self.held > ahead { now + self.time_of(self.held - ahead).max(BLINK) } else { Mono::ZERO };
        let by_speed = self.busy_until.before(self.time_of(ahead)).max(by_kernel);
        if urgency < Urgency::Again {
            return by_speed;
        }
        let from = by_speed.max(self.bulk_from);
        let length = self.lanes[urgency as usize].frames.front().map_or(0, Vec::len);
        // What would not be over when the next heartbeat is due, or soon after, is begun after it.
        let is_over = from.max(now) + self.time_of(length) <= self.next_beat + self.keepalive / 4;
        let is_early = from.max(now) <= self.next_beat.before(self.keepalive / 2);
        // Who has fallen silent is not waited for.
        if is_over || is_early || now > self.next_beat + self.keepalive {
            from
        } else {
            from.max(self.next_beat + BLINK)
        }
    }

    fn time_of(&self, bytes: usize) -> Duration {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        Duration::from_secs(1) * bytes / self.bytes_a_second
    }
}

impl Lane {
    fn has_room(&self, frame: &[u8]) -> bool {
        self.bytes + frame.len() <= self.limit
    }

    fn push(&mut self, frame: &[u8]) -> u64 {
        let mut lost = 0;
        while !self.has_room(frame) {
            if self.pop().is_none() {
                return lost + 1;
            }
            lost += 1;
        }
        self.bytes += frame.len();
        self.frames.push_back(frame.to_vec());
        lost
    }

    fn pop(&mut self) -> Option<Vec<u8>> {
        let frame = self.frames.pop_front()?;
        self.bytes -= frame.len();
        Some(frame)
    }
}

#[cfg(test)]
mod tests;
