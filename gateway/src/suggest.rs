//! "Did you mean".

/// Returns the one of `known` that `name` most likely meant, if any is near enough.
///
/// Near enough is one slip for every three letters, at least two: a person's typing error and no
/// more.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let slips_max = (name.chars().count() / 3).max(2);
    let folded = name.to_ascii_lowercase().replace(['_', '-'], "");
    let distance = |candidate: &str| {
        let candidate = candidate.to_ascii_lowercase().replace(['_', '-'], "");
        strsim::osa_distance(&folded, &candidate)
    };
    known
        .into_iter()
        .map(|candidate| (distance(candidate), candidate))
        .filter(|(slips, candidate)| *slips <= slips_max && *slips < candidate.len())
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
}

/// Returns `, did you mean X?` or nothing.
pub(crate) fn hint<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, known).map_or_else(String::new, |known| format!(", did you mean `{known}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_and_other_cases_are_recognised_and_strangers_are_not() {
        let known = ["status", "provider", "dateFrom", "belongsTo"];
        assert_eq!(nearest("staus", known), Some("status"));
        assert_eq!(nearest("date_from", known), Some("dateFrom"));
        assert_eq!(nearest("belogsto", known), Some("belongsTo"));
        assert_eq!(nearest("colour", known), None);
    }
}
