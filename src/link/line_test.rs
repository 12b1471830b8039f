//! A test of a null-modem cable that no daemon uses: what comes back through a loop, or from another test at the far end.
//!
//! ```text
//! listen ─heartbeats─▶ no test: somebody's daemon is at the far end, and that direction works
//!    └─silence─▶ send frames, listen ─first frame─▶ count for a while ─▶ report
//! ```
//!
//! A frame is a line of 64 characters with a checksum. Both ends may begin at different times: each goes on sending
//! until it has counted for its whole time, so the later one hears enough as well.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{read, write};

use crate::clock::Clock;
use crate::time::Mono;

use super::serial::BareLine;

/// How long each part of a test may take.
#[derive(Clone, Copy, Debug)]
pub struct TestTimes {
    /// For heartbeats of a daemon at the far end, before anything is sent.
    pub listen: Duration,
    /// For the first frame to come back.
    pub first: Duration,
    /// How long is counted from the first frame on.
    pub count: Duration,
}

/// Who is at the far end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FarEnd {
    /// Nobody we hear.
    Silent,
    /// A heartbeat daemon.
    Daemon,
    /// Ourselves, through a loop.
    Loop,
    /// Another test.
    Test,
}

/// What the test found.
#[derive(Clone, Debug)]
pub struct LineReport {
    /// Who answered.
    pub far_end: FarEnd,
    /// Whole frames, or beginnings of heartbeats.
    pub whole: u32,
    /// Lines that were garbled on the way.
    pub garbled: u32,
    /// What the line carries towards us, in bytes a second; `None` when too little came.
    pub bytes_per_second: Option<u32>,
    /// Whether the far end says that we may send; `None` where a port has no such wire.
    pub clear_to_send: Option<bool>,
}

const FRAME: usize = 64;
const MARK: &str = "latido-line ";
/// What a daemon's message begins with.
const HEARTBEAT: &[u8] = b">>>";
/// The longest run of bytes without a newline we keep.
const LONGEST: usize = 4096;
const SLICE: Duration = Duration::from_millis(20);

/// Tests a line.
///
/// # Errors
/// When it cannot be opened, or hangs up.
pub fn test_line(device: &str, baud: u32, lock_dir: &Path, token: u32, patience: TestTimes) -> io::Result<LineReport> {
    let mut line = BareLine::open(device, baud, lock_dir)?;
    let clear_to_send = line.clear_to_send();
    let clock = Clock::start();
    let mut test = Test { token, ..Test::default() };
    let report = |test: &Test, far_end| LineReport {
        far_end,
        whole: test.whole.max(test.heartbeats),
        garbled: test.garbled,
        bytes_per_second: test.rate(),
        clear_to_send,
    };
    while clock.mono().elapsed() < patience.listen {
        test.turn(&line, false, &clock)?;
        if test.heartbeats >= 2 {
            return Ok(report(&test, FarEnd::Daemon));
        }
        if test.first.is_some() {
            break;
        }
    }
    let begun = clock.mono();
    loop {
        test.turn(&line, true, &clock)?;
        let over = match test.first {
            Some(first) => clock.mono().since(first.max(begun)) >= patience.count,
            None => clock.mono().since(begun) >= patience.first,
        };
        if over {
            break;
        }
    }
    let far_end = match (test.whole, test.own * 2 > test.whole) {
        (0, _) if test.heartbeats > 0 => FarEnd::Daemon,
        (0, _) => FarEnd::Silent,
        (_, true) => FarEnd::Loop,
        (_, false) => FarEnd::Test,
    };
    Ok(report(&test, far_end))
}

/// One end of a test.
#[derive(Debug, Default)]
struct Test {
    token: u32,
    sent: u32,
    /// The rest of a frame the line did not take yet.
    rest: Vec<u8>,
    input: Vec<u8>,
    whole: u32,
    own: u32,
    garbled: u32,
    heartbeats: u32,
    /// When the first whole frame came, and the last, and how many bytes after the first.
    first: Option<Mono>,
    last: Option<Mono>,
    bytes: u64,
}

impl Test {
    /// Waits a moment for the line, reads what is there, sends what it takes.
    fn turn(&mut self, line: &BareLine, sending: bool, clock: &Clock) -> io::Result<()> {
        let wanted = if sending { PollFlags::POLLIN | PollFlags::POLLOUT } else { PollFlags::POLLIN };
        let mut fds = [PollFd::new(line.as_fd(), wanted)];
        let slice = PollTimeout::try_from(SLICE).unwrap_or(PollTimeout::ZERO);
        poll(&mut fds, slice)?;
        let mut chunk = [0; 512];
        match read(line.as_fd(), &mut chunk) {
            Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the line hung up")),
            Ok(count) => self.take(&chunk[..count], clock.mono()),
            Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        if !sending {
            return Ok(());
        }
        if self.rest.is_empty() {
            self.sent += 1;
            self.rest = frame(self.token, self.sent);
        }
        match write(line.as_fd(), &self.rest) {
            Ok(count) => drop(self.rest.drain(..count)),
            Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn take(&mut self, bytes: &[u8], now: Mono) {
        self.input.extend_from_slice(bytes);
        while let Some(end) = self.input.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.input.drain(..=end).collect();
            self.judge(&line, now);
        }
        if self.input.len() > LONGEST {
            self.input.clear();
            self.garbled += 1;
        }
    }

    fn judge(&mut self, line: &[u8], now: Mono) {
        if let Some(token) = read_frame(line) {
            self.whole += 1;
            self.own += u32::from(token == self.token);
            match self.first {
                None => self.first = Some(now),
                Some(_) => self.bytes += FRAME as u64,
            }
            self.last = Some(now);
        } else if line.ends_with(b">>>\n") && line.starts_with(HEARTBEAT) {
            self.heartbeats += 1;
        } else if self.first.is_some() || line.starts_with(MARK.as_bytes()) {
            // Before the first whole frame it may be the end of one that began before we listened.
            self.garbled += 1;
        }
    }

    fn rate(&self) -> Option<u32> {
        let time = self.last?.since(self.first?);
        if time < Duration::from_millis(100) {
            return None;
        }
        let rate = u128::from(self.bytes) * 1000 / time.as_millis().max(1);
        u32::try_from(rate).ok()
    }
}

/// `latido-line TOKEN NUMBER filler CRC\n`, in characters every line carries.
fn frame(token: u32, number: u32) -> Vec<u8> {
    let mut text = format!("{MARK}{token:08x} {number:08x} ");
    // Letters with many changes of bits, other ones in each frame.
    for at in 0..FRAME - 1 - 8 - text.len() {
        let wave = number.wrapping_mul(31).wrapping_add(u32::try_from(at).unwrap_or(0).wrapping_mul(7)) % 64;
        text.push(char::from(b'0' + u8::try_from(wave).unwrap_or(0)));
    }
    let sum = checksum(text.as_bytes());
    text += &format!("{sum:08x}\n");
    text.into_bytes()
}

/// The token of a frame that came whole.
fn read_frame(line: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?;
    let (body, sum) = text.split_at_checked(text.len().checked_sub(8)?)?;
    if line.len() != FRAME || u32::from_str_radix(sum, 16).ok()? != checksum(body.as_bytes()) {
        return None;
    }
    u32::from_str_radix(body.strip_prefix(MARK)?.get(..8)?, 16).ok()
}

fn checksum(bytes: &[u8]) -> u32 {
    crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_frame_reads_back_and_a_changed_one_does_not() {
        for number in [0, 1, 77, u32::MAX] {
            let bytes = frame(0xfeed, number);
            assert_eq!((bytes.len(), read_frame(&bytes)), (FRAME, Some(0xfeed)));
            let mut other = bytes.clone();
            other[30] ^= 1;
            assert_eq!(read_frame(&other), None);
        }
    }

    #[test]
    fn the_end_of_a_frame_that_began_before_we_listened_is_not_garbled() {
        let mut test = Test::default();
        test.take(&frame(1, 1)[20..], Mono::ZERO);
        assert_eq!((test.whole, test.garbled), (0, 0));
        test.take(&[&frame(1, 2)[..], b"noise\n", &frame(1, 3)].concat(), Mono::ZERO);
        assert_eq!((test.whole, test.garbled), (2, 1));
    }

    #[test]
    fn the_rate_counts_what_came_after_the_first_frame() {
        let mut test = Test::default();
        for number in 0..=10 {
            test.take(&frame(1, number), Mono::at(Duration::from_millis(u64::from(number) * 100)));
        }
        assert_eq!(test.rate(), Some(640));
    }

    proptest! {
        #[test]
        fn nothing_that_comes_in_makes_it_panic_or_grow(chunks in proptest::collection::vec(any::<Vec<u8>>(), 0..20)) {
            let mut test = Test::default();
            for chunk in chunks {
                test.take(&chunk, Mono::ZERO);
                prop_assert!(test.input.len() <= LONGEST);
            }
        }
    }
}
