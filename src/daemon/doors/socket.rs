//! Listening sockets at a path, made with their owner and mode: made in our own directory, where nobody else may touch
//! them, and moved from there to where they are looked for (`files.md`).
//!
//! A mode or an owner given afterwards and by name would, in a directory of others, be given to whatever lies there by
//! then: the password file, for one.

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::{PermissionsExt as _, lchown};
use std::os::unix::net;
use std::path::Path;

use nix::sys::stat::{Mode, fchmod, umask};
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::UnixListener;

use crate::host::files;

/// Listens at `place`, in a socket of this mode that may belong to a group; `own_dir` is a directory only root may write
/// into. Must be called inside the runtime.
///
/// # Errors
/// As `bind` and `rename`: also where a directory lies there.
pub(crate) fn listen(
    place: &Path,
    own_dir: &Path,
    mode: u32,
    group: Option<u32>,
    most: i32,
) -> io::Result<UnixListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking().cloexec(), None)?;
    let draft = own_dir.join("new");
    files::remove_leftover(&draft)?;
    // The kernel makes the file with this mode, less the umask: nobody gets in before it is finished.
    fchmod(socket.as_fd(), Mode::from_bits_truncate(0o600))?;
    socket.bind(&SockAddr::unix(&draft)?)?;
    let finish = || {
        // Where that cannot be done only the owner can ask, which is right for a lab.
        let _ = group.map(|group| lchown(&draft, None, Some(group)));
        fs::set_permissions(&draft, Permissions::from_mode(mode))?;
        socket.listen(most)?;
        fs::rename(&draft, place)
    };
    let socket = match finish() {
        Ok(()) => socket,
        Err(error) => {
            let _ = fs::remove_file(&draft);
            if error.kind() != io::ErrorKind::CrossesDevices {
                return Err(error);
            }
            bind_there(place, mode, most)?
        }
    };
    UnixListener::from_std(net::UnixListener::from(OwnedFd::from(socket)))
}

/// Where nothing can be moved: on another filesystem. Made with its mode, for which the umask stands back.
fn bind_there(place: &Path, mode: u32, most: i32) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking().cloexec(), None)?;
    files::remove_leftover(place)?;
    fchmod(socket.as_fd(), Mode::from_bits_truncate(mode))?;
    let before = umask(Mode::empty());
    let bound = SockAddr::unix(place).and_then(|address| socket.bind(&address));
    umask(before);
    bound?;
    socket.listen(most)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, symlink};

    use super::*;

    #[tokio::test]
    async fn a_socket_has_its_mode_and_what_lay_there_is_replaced_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (own, there) = (dir.path().join("own"), dir.path().join("there"));
        fs::create_dir(&own).unwrap();
        fs::create_dir(&there).unwrap();
        let (bait, place) = (dir.path().join("bait"), there.join("register"));
        fs::write(&bait, "bait").unwrap();
        fs::set_permissions(&bait, Permissions::from_mode(0o600)).unwrap();
        for _ in 0..2 {
            symlink(&bait, &place).unwrap();
            symlink(&bait, own.join("new")).unwrap();
            let _listener = listen(&place, &own, 0o777, None, 5).unwrap();
            assert_eq!(fs::symlink_metadata(&place).unwrap().mode() & 0o7777, 0o777);
            tokio::net::UnixStream::connect(&place).await.unwrap();
            fs::remove_file(&place).unwrap();
        }
        assert_eq!(fs::metadata(&bait).unwrap().mode() & 0o7777, 0o600);
        assert_eq!(fs::read_dir(&own).unwrap().count(), 0);
        fs::create_dir(&place).unwrap();
        assert!(listen(&place, &own, 0o777, None, 5).is_err());
        assert!(bind_there(&place, 0o777, 5).is_err());
        fs::remove_dir(&place).unwrap();
        symlink(&bait, &place).unwrap();
        bind_there(&place, 0o777, 5).unwrap();
        assert_eq!(fs::symlink_metadata(&place).unwrap().mode() & 0o7777, 0o777);
        assert_eq!(fs::metadata(&bait).unwrap().mode() & 0o7777, 0o600);
    }
}
