use proptest::prelude::*;

use super::*;

const LATER: Mono = Mono::at(Duration::from_secs(3600));

fn at(ms: u64) -> Mono {
    Mono::at(Duration::from_millis(ms))
}

/// What comes out when the kernel takes three bytes at a time and the line carries them at once.
fn rest(queue: &mut OutQueue) -> Vec<u8> {
    let mut out = Vec::new();
    let mut now = LATER;
    while !queue.is_empty() {
        now += Duration::from_secs(3600);
        queue.look(now, 0);
        while let Some(part) = queue.front(now) {
            let count = part.len().min(3);
            out.extend_from_slice(&part[..count]);
            queue.advance(now, count);
        }
    }
    out
}

fn queue(limit: usize) -> OutQueue {
    OutQueue::new(limit, 1920)
}

#[test]
fn a_full_lane_drops_its_oldest_whole_frame() {
    let mut queue = queue(9);
    assert_eq!([b"aaa", b"bbb", b"ccc"].map(|frame| queue.push(LATER, frame, Urgency::Dialogue)), [0; 3]);
    assert_eq!(queue.push(LATER, b"ddd", Urgency::Dialogue), 1);
    assert_eq!(rest(&mut queue), b"bbbcccddd");
}

#[test]
fn a_frame_begun_is_finished_whatever_comes() {
    let mut queue = queue(9);
    queue.push(LATER, b"aaa", Urgency::Talk);
    queue.front(LATER).unwrap();
    queue.advance(LATER, 1);
    assert_eq!(queue.push(LATER, b"bbb", Urgency::Beat), 0);
    assert_eq!(queue.push(LATER, b"ccccccccc", Urgency::Talk), 0);
    assert_eq!(rest(&mut queue), b"aabbbccccccccc");
}

#[test]
fn a_frame_that_never_fits_is_lost_itself() {
    let mut queue = queue(4);
    queue.push(LATER, b"aa", Urgency::Talk);
    assert_eq!(queue.push(LATER, b"bbbbb", Urgency::Talk), 2);
    assert!(queue.is_empty());
}

#[test]
fn what_is_asked_for_again_pushes_nothing_out_and_goes_once() {
    let mut queue = queue(9);
    assert_eq!(queue.push(LATER, b"ttt", Urgency::Talk), 0);
    assert_eq!(queue.push(LATER, b"ttt", Urgency::Again), 0, "it waits already");
    assert_eq!([b"aaaaaa", b"bbbbbb"].map(|frame| queue.push(LATER, frame, Urgency::Again)), [0, 1]);
    assert_eq!(rest(&mut queue), b"aaaaaattt");
    let mut queue = self::queue(2000);
    queue.push(at(0), b"ttt", Urgency::Talk);
    assert!(queue.front(at(0)).is_some());
    queue.advance(at(0), 3);
    queue.push(at(100), b"ttt", Urgency::Again);
    assert!(queue.is_empty(), "it cannot have been missed yet");
    queue.push(at(1000), b"ttt", Urgency::Again);
    assert!(!queue.is_empty());
}

#[test]
fn the_order_is_beats_then_dialogue_then_what_was_lost_then_talk() {
    let mut queue = queue(2000);
    queue.push(LATER, b"talk ", Urgency::Talk);
    queue.push(LATER, b"again ", Urgency::Again);
    queue.push(LATER, b"dialogue ", Urgency::Dialogue);
    queue.push(LATER, b"beat ", Urgency::Beat);
    assert_eq!(rest(&mut queue), b"beat dialogue again talk ");
}

/// A line of 19200 baud whose kernel takes whatever it gets, in simulated time.
struct SerialLine {
    queue: OutQueue,
    /// Frames in the kernel, and how much of the first is left.
    kernel: VecDeque<(u8, usize)>,
    /// Whether the driver says how much it holds; a pty does not.
    tells: bool,
    arrived: Vec<(u64, u8)>,
}

impl SerialLine {
    fn new(tells: bool) -> SerialLine {
        SerialLine { queue: OutQueue::new(3840, 1920), kernel: VecDeque::new(), tells, arrived: Vec::new() }
    }

    /// A millisecond: the line carries two bytes, and what may be written is.
    fn pass(&mut self, ms: u64) {
        for _ in 0..2 {
            let Some(first) = self.kernel.front_mut() else { break };
            first.1 -= 1;
            if first.1 == 0 {
                let name = first.0;
                self.kernel.pop_front();
                self.arrived.push((ms, name));
            }
        }
        let held = self.kernel.iter().map(|frame| frame.1).sum();
        self.queue.look(at(ms), if self.tells { held } else { 0 });
        while let Some(part) = self.queue.front(at(ms)) {
            let (name, length) = (part[0], part.len());
            self.kernel.push_back((name, length));
            self.queue.advance(at(ms), length);
        }
    }

    fn push(&mut self, ms: u64, name: u8, length: usize, urgency: Urgency) -> u64 {
        self.queue.push(at(ms), &vec![name; length], urgency)
    }
}

#[test]
fn a_hundred_kilobytes_of_talk_make_no_beat_late_by_half_a_keepalive_and_none_of_it_is_lost() {
    for tells in [false, true] {
        let mut line = SerialLine::new(tells);
        let (mut talk, mut beats) = (0, 0);
        let mut ms = 0;
        while talk < 140 || !line.queue.is_empty() {
            ms += 1;
            if ms % 1000 == 0 {
                assert_eq!(line.push(ms, b'b', 220, Urgency::Beat), 0);
                line.queue.expect_beat(at(ms), Duration::from_secs(1));
                beats += 1;
            }
            if talk < 140 && line.queue.has_room(at(ms)) {
                assert_eq!(line.push(ms, b't', 720, Urgency::Talk), 0);
                talk += 1;
            }
            // Somebody asks for old messages all the time.
            line.push(ms, if ms % 2 == 0 { b'a' } else { b'A' }, 500, Urgency::Again);
            line.pass(ms);
            assert!(ms < 300_000, "it does not end");
            if talk == 140 {
                line.queue.forget_bulk();
            }
        }
        let came: Vec<u64> = line.arrived.iter().filter(|(_, name)| *name == b'b').map(|(ms, _)| *ms).collect();
        assert!(came.len() + 1 >= beats, "{} of {beats}", came.len());
        let latest = came.iter().map(|ms| ms % 1000).max().unwrap();
        // Its own 220 bytes take 115.
        assert!(latest < 400, "a beat was {latest} ms on its way, tells: {tells}");
        let talk = line.arrived.iter().filter(|(_, name)| *name == b't').count();
        assert!(talk >= 138, "{talk}");
        let again = line.arrived.iter().filter(|(_, name)| name.eq_ignore_ascii_case(&b'a')).count();
        assert!(again > 20, "what was lost comes, too: {again}");
    }
}

#[test]
fn a_frame_longer_than_the_time_between_two_beats_goes_right_after_one() {
    let mut line = SerialLine::new(false);
    let keepalive = Duration::from_millis(500);
    for ms in 1..5000 {
        if ms % 500 == 0 {
            line.push(ms, b'b', 220, Urgency::Beat);
            line.queue.expect_beat(at(ms), keepalive);
        }
        if ms > 500 && line.queue.has_room(at(ms)) {
            line.push(ms, b't', 1024, Urgency::Talk);
        }
        line.pass(ms);
    }
    let came: Vec<u64> = line.arrived.iter().filter(|(_, name)| *name == b'b').map(|(ms, _)| ms % 500).collect();
    assert!(came.len() >= 8 && came.iter().all(|late| *late < 115 + 250), "{came:?}");
    assert!(line.arrived.iter().filter(|(_, name)| *name == b't').count() >= 4, "{:?}", line.arrived);
}

#[test]
fn a_line_that_takes_nothing_paces_nobody_for_long() {
    for tells in [false, true] {
        let mut queue = queue(3840);
        let held = if tells { 720 } else { 0 };
        queue.look(at(0), 0);
        queue.push(LATER, &[b't'; 720], Urgency::Talk);
        assert!(queue.front(at(0)).is_some());
        if tells {
            queue.advance(at(0), 720);
        } else {
            queue.note_full();
        }
        queue.push(LATER, &[b't'; 720], Urgency::Talk);
        let mut last = 0;
        for ms in 1..10_000 {
            queue.look(at(ms), held);
            if queue.has_room(at(ms)) {
                break;
            }
            last = ms;
        }
        assert!((1900..2100).contains(&last), "it paced for {last} ms");
        queue.push(LATER, &[b't'; 720], Urgency::Talk);
        queue.look(at(10_000), 0);
        queue.advance(at(10_000), 10);
        queue.look(at(10_001), 0);
        assert!(!queue.has_room(at(10_001)), "it works again: what waits comes first");
    }
}

#[test]
fn nothing_is_looked_at_without_need() {
    let mut queue = queue(3840);
    assert_eq!(queue.next_look(at(5)), None);
    queue.push(LATER, &[b'b'; 200], Urgency::Beat);
    queue.front(at(5)).unwrap();
    queue.advance(at(5), 200);
    assert_eq!(queue.next_look(at(5)), None, "a beat is written at once, and that is all");
    queue.push(LATER, &[b't'; 200], Urgency::Talk);
    assert!(queue.front(at(6)).is_none());
    let look = queue.next_look(at(6)).unwrap();
    queue.look(look, 0);
    assert!(look > at(50) && queue.front(look).is_some(), "{look:?}");
}

proptest! {
    #[test]
    fn only_whole_frames_come_out_and_memory_is_bounded(
        steps in proptest::collection::vec((0_usize..12, 0_usize..20, 0_usize..4), 1..60)
    ) {
        let mut queue = OutQueue::new(32, 1_000_000);
        let (mut out, mut pushed, mut lost, mut same) = (Vec::new(), 0_u64, 0_u64, 0_u64);
        let mut now = LATER;
        for (size, write, urgency) in steps {
            now += Duration::from_secs(60);
            let urgency = Urgency::ALL[urgency];
            let mut frame = vec![b'.'; size];
            frame.insert(0, b'<');
            frame.push(b'>');
            pushed += 1;
            same += u64::from(urgency == Urgency::Again && queue.holds(&frame, now));
            lost += queue.push(now, &frame, urgency);
            prop_assert!(queue.waiting() <= 32 * 5);
            queue.look(now, 0);
            if let Some(part) = queue.front(now) {
                let count = part.len().min(write);
                out.extend_from_slice(&part[..count]);
                queue.advance(now, count);
            }
        }
        out.extend(rest(&mut queue));
        prop_assert_eq!(queue.waiting(), 0);
        let text = String::from_utf8(out).unwrap();
        let whole = text.split_terminator('>').filter(|frame| frame.trim_end_matches('.') == "<").count();
        prop_assert_eq!(whole as u64, pushed - lost - same);
        prop_assert_eq!(text.matches('<').count() as u64, pushed - lost - same);
    }
}
