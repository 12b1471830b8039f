//! Running the fencing devices (`resources.md` 7): plugins of cluster-glue through its `stonith` program, or a command.
//!
//! Parameters are often passwords: a plugin gets them in a file of mode 600, never on a command line others can read.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::{FenceDevice, STONITH_PROGRAMS, plugin_of};
use crate::daemon::life::identity::random_seed;
use crate::daemon::programs::children::Ended;
use crate::haresources::Outcome;
use crate::host::lookup::Call;
use crate::host::script::Output;
use crate::host::trust;
use crate::names::{JobId, NodeName};

use super::Driver;

impl Driver {
    /// Makes sure that a node is off.
    pub(crate) fn fence(&mut self, job: JobId, device: usize, node: &NodeName, limit: Duration) {
        self.run_device(job, device, Some(node), limit);
    }

    /// Asks a device whether it would work; a plain command cannot be asked more than whether it is there.
    pub(super) fn check_fence(&mut self, job: JobId, device: usize, limit: Duration) {
        self.run_device(job, device, None, limit);
    }

    fn run_device(&mut self, job: JobId, device: usize, node: Option<&NodeName>, limit: Duration) {
        let started = self.call_of_device(device, node).and_then(|(call, file)| {
            let Some(call) = call else {
                self.soon_done(job, Outcome::code(0));
                return Ok(());
            };
            let program = call.program.to_string_lossy().into_owned();
            let ended = move |outcome| {
                drop(file);
                Ended::Resource(job, outcome)
            };
            let environment = self.environment.in_their_language();
            let result = self.children.start_job(job, &call, Output::Log, limit, &environment, ended);
            result.map(drop).map_err(|error| format!("cannot run {program}: {error}"))
        });
        if let Err(why) = started {
            self.log.error(&why);
            self.soon_done(job, Outcome::not_found(why));
        }
    }

    /// What to run, and the file it reads, which lives as long as the run.
    fn call_of_device(
        &self,
        device: usize,
        node: Option<&NodeName>,
    ) -> Result<(Option<Call>, Option<Private>), String> {
        let Some(device) = self.config.fences.get(device) else { return Err("no such fencing device".to_owned()) };
        let (kind, file, private) = match device {
            FenceDevice::Command(words) => return command(words, node).map(|call| (call, None)),
            FenceDevice::File { device, file } => (device, PathBuf::from(file), None),
            FenceDevice::Parameters { device, parameters } => {
                let private = Private::write(&self.options.paths.own_dir, parameters)
                    .map_err(|error| format!("no file for the parameters of the {device} device: {error}"))?;
                (device, private.0.clone(), Some(private))
            }
        };
        let program = STONITH_PROGRAMS.iter().map(Path::new).find(|path| path.exists());
        let program = program.ok_or("there is no program stonith: install cluster-glue, or use fence COMMAND")?;
        trust::refuse(program)?;
        // It runs the plugin, and believes the file, as root.
        let file_of_his = private.is_none().then(|| file.clone());
        for path in plugin_of(kind).map(PathBuf::from).iter().chain(&file_of_his) {
            if let Ok(trust::FoundAt::Exposed(exposed)) = trust::walk(path) {
                return Err(format!("the {kind} device is not used: {exposed} ({})", exposed.remedy()));
            }
        }
        let mut arguments = vec!["-t".into(), kind.into(), "-F".into(), file.into_os_string()];
        match node {
            Some(node) => arguments.extend(["-T".into(), "reset".into(), node.as_str().into()]),
            None => arguments.push("-S".into()),
        }
        Ok((Some(Call { program: program.into(), name: None, arguments }), private))
    }
}

fn command(words: &[String], node: Option<&NodeName>) -> Result<Option<Call>, String> {
    let Some((program, rest)) = words.split_first() else { return Err("an empty fencing command".to_owned()) };
    if trust::program(Path::new(program)).map_err(|refusal| refusal.to_string())?.is_none() {
        return Err(format!("the fencing command {program} does not exist or cannot be run"));
    }
    let Some(node) = node else { return Ok(None) };
    let arguments = rest.iter().map(|word| word.replace("%n", node.as_str()).into()).collect();
    Ok(Some(Call { program: program.into(), name: None, arguments }))
}

/// A file only root may read, removed with this value.
#[derive(Debug)]
struct Private(PathBuf);

impl Private {
    fn write(dir: &Path, text: &str) -> io::Result<Private> {
        let path = dir.join(format!("fence-{:016x}", random_seed()?));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let private = Private(path);
        writeln!(file, "{text}")?;
        Ok(private)
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
