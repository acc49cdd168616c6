//! Which of the two families of paths a route belongs to.

/// Decides how strictly a request is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Below `/api/v1/`: ours, strict.
    Native,
    /// Everything else: inherited, lenient.
    Seed,
}

impl Family {
    /// Returns the family of the route at `path`.
    pub fn of(path: &str) -> Self {
        if path.starts_with("/api/v1/") { Self::Native } else { Self::Seed }
    }

    /// Whether the route at `path` is one that older clients were written against.
    pub fn is_inherited(path: &str) -> bool {
        path.starts_with("/api/") && Self::of(path) == Self::Seed
    }

    /// Whether what is not known is refused.
    pub const fn is_strict(self) -> bool {
        matches!(self, Self::Native)
    }
}
