//! The closed set of roles.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a person may do, as their token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Role {
    /// Administers a tenant.
    Admin,
    /// Administers the installation.
    Superadmin,
    /// Leads sales.
    SalesHead,
    /// Recruits.
    Hr,
    /// Recruits for somebody else.
    ExternalHr,
    /// Leads a batch of students.
    BatchLead,
    /// Is a student.
    Student,
    /// Is an agent on the telephone.
    Agent,
}

/// A name that is no [`Role`].
#[derive(Debug, thiserror::Error)]
#[error("no such role: {0}")]
pub struct UnknownRole(String);

impl Role {
    /// Every role there is.
    pub const ALL: [Self; 8] = [
        Self::Admin,
        Self::Superadmin,
        Self::SalesHead,
        Self::Hr,
        Self::ExternalHr,
        Self::BatchLead,
        Self::Student,
        Self::Agent,
    ];

    /// Returns the name that tokens carry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "ADMIN",
            Self::Superadmin => "SUPERADMIN",
            Self::SalesHead => "SALES_HEAD",
            Self::Hr => "HR",
            Self::ExternalHr => "EXTERNAL_HR",
            Self::BatchLead => "BATCH_LEAD",
            Self::Student => "STUDENT",
            Self::Agent => "AGENT",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(name: &str) -> Result<Self, UnknownRole> {
        let role = Self::ALL.into_iter().find(|role| role.as_str() == name);
        role.ok_or_else(|| UnknownRole(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_everywhere() {
        for role in Role::ALL {
            assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
            assert_eq!(role.as_str().parse::<Role>().unwrap(), role);
        }
        assert!("admin".parse::<Role>().is_err());
    }
}
