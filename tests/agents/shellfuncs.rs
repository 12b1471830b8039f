//! `shellfuncs` as it is installed: what a script that sources it by hand finds around it, on machines laid out as the old
//! packages do.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::bench::on_a_bench;

const PLACES: [&str; 5] = [
    "/usr/libexec/heartbeat",
    "/usr/lib64/heartbeat",
    "/usr/lib/heartbeat",
    "/usr/share/heartbeat",
    "/usr/local/lib/heartbeat",
];

/// What it exports on a machine with these programs, sourced with these variables.
fn exported(programs: &[&str], given: &[(&str, &str)]) -> Vec<String> {
    for place in PLACES {
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    for program in programs {
        fs::write(program, "#!/bin/sh\n").unwrap();
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("etc/ha.d/shellfuncs");
    let output = Command::new("sh")
        .args(["-c", ". \"$1\" && . \"$1\" && env", "sh"])
        .arg(file)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .envs(given.iter().copied())
        .output()
        .unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let names = ["HA_BIN=", "HA_NOARCHBIN=", "LANG", "LC_", "PATH="];
    let mut lines: Vec<String> =
        text.lines().filter(|line| names.iter().any(|name| line.starts_with(name))).map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn shellfuncs_leads_to_what_is_there_and_speaks_english() {
    on_a_bench("shellfuncs::shellfuncs_leads_to_what_is_there_and_speaks_english", || {
        // The machine's own stay out of sight.
        let tmpfs = |dir: &str| Command::new("mount").args(["-t", "tmpfs", "bench", dir]).status().unwrap().success();
        for place in PLACES {
            if !Path::new(place).is_dir() {
                let parent = Path::new(place).parent().unwrap();
                let (upper, work) = (format!("/run{place}/upper"), format!("/run{place}/work"));
                assert!(Path::new("/run/bench").is_dir() || (tmpfs("/run") && fs::create_dir("/run/bench").is_ok()));
                [&upper, &work].into_iter().for_each(|dir| fs::create_dir_all(dir).unwrap());
                let options = format!("lowerdir={},upperdir={upper},workdir={work}", parent.display());
                let laid =
                    Command::new("mount").args(["-t", "overlay", "overlay", "-o", &options]).arg(parent).status();
                if !laid.unwrap().success() {
                    return eprintln!("not tested: no overlay over {}", parent.display());
                }
                fs::create_dir(place).unwrap();
            }
            assert!(tmpfs(place), "{place}");
        }
        let spanish = [("LANG", "es_ES.UTF-8"), ("LANGUAGE", "es"), ("LC_ALL", "es_ES.UTF-8")];
        let debian_12 = ["/usr/libexec/heartbeat/findif", "/usr/lib/heartbeat/lrmd", "/usr/share/heartbeat/mach_down"];
        let told = [
            "HA_BIN=/usr/libexec/heartbeat",
            "HA_NOARCHBIN=/usr/share/heartbeat",
            "LC_ALL=C",
            "PATH=/usr/libexec/heartbeat:/usr/share/heartbeat:/usr/bin:/bin",
        ];
        assert_eq!(exported(&debian_12, &spanish), told);
        let centos_5 = ["/usr/lib64/heartbeat/send_arp", "/usr/lib/heartbeat/mlock"];
        let path = "PATH=/usr/lib64/heartbeat:/usr/bin:/bin";
        assert_eq!(exported(&centos_5, &[]), ["HA_BIN=/usr/lib64/heartbeat", "LC_ALL=C", path]);
        let before_2_1_2 = ["/usr/lib/heartbeat/findif", "/usr/lib/heartbeat/hb_standby"];
        let path = "PATH=/usr/lib/heartbeat:/usr/bin:/bin";
        let both = ["HA_BIN=/usr/lib/heartbeat", "HA_NOARCHBIN=/usr/lib/heartbeat", "LC_ALL=C", path];
        assert_eq!(exported(&before_2_1_2, &[]), both);
        let by_hand = exported(&["/usr/local/lib/heartbeat/findif"], &[]);
        assert_eq!(by_hand[0], "HA_BIN=/usr/local/lib/heartbeat");
        assert_eq!(exported(&["/usr/lib/heartbeat/lrmd"], &[]), ["LC_ALL=C", "PATH=/usr/bin:/bin"]);
        let given = [("HA_BIN", "/opt/bin"), ("HA_NOARCHBIN", "/opt/share")];
        let path = "PATH=/opt/bin:/opt/share:/usr/bin:/bin";
        let stays = ["HA_BIN=/opt/bin", "HA_NOARCHBIN=/opt/share", "LC_ALL=C", path];
        assert_eq!(exported(&debian_12, &given), stays);
    });
}
