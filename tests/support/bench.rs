//! A bench for a test: processes, mounts and network of its own, all of which vanish with it. The test's program starts
//! itself again on one (`latido lab --inner run`), as root or in a user namespace.

use std::process::Command;

use crate::steady;

const LATIDO: &str = env!("CARGO_BIN_EXE_latido");
const ON_BENCH: &str = "LATIDO_TEST_ON_BENCH";

/// Runs the body on a bench; `name` is the test's. Where the kernel gives no namespaces, it says so and passes.
pub(crate) fn on_a_bench(name: &str, body: fn()) {
    if is_on_a_bench() {
        return body();
    }
    steady::on_a_steady_machine(|| {
        let output = again(name).arg("--test-threads=1").output().unwrap();
        let said = [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat();
        if output.status.code() == Some(2) {
            return eprintln!("not tested: {said}");
        }
        assert!(output.status.success(), "{said}");
        eprintln!("{said}");
    });
}

/// Whether this program was started by [`again`].
pub(crate) fn is_on_a_bench() -> bool {
    std::env::var_os(ON_BENCH).is_some()
}

/// This program once more, on a bench, with this test alone.
pub(crate) fn again(name: &str) -> Command {
    let mut command = Command::new(LATIDO);
    command.args(["lab", "--inner", "run", "--"]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture"]).env(ON_BENCH, "1");
    command
}
