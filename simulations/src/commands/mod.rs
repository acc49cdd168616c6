//! One file per subcommand.

pub(crate) mod blind;
pub(crate) mod crash;
pub(crate) mod demo;
pub(crate) mod load;
pub(crate) mod providers;
