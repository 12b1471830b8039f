//! `latido completions SHELL`: the commands and options of `latido` for bash, zsh and fish, from the same definitions
//! that read them.

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Arg, Command, CommandFactory as _, ValueEnum};

use super::Latido;

/// Options of `latido completions`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  latido completions bash > /usr/share/bash-completion/completions/latido
  latido completions zsh > /usr/share/zsh/vendor-completions/_latido
  latido completions fish > /usr/share/fish/vendor_completions.d/latido.fish")]
pub(super) struct Args {
    /// For which shell
    #[arg(value_enum)]
    shell: Shell,
}

/// The shells people use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Shell {
    /// Bash 4 or later
    Bash,
    /// Zsh
    Zsh,
    /// Fish
    Fish,
}

/// Prints the script.
pub(super) fn run(args: &Args) -> ExitCode {
    let shell = match args.shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut visible(&Latido::command()), "latido", &mut script);
    match std::io::stdout().lock().write_all(&script) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain!("latido completions: cannot write: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The same without what is hidden, which the generators would offer.
fn visible(command: &Command) -> Command {
    let shown: Vec<&Arg> = command.get_arguments().filter(|arg| !arg.is_hide_set()).collect();
    let below = command.get_subcommands().filter(|command| !command.is_hide_set()).map(visible);
    // Clap wants names that live as long as the program, which ends here.
    let name: &'static str = command.get_name().to_owned().leak();
    Command::new(name)
        .about(command.get_about().cloned().unwrap_or_default())
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_subcommand(true)
        .disable_version_flag(command.get_version().is_none())
        .args(shown)
        .subcommands(below)
}
