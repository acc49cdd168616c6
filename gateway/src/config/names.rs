//! The names in the environment that carry our prefix.

use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::CommandFactory as _;

use super::{Cli, ConfigError};
use crate::suggest;

const PREFIX: &str = "RINGMASTER_";

/// Refuses the first name that carries our prefix and is none of ours: a misspelt setting would
/// otherwise be the default, silently.
pub(super) fn refuse_unknown(names: impl Iterator<Item = OsString>) -> Result<(), ConfigError> {
    let known = known();
    for name in names {
        let name = name.to_string_lossy();
        if name.starts_with(PREFIX) && !known.contains(name.as_ref()) {
            let hint = suggest::hint(&name, known.iter().map(String::as_str));
            return Err(ConfigError::UnknownName { name: name.into_owned(), hint });
        }
    }
    Ok(())
}

/// Returns the names of all settings, of every command.
fn known() -> BTreeSet<String> {
    let cli = Cli::command();
    let commands = std::iter::once(&cli).chain(cli.get_subcommands());
    let arguments = commands.flat_map(clap::Command::get_arguments);
    let names = arguments.filter_map(|argument| argument.get_env());
    names.map(|name| name.to_string_lossy().into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str) -> Result<(), ConfigError> {
        refuse_unknown([OsString::from(name)].into_iter())
    }

    #[test]
    fn misspelt_setting_is_refused_with_what_was_meant() {
        let error = check("RINGMASTER_LITSEN").unwrap_err();
        assert_eq!(
            error.to_string(),
            "no such setting: RINGMASTER_LITSEN, did you mean `RINGMASTER_LISTEN`?"
        );
    }

    #[test]
    fn known_names_and_other_prefixes_pass() {
        for name in ["RINGMASTER_HOME", "RINGMASTER_SERVER", "RINGMASTERLY", "HOME"] {
            assert!(check(name).is_ok(), "{name}");
        }
    }
}
