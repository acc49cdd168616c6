//! Mistakes that can be switched on, so that a check is seen to find them. Never in a release.

/// Whether reports that are parked behind a dial are never looked at again.
pub(crate) fn forgets_parked_rows() -> bool {
    std::env::var("PLANTED_DEFECT").is_ok_and(|planted| planted == "forget-parked-rows")
}
