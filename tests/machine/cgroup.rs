//! The cgroup of each machine: systemd takes the one it is started in for its root, so each has its own. And what a run has
//! left behind of them.

use std::fs;
use std::path::{Path, PathBuf};

/// The directories of machines and their cgroups are called this, and by the pid of whoever made them.
const NAME: &str = "latido-machine";

/// What the directories and cgroups of this run begin with.
pub(crate) fn prefix() -> String {
    format!("{NAME}-{}-", std::process::id())
}

/// The cgroup hierarchies systemd uses: with version 1 its own and perhaps an empty one of version 2.
pub(crate) fn trees() -> Vec<PathBuf> {
    let all = Path::new("/sys/fs/cgroup");
    let version_1 = ["systemd", "unified"].map(|tree| all.join(tree));
    let mut trees: Vec<PathBuf> = version_1.into_iter().filter(|tree| tree.join("cgroup.procs").exists()).collect();
    if trees.is_empty() && all.join("cgroup.procs").exists() {
        trees.push(all.to_owned());
    }
    trees
}

/// The cgroups of the machine with this directory.
pub(crate) fn of(dir: &Path) -> Vec<PathBuf> {
    trees().into_iter().map(|tree| tree.join(dir.file_name().unwrap_or_default())).collect()
}

/// Removes a cgroup with all below it; `false` when something still runs there.
pub(crate) fn remove(path: &Path) -> bool {
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    let _ = fs::remove_dir(path);
    !path.exists()
}

/// Takes away what a run left that was killed.
pub(crate) fn sweep() {
    let is_left = |path: &PathBuf| {
        let maker = path.file_name().and_then(|name| name.to_str()?.split('-').nth(2)?.parse::<u32>().ok());
        maker.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists())
    };
    for path in ours(trees()).into_iter().filter(is_left) {
        remove(&path);
    }
    for path in ours(vec![std::env::temp_dir()]).into_iter().filter(is_left) {
        let _ = fs::remove_dir_all(path);
    }
}

/// What this run has left behind, in words: nothing, when it is well.
pub(crate) fn left_behind() -> Vec<String> {
    let own = prefix();
    let is_own = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&own));
    let cgroups = ours(trees())
        .into_iter()
        .chain(ours(vec![std::env::temp_dir()]))
        .filter(is_own)
        .map(|path| format!("{} is left behind", path.display()));
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mounts = mounts.lines().filter(|line| line.contains("latido-machine-")).map(|line| format!("mounted: {line}"));
    cgroups.chain(mounts.collect::<Vec<_>>()).collect()
}

fn ours(places: Vec<PathBuf>) -> Vec<PathBuf> {
    let below = places.into_iter().flat_map(|tree| fs::read_dir(tree).into_iter().flatten().flatten());
    let named = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(NAME));
    below.map(|entry| entry.path()).filter(named).collect()
}
