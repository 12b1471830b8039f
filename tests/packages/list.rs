//! What a package holds, as its own program lists it, and what `pkg/manifest` says it should: lines `mode owner path`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Which package: they differ in the place of the unit, and in what makes the links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Deb,
    Rpm,
    Tar,
}

/// What the manifest says of this package.
pub(crate) fn wanted(kind: Kind) -> BTreeSet<String> {
    let manifest = fs::read_to_string("pkg/manifest").unwrap();
    let units = if kind == Kind::Deb { "/lib/systemd/system" } else { "/usr/lib/systemd/system" };
    let mut all = BTreeSet::new();
    for line in manifest.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [what, mode, owner, path, source, ..] = words[..] else { panic!("pkg/manifest: {line}") };
        let path = path.replace("UNITS", units);
        let mut add = |path: &str| all.insert(format!("{mode} {owner} {path}"));
        match what {
            "spare" | "dir" => {}
            "link" if kind == Kind::Rpm => {}
            "debfile" if kind != Kind::Deb => {}
            "etc" | "ours" => {
                add(&path.replacen("/etc/", "/usr/share/latido/etc/", 1));
            }
            "doc" if source.ends_with("/**") => {
                let from = source.trim_end_matches("**");
                let files = run("git", &["ls-files", "--", from]).unwrap();
                for file in files.lines() {
                    add(&format!("{path}{}", file.strip_prefix(from).unwrap()));
                }
            }
            "program" | "file" | "debfile" | "conffile" | "generated" | "so" | "doc" | "link" => {
                add(&path);
            }
            other => panic!("pkg/manifest: unknown kind {other}"),
        }
    }
    all
}

/// What is in the package; an error when the program that lists it is not there.
pub(crate) fn held(kind: Kind, file: &Path) -> Result<BTreeSet<String>, String> {
    let file = file.to_str().unwrap();
    let text = match kind {
        Kind::Deb => run("dpkg-deb", &["-c", file])?,
        Kind::Rpm => run(
            "rpm",
            &["-qp", "--qf", "[%{FILEMODES:perms} %{FILEUSERNAME}/%{FILEGROUPNAME} 0 0 0 %{FILENAMES}\\n]", file],
        )?,
        Kind::Tar => run("tar", &["-tvzf", file])?,
    };
    let mut all = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('d')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let mode = if words[0].starts_with('l') { 0o777 } else { octal(words[0]) };
        let path = words[5].trim_start_matches('.');
        let path = match kind {
            Kind::Tar => match path.split_once("/root/") {
                Some((_, below)) => format!("/{below}"),
                None => continue,
            },
            Kind::Deb | Kind::Rpm => path.to_owned(),
        };
        // Written by cargo-deb itself.
        if kind == Kind::Deb
            && ["copyright", "changelog.Debian.gz"].iter().any(|name| path.ends_with(&format!("doc/latido/{name}")))
        {
            continue;
        }
        let owner = words[1].replace("0/0", "root:root").replace('/', ":");
        all.insert(format!("{mode:o} {owner} {path}"));
    }
    // Links of the tar.gz are in its list of files: made at installation.
    if kind == Kind::Tar {
        let top = text.lines().next().and_then(|line| line.split_whitespace().nth(5)).unwrap_or_default();
        let files = run("tar", &["-xOzf", file, &format!("{top}files")])?;
        let links = files.lines().filter_map(|line| line.strip_prefix("link 777 "));
        all.extend(links.map(|line| format!("777 root:root {}", line.split(' ').next().unwrap())));
    }
    Ok(all)
}

/// `-rwxr-xr-x`
fn octal(perms: &str) -> u32 {
    perms.chars().skip(1).fold(0, |mode, c| mode << 1 | u32::from(c != '-'))
}

/// What a program prints.
pub(crate) fn run(program: &str, args: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(args).output().map_err(|error| format!("{program}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
