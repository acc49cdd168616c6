//! Secrets: from the environment or from a file, and never empty.

use std::fs;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

use super::ConfigError;

/// A secret as it was given.
pub(super) struct Given {
    pub(super) name: &'static str,
    pub(super) value: Option<SecretString>,
    pub(super) file: Option<PathBuf>,
}

impl Given {
    /// Returns the secret; an empty one counts as unset, since nobody means "everybody knows it".
    pub(super) fn read(self) -> Result<Option<SecretString>, ConfigError> {
        let value = self.value.filter(|value| !value.expose_secret().is_empty());
        let file = self.file.filter(|path| !path.as_os_str().is_empty());
        match (value, file) {
            (Some(_), Some(_)) => Err(ConfigError::GivenTwice { name: self.name }),
            (value, None) => Ok(value),
            (None, Some(path)) => {
                let text = fs::read_to_string(path)
                    .map_err(|source| ConfigError::SecretFile { name: self.name, source })?;
                let text = text.trim_end_matches(['\r', '\n']);
                Ok((!text.is_empty()).then(|| SecretString::from(text)))
            }
        }
    }
}
