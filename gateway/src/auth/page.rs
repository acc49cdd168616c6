//! The pages of the head office, which a token opens one by one.

use std::fmt;

use clap::ValueEnum;

/// A page of the head office; a token lists those it opens in its claim `pages`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Page {
    /// Leads, and the campaigns that call them.
    Crm,
}

impl Page {
    /// Every page there is.
    pub const ALL: [Self; 1] = [Self::Crm];

    /// Returns the name that tokens carry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Crm => "crm",
        }
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pages(u32);

impl Pages {
    /// Reads names; one that is no page of ours opens nothing, since the issuer knows more pages than we do.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let known = |name: &str| Page::ALL.into_iter().find(|page| page.as_str() == name);
        names.into_iter().filter_map(known).collect()
    }

    /// Tells whether `page` is one of them.
    pub const fn contains(self, page: Page) -> bool {
        self.0 & page.bit() != 0
    }

    /// Returns their names.
    pub fn names(self) -> Vec<&'static str> {
        Page::ALL.into_iter().filter(|page| self.contains(*page)).map(Page::as_str).collect()
    }
}

impl FromIterator<Page> for Pages {
    fn from_iter<I: IntoIterator<Item = Page>>(pages: I) -> Self {
        Self(pages.into_iter().fold(0, |bits, page| bits | page.bit()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_page_of_ours_opens_nothing() {
        assert_eq!(Page::value_variants(), Page::ALL);
        let pages = Pages::named(["lms", "CRM", "crm "]);
        assert!(!pages.contains(Page::Crm));
        let pages = Pages::named(["lms", "crm", "crm"]);
        assert!(pages.contains(Page::Crm));
        assert_eq!(pages.names(), ["crm"]);
    }
}
