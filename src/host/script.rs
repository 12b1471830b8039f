//! Running scripts (`resources.md` 3.2, 3.3): in a process group of their own, with a time limit, without a descriptor
//! of ours. What a script does is not looked at; how it ended becomes an [`Ended`].

use std::io::{self, PipeReader, Read};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::unix::AsyncFd;
use tokio::process::Child;
use tokio::time::{sleep, timeout};

use crate::amount;
use crate::haresources::{Exit, Outcome};

use super::environment::Environment;
use super::lookup::Call;

/// Most of a script's words we keep.
const MOST_SAID: usize = 65_536;
/// Between the request to end and the end.
const TIME_TO_END: Duration = Duration::from_secs(2);

/// What a script's standard output is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// The debug log.
    Log,
    /// Kept, up to 64 kB: it decides (`status`).
    Kept,
    /// Kept together with its errors: what our own agents do belongs into the log.
    All,
}

/// Runs one script and waits for its end, at most `limit`; then its whole process group is ended.
///
/// # Errors
/// When it cannot be run at all.
pub(crate) async fn run_alone(
    call: &Call,
    output: Output,
    limit: Duration,
    environment: &Environment,
) -> io::Result<Outcome> {
    let words: Vec<_> = call.arguments.iter().map(|word| word.to_string_lossy()).collect();
    log::debug!("running {} {}, at most {}", call.program.to_string_lossy(), words.join(" "), amount::exact(limit));
    let (child, words) = spawn(call, output, environment)?;
    Ok(supervise(child, words, limit, std::future::pending()).await)
}

pub(crate) fn spawn(call: &Call, output: Output, environment: &Environment) -> io::Result<(Child, Option<Words>)> {
    match spawn_program(call, output, environment) {
        // A script without a `#!` line: a shell runs it, as the original's shell did.
        Err(error) if error.raw_os_error() == Some(libc::ENOEXEC) => {
            let arguments = [&call.program].into_iter().chain(&call.arguments).cloned().collect();
            spawn_program(&Call { program: "/bin/sh".into(), name: None, arguments }, output, environment)
        }
        result => result,
    }
}

/// Everything here keeps `std` on its `posix_spawn` path: our memory is neither copied nor counted twice.
fn spawn_program(call: &Call, output: Output, environment: &Environment) -> io::Result<(Child, Option<Words>)> {
    let log = environment.log.writer()?;
    let mut command = Command::new(&call.program);
    command
        .args(&call.arguments)
        .env_clear()
        .envs(environment.variables())
        .current_dir(&environment.directory)
        .stdin(Stdio::null())
        .stderr(log.try_clone()?)
        .process_group(0);
    if let Some(name) = &call.name {
        command.arg0(name);
    }
    let words = match output {
        Output::Log => {
            command.stdout(log);
            None
        }
        Output::Kept | Output::All => {
            let (reader, writer) = io::pipe()?;
            if output == Output::All {
                command.stderr(writer.try_clone()?);
            }
            command.stdout(writer);
            Some(Words::new(reader)?)
        }
    };
    let child = with_core_files(environment.core_files, || tokio::process::Command::from(command).spawn())?;
    Ok((child, words))
}

/// What a script may write of core files is not for us: ours would hold the keys. It inherits our limit, which is
/// another one for that moment.
pub(crate) fn with_core_files<T>(allowed: Option<bool>, spawn: impl FnOnce() -> T) -> T {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_CORE) else { return spawn() };
    let wanted = allowed.map_or(soft, |allowed| if allowed { hard } else { 0 });
    if wanted == soft || setrlimit(Resource::RLIMIT_CORE, wanted, hard).is_err() {
        return spawn();
    }
    let spawned = spawn();
    let _ = setrlimit(Resource::RLIMIT_CORE, soft, hard);
    spawned
}

/// What a script prints, collected while it runs so that it never waits for us.
pub(crate) struct Words {
    pipe: AsyncFd<PipeReader>,
    kept: Vec<u8>,
}

impl Words {
    fn new(pipe: PipeReader) -> io::Result<Words> {
        fcntl(pipe.as_fd(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Words { pipe: crate::sys::watch(pipe, tokio::io::Interest::READABLE)?, kept: Vec::new() })
    }

    /// Reads until nobody holds the writing end any more; a daemon started by the script may hold it for ever.
    async fn read_on(&mut self) {
        loop {
            let Ok(mut ready) = self.pipe.readable().await else { return };
            let mut chunk = [0; 4096];
            match ready.try_io(|pipe| pipe.get_ref().read(&mut chunk)) {
                Ok(Ok(0) | Err(_)) => return,
                Ok(Ok(read)) => keep(&mut self.kept, &chunk[..read]),
                Err(_) => {}
            }
        }
    }

    /// What the script had printed when it ended.
    fn finish(mut self) -> String {
        let mut chunk = [0; 4096];
        // The pipe holds no more than this; a writer that is still busy must not keep us.
        for _ in 0..16 {
            match self.pipe.get_ref().read(&mut chunk) {
                Ok(0) | Err(_) => break,
                Ok(read) => keep(&mut self.kept, &chunk[..read]),
            }
        }
        String::from_utf8_lossy(&self.kept).into_owned()
    }
}

fn keep(kept: &mut Vec<u8>, chunk: &[u8]) {
    let room = MOST_SAID.saturating_sub(kept.len());
    kept.extend_from_slice(&chunk[..chunk.len().min(room)]);
}

pub(crate) async fn supervise(
    mut child: Child,
    mut words: Option<Words>,
    limit: Duration,
    cancelled: impl Future<Output = ()> + Send,
) -> Outcome {
    let ended = tokio::select! {
        ended = timeout(limit, wait(&mut child, words.as_mut())) => ended.ok(),
        () = cancelled => None,
    };
    let exit = match ended {
        Some(Ok(status)) => exit_of(status),
        Some(Err(error)) => Exit::NotFound(format!("its end could not be awaited: {error}")),
        None => {
            end_group(&mut child).await;
            Exit::TimedOut
        }
    };
    Outcome { exit, said: words.map(Words::finish).unwrap_or_default() }
}

async fn wait(child: &mut Child, words: Option<&mut Words>) -> io::Result<ExitStatus> {
    let Some(words) = words else { return child.wait().await };
    tokio::select! {
        status = child.wait() => status,
        () = async { words.read_on().await; std::future::pending().await } => unreachable!("pending never ends"),
    }
}

fn exit_of(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Code(1),
    }
}

/// Asks the script and all it started to end, then ends them: also when the script itself has gone already.
async fn end_group(child: &mut Child) {
    let Some(group) = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw) else { return };
    let _ = killpg(group, Signal::SIGTERM);
    let everybody_gone = async {
        let _ = child.wait().await;
        while killpg(group, None).is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    if timeout(TIME_TO_END, everybody_gone).await.is_err() {
        let _ = killpg(group, Signal::SIGKILL);
        // Something in the kernel may hold it still; the resource counts as failed either way.
        let _ = timeout(TIME_TO_END, child.wait()).await;
    }
}

#[cfg(test)]
mod tests;
