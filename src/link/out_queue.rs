//! What waits to be written to a serial line.
//!
//! Bounded in bytes. When it is full the oldest frame goes: a heartbeat that could not be sent in time is worth less
//! than the one after it. A frame whose first bytes are out is finished, or the far end would lose the next one too.

use std::collections::VecDeque;

/// Frames in order, the first of them perhaps half written.
#[derive(Debug)]
pub(super) struct OutQueue {
    frames: VecDeque<Vec<u8>>,
    /// Bytes of the first frame that are already out.
    begun: usize,
    /// Bytes of all frames.
    bytes: usize,
    limit: usize,
}

impl OutQueue {
    /// An empty queue for at most `limit` bytes.
    pub(super) fn new(limit: usize) -> OutQueue {
        OutQueue { frames: VecDeque::new(), begun: 0, bytes: 0, limit }
    }

    /// Appends a frame and makes room for it; answers how many frames were lost, this one perhaps included.
    pub(super) fn push(&mut self, frame: &[u8]) -> u64 {
        let mut lost = 0;
        while self.bytes + frame.len() > self.limit {
            let oldest = usize::from(self.begun > 0);
            let Some(dropped) = self.frames.remove(oldest) else { return lost + 1 };
            self.bytes -= dropped.len();
            lost += 1;
        }
        self.bytes += frame.len();
        self.frames.push_back(frame.to_vec());
        lost
    }

    /// The bytes to write next.
    pub(super) fn front(&self) -> Option<&[u8]> {
        self.frames.front()?.get(self.begun..)
    }

    /// Notes that `count` bytes of [`OutQueue::front`] are out.
    pub(super) fn advance(&mut self, count: usize) {
        self.begun += count;
        if let Some(first) = self.frames.front().filter(|first| first.len() <= self.begun) {
            self.bytes -= first.len();
            self.begun = 0;
            self.frames.pop_front();
        }
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Bytes not yet written.
    pub(super) fn waiting(&self) -> usize {
        self.bytes - self.begun
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rest(queue: &mut OutQueue) -> Vec<u8> {
        let mut out = Vec::new();
        while let Some(part) = queue.front() {
            let count = part.len().min(3);
            out.extend_from_slice(&part[..count]);
            queue.advance(count);
        }
        out
    }

    #[test]
    fn a_full_queue_drops_the_oldest_whole_frame() {
        let mut queue = OutQueue::new(9);
        assert_eq!([queue.push(b"aaa"), queue.push(b"bbb"), queue.push(b"ccc")], [0; 3]);
        assert_eq!(queue.push(b"ddd"), 1);
        assert_eq!(rest(&mut queue), b"bbbcccddd");
    }

    #[test]
    fn a_frame_begun_is_finished() {
        let mut queue = OutQueue::new(9);
        queue.push(b"aaa");
        queue.push(b"bbb");
        queue.push(b"ccc");
        queue.advance(1);
        assert_eq!(queue.push(b"ddd"), 1);
        assert_eq!(rest(&mut queue), b"aacccddd");
    }

    #[test]
    fn a_frame_that_never_fits_is_lost_itself() {
        let mut queue = OutQueue::new(4);
        queue.push(b"aa");
        assert_eq!(queue.push(b"bbbbb"), 2);
        assert!(queue.is_empty());
    }

    proptest! {
        #[test]
        fn only_whole_frames_come_out_in_order_and_memory_is_bounded(
            steps in proptest::collection::vec((0_usize..12, 0_usize..20), 1..60)
        ) {
            let mut queue = OutQueue::new(32);
            let (mut out, mut pushed, mut lost) = (Vec::new(), 0_u64, 0_u64);
            for (size, write) in steps {
                let mut frame = vec![b'.'; size];
                frame.insert(0, b'<');
                frame.push(b'>');
                pushed += 1;
                lost += queue.push(&frame);
                prop_assert!(queue.waiting() <= 32);
                if let Some(part) = queue.front() {
                    let count = part.len().min(write);
                    out.extend_from_slice(&part[..count]);
                    queue.advance(count);
                }
            }
            out.extend(rest(&mut queue));
            prop_assert_eq!(queue.waiting(), 0);
            let text = String::from_utf8(out).unwrap();
            let whole = text.split_terminator('>').filter(|frame| frame.trim_end_matches('.') == "<").count();
            prop_assert_eq!(whole as u64, pushed - lost);
            prop_assert_eq!(text.matches('<').count() as u64, pushed - lost);
        }
    }
}
