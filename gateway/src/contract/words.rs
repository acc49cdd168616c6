//! How operations are called and spoken of.

use serde_json::Value;

use crate::router::Route;

/// Names the operation after its part and its handler, and makes a heading of its first sentence.
pub(super) fn settle(operation: &mut Value, route: &Route) {
    let part = operation["tags"][0].as_str().unwrap_or_default();
    let handler = operation["operationId"].as_str().unwrap_or_default();
    operation["operationId"] = format!("{part}.{handler}").into();
    let (summary, description) = (text(operation, "summary"), text(operation, "description"));
    let whole = format!("{summary} {description}");
    let (heading, rest) = split(without_route(&whole, route));
    operation["summary"] = heading.into();
    operation["description"] = rest.into();
}

fn text(operation: &Value, name: &str) -> String {
    let text = operation[name].as_str().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A handler's documentation begins with its route, which a document says anyway.
fn without_route<'a>(text: &'a str, route: &Route) -> &'a str {
    let named = format!("`{} {}`", route.method(), route.path());
    let text = text.trim();
    text.strip_prefix(named.as_str()).unwrap_or(text).trim_start_matches(['.', ':', ','])
}

/// Divides a text after its first sentence, whose full stop a heading has not.
fn split(text: &str) -> (String, String) {
    let text = text.trim();
    let (first, rest) = text.split_once(". ").unwrap_or((text, ""));
    (upper(first.trim_end_matches('.')), rest.to_owned())
}

fn upper(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::auth::Access;

    async fn handler() {}

    #[test]
    fn heading_is_the_first_sentence_without_the_route() {
        let route = Route::get("/api/v1/tree", Access::Open, handler);
        let mut operation = json!({
            "tags": ["supervision"], "operationId": "tree",
            "summary": "`GET /api/v1/tree`: shows who is alive. Of other", "description": "tenants\nnothing.",
        });
        settle(&mut operation, &route);
        assert_eq!(
            operation,
            json!({
                "tags": ["supervision"], "operationId": "supervision.tree",
                "summary": "Shows who is alive", "description": "Of other tenants nothing.",
            })
        );
    }
}
