//! What is wrong with a setting that stands in the environment, by the name it has there.

use std::error::Error as _;

use clap::CommandFactory as _;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::{Cli, ConfigError};

/// Returns the refusal of a value that came from the environment: a parser of command lines names the
/// flag alone, which nobody wrote.
pub(super) fn of_environment(error: &clap::Error) -> Option<ConfigError> {
    if !matches!(error.kind(), ErrorKind::ValueValidation | ErrorKind::InvalidValue) {
        return None;
    }
    let Some(ContextValue::String(named)) = error.get(ContextKind::InvalidArg) else { return None };
    let flag = named.split_whitespace().next()?.strip_prefix("--")?;
    let variable = variable_of(flag)?;
    let value = std::env::var(&variable).ok()?;
    let is_on_command_line =
        std::env::args().any(|argument| argument.trim_start_matches('-').starts_with(flag));
    if is_on_command_line {
        return None;
    }
    let why =
        error.source().map_or_else(|| "is none of its values".to_owned(), ToString::to_string);
    let setting = format!("{variable} (--{flag}) is {value:?}");
    Some(ConfigError::Unreadable { setting, why })
}

/// Returns the name that a flag has in the environment, whichever command it belongs to.
fn variable_of(flag: &str) -> Option<String> {
    let cli = Cli::command();
    let commands = std::iter::once(&cli).chain(cli.get_subcommands());
    let mut arguments = commands.flat_map(clap::Command::get_arguments);
    let argument = arguments.find(|argument| argument.get_long() == Some(flag))?;
    argument.get_env().map(|name| name.to_string_lossy().into_owned())
}
