//! Which program am I: a subcommand of `latido`, or the old name this executable was called by.

fn main() -> std::process::ExitCode {
    latido::cli::main()
}
