//! The few calls into the C library that no safe crate wraps; the only file with `unsafe`.
//!
//! Each function is a thin, safe door: it decides nothing and keeps nothing.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::fs;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use socket2::SockAddr;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Puts the calling thread under `SCHED_RR` at `priority` (1 to 99). Children it forks start as ordinary processes, so
/// that a resource script never runs at our priority.
///
/// # Errors
/// `EPERM` without `CAP_SYS_NICE`, `EINVAL` for a priority out of range.
pub fn set_realtime(priority: i32) -> io::Result<()> {
    let param = libc::sched_param { sched_priority: priority };
    // SAFETY: `param` outlives the call, which only reads it; pid 0 is the calling thread.
    check(unsafe { libc::sched_setscheduler(0, libc::SCHED_RR | libc::SCHED_RESET_ON_FORK, &raw const param) })
}

/// The link-layer address to bind an `AF_PACKET` socket to, or to send to: interface `index`, `protocol` as in
/// `libc::ETH_P_ARP`, and the hardware address (empty for binding; at most 8 bytes are used).
///
/// # Errors
/// None in practice.
pub fn packet_address(index: u32, protocol: u16, hardware: &[u8]) -> io::Result<SockAddr> {
    let length = hardware.len().min(8);
    // SAFETY: the storage given is zeroed, aligned and large enough for any socket address; exactly the bytes of a
    // `sockaddr_ll` are filled in and their length reported.
    let (_, address) = unsafe {
        SockAddr::try_init(|storage, len| {
            let ll = &mut *storage.cast::<libc::sockaddr_ll>();
            ll.sll_family = libc::AF_PACKET.cast_unsigned().try_into().unwrap_or_default();
            ll.sll_protocol = protocol.to_be();
            ll.sll_ifindex = index.cast_signed();
            ll.sll_halen = length.try_into().unwrap_or_default();
            ll.sll_addr[..length].copy_from_slice(&hardware[..length]);
            *len = size_of::<libc::sockaddr_ll>().try_into().unwrap_or_default();
            Ok(())
        })
    }?;
    Ok(address)
}

/// The descriptor of a file whose type offers only the raw number.
pub fn borrow_fd<T: AsRawFd>(file: &T) -> BorrowedFd<'_> {
    // SAFETY: `file` owns the descriptor and is borrowed for as long as the result lives.
    unsafe { BorrowedFd::borrow_raw(file.as_raw_fd()) }
}

/// Lets the tokio runtime around us watch a non-blocking file.
///
/// # Errors
/// When the kernel cannot watch such a file.
pub fn watch<T: AsFd + AsRawFd>(file: T, interest: Interest) -> io::Result<AsyncFd<T>> {
    // SAFETY: by the contract of `AsFd` the descriptor is open as long as `file` lives, which the result now owns; the
    // types watched here (sockets, ttys) never exchange theirs.
    unsafe { AsyncFd::register_with_interest(file, interest) }.map_err(io::Error::from)
}

/// Lets only packets of ICMP type `kind` into a raw IPv4 ICMP socket.
///
/// # Errors
/// As `setsockopt`.
pub fn accept_only_icmp(socket: BorrowedFd<'_>, kind: u8) -> io::Result<()> {
    // linux/icmp.h; the value is a mask of the types to throw away, of which only the first 32 can be named.
    const ICMP_FILTER: libc::c_int = 1;
    let blocked: u32 = !(1_u32.checked_shl(kind.into()).unwrap_or(0));
    set_option(socket, libc::SOL_RAW, ICMP_FILTER, &blocked)
}

/// Lets only packets of ICMPv6 type `kind` into a raw ICMPv6 socket.
///
/// # Errors
/// As `setsockopt`.
pub fn accept_only_icmp6(socket: BorrowedFd<'_>, kind: u8) -> io::Result<()> {
    // RFC 3542: 256 bits, a one throws the type away.
    const ICMP6_FILTER: libc::c_int = 1;
    let mut blocked = [u32::MAX; 8];
    blocked[usize::from(kind >> 5)] &= !(1 << (kind & 31));
    set_option(socket, libc::SOL_ICMPV6, ICMP6_FILTER, &blocked)
}

/// Sets a whole-number option of an `AF_PACKET` socket, such as `libc::PACKET_VNET_HDR`.
///
/// # Errors
/// As `setsockopt`.
pub fn set_packet_option(socket: BorrowedFd<'_>, name: i32, value: i32) -> io::Result<()> {
    set_option(socket, libc::SOL_PACKET, name, &value)
}

/// `setsockopt` with a plain value: integers and arrays of them only.
fn set_option<T: Copy>(socket: BorrowedFd<'_>, level: libc::c_int, name: libc::c_int, value: &T) -> io::Result<()> {
    let length = size_of::<T>().try_into().map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the pointer and length describe `value`, which the kernel copies before the call returns.
    check(unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, std::ptr::from_ref(value).cast(), length) })
}

/// How much a socket has been given that has not left this machine yet, in the kernel's own measure.
///
/// # Errors
/// As `ioctl`.
pub fn unsent(socket: BorrowedFd<'_>) -> io::Result<usize> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: SIOCOUTQ, which is TIOCOUTQ, writes one int through the pointer.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) })?;
    usize::try_from(bytes).map_err(io::Error::other)
}

/// What [`fork`] returns in each of the two processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forked {
    /// In the old one: the new one's pid.
    Parent(i32),
    /// In the new one.
    Child,
}

/// Makes a copy of this process, which must have no other thread: the copy would wait for their locks for ever.
///
/// # Errors
/// As `fork`.
pub fn fork() -> io::Result<Forked> {
    // SAFETY: without other threads nothing in the copy is in an inconsistent state.
    let pid = unsafe { libc::fork() };
    check(pid)?;
    Ok(if pid == 0 { Forked::Child } else { Forked::Parent(pid) })
}

/// Writes a title over the words this process was started with, which is what `ps` shows; `std::env::args` is not to be
/// asked any more. One that is longer than they were goes on over the environment, which is moved out of its way (there
/// must be no other thread), and ends where that ends.
///
/// # Errors
/// Where the process cannot find or write its words.
pub fn set_title(title: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::FileExt as _;
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // proc(5): fields 48 to 51; the second, in brackets, may hold anything.
    let numbers: Vec<u64> = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest.split_whitespace().map(|word| word.parse().unwrap_or(0)).collect())
        .unwrap_or_default();
    let field =
        |number: usize| numbers.get(number - 3).copied().filter(|address| *address > 0).ok_or(io::ErrorKind::NotFound);
    let (from, to, env_from, env_to) = (field(48)?, field(49)?, field(50)?, field(51)?);
    let size = |end: u64| usize::try_from(end.saturating_sub(from)).unwrap_or(0);
    let room = size(to);
    // The kernel shows what goes on there only where the one follows the other.
    let most = if to == env_from { size(env_to) } else { room };
    let mut text = title[..title.len().min(most.saturating_sub(1))].to_vec();
    if text.len() >= room {
        move_environment();
    }
    text.resize(room.max(text.len() + 1), 0);
    // Through the kernel, which refuses what is not ours to write.
    std::fs::OpenOptions::new().write(true).open("/proc/self/mem")?.write_all_at(&text, from)
}

/// Gives the C library a copy of the environment to use instead of where the kernel put it.
fn move_environment() {
    // SAFETY: without other threads nobody reads the list while it is exchanged. It and its strings end in zero, and the
    // copies are never freed.
    unsafe {
        unsafe extern "C" {
            static mut environ: *const *const libc::c_char;
        }
        let mut copies = Vec::new();
        let mut next = environ;
        while !next.is_null() && !(*next).is_null() {
            copies.push(std::ffi::CStr::from_ptr(*next).to_owned().into_raw().cast_const());
            next = next.add(1);
        }
        copies.push(std::ptr::null());
        environ = copies.leak().as_ptr();
    }
}

/// Has a program started in a session of its own: no terminal, no signals from one.
pub fn in_a_session_of_its_own(command: &mut std::process::Command) {
    use std::os::unix::process::CommandExt as _;
    // SAFETY: the closure makes one system call.
    unsafe { command.pre_exec(|| nix::unistd::setsid().map(drop).map_err(io::Error::from)) };
}

/// Whether this program was started with more rights than its caller has: then his environment is not to be believed.
pub fn has_more_rights_than_its_caller() -> bool {
    // SAFETY: takes no pointers.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// Lets two files on one filesystem change names; a crash leaves either both or neither changed.
///
/// # Errors
/// As `renameat2`: not every filesystem can.
pub fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    let (one, other) = (CString::new(one.as_os_str().as_bytes())?, CString::new(other.as_os_str().as_bytes())?);
    let here = libc::AT_FDCWD;
    // SAFETY: both names end in zero and outlive the call.
    let result =
        unsafe { libc::syscall(libc::SYS_renameat2, here, one.as_ptr(), here, other.as_ptr(), libc::RENAME_EXCHANGE) };
    check(libc::c_int::try_from(result).unwrap_or(-1))
}

/// Gives what is not used at the moment back to the kernel.
pub fn trim_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes no pointers.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Sets how long a watchdog device waits before it resets the machine; returns what the device made of it, in seconds.
///
/// # Errors
/// As `ioctl`: not a watchdog, or a time it cannot measure.
pub fn set_watchdog_timeout(device: BorrowedFd<'_>, seconds: i32) -> io::Result<i32> {
    // linux/watchdog.h: _IOWR('W', 6, int)
    const WDIOC_SETTIMEOUT: libc::c_ulong = 0xc004_5706;
    let mut seconds: libc::c_int = seconds;
    // SAFETY: the request reads and writes one `int`, which outlives the call.
    check(unsafe { libc::ioctl(device.as_raw_fd(), WDIOC_SETTIMEOUT, &raw mut seconds) })?;
    Ok(seconds)
}

/// Has a program started under another user, as a client of ours (`api.md` 5.1): supplementary groups, the signals
/// clients ignore, and a `SIGTERM` when we die.
pub fn start_as(command: &mut std::process::Command, uid: u32, gid: u32, groups: Vec<u32>) {
    use std::os::unix::process::CommandExt as _;
    let become_user = move || {
        // SAFETY: async-signal-safe calls only, on values made before the fork.
        unsafe {
            let same = uid == libc::geteuid() && gid == libc::getegid();
            if !same || uid == 0 {
                check(libc::setgroups(groups.len(), groups.as_ptr()))
                    .or_else(|e| if same { Ok(()) } else { Err(e) })?;
                check(libc::setgid(gid))?;
                check(libc::setuid(uid))?;
            }
            for signal in [libc::SIGINT, libc::SIGPIPE, libc::SIGALRM, libc::SIGTTIN, libc::SIGTTOU] {
                libc::signal(signal, libc::SIG_IGN);
            }
            check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM))
        }
    };
    // SAFETY: the closure only makes system calls (above).
    unsafe { command.pre_exec(become_user) };
}

/// The device a file is on, as kept in memory: a server that does not answer is not asked, but by a kernel before 4.11,
/// which knows no other way. Follows links of `/proc`.
///
/// # Errors
/// As `statx`.
pub fn device_of(path: &Path) -> io::Result<u64> {
    match device_by_statx(path) {
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => Ok(fs::metadata(path)?.dev()),
        device => device,
    }
}

/// By its number: the C library has a function for it since glibc 2.28, and we start with 2.17.
fn device_by_statx(path: &Path) -> io::Result<u64> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    let flags = libc::AT_STATX_DONT_SYNC | libc::AT_NO_AUTOMOUNT;
    // SAFETY: all fields of `statx` are integers; zero is valid for each.
    let mut found: libc::statx = unsafe { std::mem::zeroed() };
    // SAFETY: the name ends in zero and outlives the call, which fills in `found`.
    let done = unsafe { libc::syscall(libc::SYS_statx, libc::AT_FDCWD, name.as_ptr(), flags, 0, &raw mut found) };
    check(i32::try_from(done).unwrap_or(-1))?;
    Ok(libc::makedev(found.stx_dev_major, found.stx_dev_minor))
}

/// The entries of a file's access control list beyond its mode, as the list's mask leaves them: tag, rights, and whose.
/// Empty where there is none, or where the filesystem knows no such thing.
pub fn access_list(file: BorrowedFd<'_>) -> Vec<(u16, u16, u32)> {
    let Ok(path) = CString::new(format!("/proc/self/fd/{}", file.as_raw_fd())) else { return Vec::new() };
    let mut bytes = vec![0_u8; 65_536];
    // SAFETY: both names end in zero, and the kernel writes at most as many bytes as it is told there are.
    let length = unsafe {
        let name = c"system.posix_acl_access";
        libc::getxattr(path.as_ptr(), name.as_ptr(), bytes.as_mut_ptr().cast(), bytes.len())
    };
    bytes.truncate(usize::try_from(length).unwrap_or(0));
    access_entries(&bytes)
}

/// linux/posix_acl_xattr.h: a version, then entries of eight bytes.
fn access_entries(bytes: &[u8]) -> Vec<(u16, u16, u32)> {
    const MASK: u16 = 0x10;
    let entries: Vec<(u16, u16, u32)> = bytes
        .get(4..)
        .unwrap_or_default()
        .chunks_exact(8)
        .map(|entry| {
            let short = |at: usize| u16::from_le_bytes([entry[at], entry[at + 1]]);
            (short(0), short(2), u32::from_le_bytes([entry[4], entry[5], entry[6], entry[7]]))
        })
        .collect();
    let mask = entries.iter().find(|(tag, ..)| *tag == MASK).map_or(u16::MAX, |(_, may, _)| *may);
    entries.into_iter().map(|(tag, may, id)| (tag, may & mask, id)).collect()
}

/// A handle to a process, which never comes to mean another one.
///
/// # Errors
/// `ESRCH` when it has ended, `ENOSYS` before Linux 5.3.
pub fn open_process(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: takes no pointers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = libc::c_int::try_from(fd).unwrap_or(-1);
    check(fd)?;
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sends a signal to the process behind a handle.
///
/// # Errors
/// `ESRCH` when it has ended.
pub fn signal_process(process: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    let nothing: *const libc::siginfo_t = std::ptr::null();
    // SAFETY: no information goes with the signal; the kernel takes a null pointer for that.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), signal, nothing, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sends a signal to the process group of the process behind a handle.
///
/// # Errors
/// `ESRCH` when it has ended, `EINVAL` before Linux 6.9.
pub fn signal_process_group(process: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    // linux/pidfd.h
    const PIDFD_SIGNAL_PROCESS_GROUP: libc::c_uint = 1 << 2;
    let (fd, nothing): (_, *const libc::siginfo_t) = (process.as_raw_fd(), std::ptr::null());
    // SAFETY: no information goes with the signal; the kernel takes a null pointer for that.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, nothing, PIDFD_SIGNAL_PROCESS_GROUP) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Turns the C library's -1 into its error.
fn check(result: libc::c_int) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_address_has_the_size_and_family_of_a_sockaddr_ll() {
        let address = packet_address(7, 0x0806, &[0xff; 6]).unwrap();
        assert_eq!(i32::from(address.family()), libc::AF_PACKET);
        assert_eq!(usize::try_from(address.len()).unwrap(), size_of::<libc::sockaddr_ll>());
    }

    #[test]
    fn a_file_is_on_the_device_stat_says() {
        use std::os::unix::fs::MetadataExt as _;
        let path = Path::new("/proc/self/exe");
        assert_eq!(device_of(path).unwrap(), std::fs::metadata(path).unwrap().dev());
    }

    #[test]
    fn a_process_that_ended_cannot_be_opened_and_a_signal_does_not_go_astray() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let handle = open_process(child.id().cast_signed()).unwrap();
        signal_process(handle.as_fd(), libc::SIGKILL).unwrap();
        child.wait().unwrap();
        assert_eq!(signal_process(handle.as_fd(), libc::SIGKILL).unwrap_err().raw_os_error(), Some(libc::ESRCH));
    }

    #[test]
    fn an_access_list_gives_no_more_than_its_mask() {
        let list = |mask: u8| {
            let entry = |tag: u8, may: u8, id: u32| [&[tag, 0, may, 0], id.to_le_bytes().as_slice()].concat();
            let none = u32::MAX;
            [vec![2, 0, 0, 0], entry(1, 6, none), entry(2, 6, 1000), entry(4, 4, none), entry(16, mask, none)].concat()
        };
        let user = |mask| access_entries(&list(mask)).into_iter().find(|(tag, ..)| *tag == 2);
        assert_eq!((user(7), user(4)), (Some((2, 6, 1000)), Some((2, 4, 1000))));
        assert!(access_entries(&[]).is_empty() && access_entries(&[2, 0, 0, 0, 1]).is_empty());
        assert!(access_list(std::fs::File::open("/proc/self/exe").unwrap().as_fd()).iter().all(|entry| entry.0 != 2));
    }

    #[test]
    fn a_realtime_priority_out_of_range_is_an_error() {
        assert!(set_realtime(1000).is_err());
    }
}

/// A moment as the clock on the wall shows it, in the machine's time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// Full year.
    pub year: i32,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 60.
    pub second: u8,
}

impl LocalTime {
    /// `Jan` to `Dec`.
    pub fn month_name(self) -> &'static str {
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        MONTHS.get(usize::from(self.month).wrapping_sub(1)).unwrap_or(&"???")
    }

    /// `Nov 21 08:15:32`, as syslog wants it.
    pub fn stamp(self) -> String {
        format!("{} {:02} {:02}:{:02}:{:02}", self.month_name(), self.day, self.hour, self.minute, self.second)
    }
}

/// Converts seconds since 1970 to local time.
pub fn local_time(seconds: u64) -> LocalTime {
    let seconds = libc::time_t::try_from(seconds).unwrap_or(0);
    // SAFETY: all fields of `tm` are integers and a pointer; zero is valid for each.
    let mut tm: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live local values; a failure leaves `tm` zeroed, which is harmless.
    unsafe { libc::localtime_r(&raw const seconds, &raw mut tm) };
    let small = |value: libc::c_int| u8::try_from(value).unwrap_or(0);
    LocalTime {
        year: tm.tm_year.saturating_add(1900),
        month: small(tm.tm_mon.saturating_add(1)),
        day: small(tm.tm_mday),
        hour: small(tm.tm_hour),
        minute: small(tm.tm_min),
        second: small(tm.tm_sec),
    }
}

/// Keeps every page in memory from its first use on.
///
/// Only touched pages: locking whole mappings would fault in the entire executable and stack for nothing.
///
/// # Errors
/// `EPERM` or `ENOMEM` where the limit of locked memory is too small, `EINVAL` before Linux 4.4.
pub fn lock_touched_memory() -> io::Result<()> {
    // SAFETY: takes no pointers.
    check(unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE | libc::MCL_ONFAULT) })
}

/// Lets all threads share one heap: a second thread that hardly allocates is not worth a heap of its own in locked memory.
pub fn share_one_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes no pointers; called before there is another thread.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// Gives the pages of the heap in which nothing lies any more back to the kernel.
pub fn give_back_unused_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes no pointers, and touches only what is free.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Marks every descriptor above the standard three to be closed in what we start: a parent may have left us some.
///
/// # Errors
/// `ENOSYS` before Linux 5.11.
pub fn keep_descriptors_from_children() -> io::Result<()> {
    // SAFETY: changes a flag of descriptors; none is closed in this process.
    let result = unsafe { libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
