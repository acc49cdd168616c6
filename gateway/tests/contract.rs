//! Whether the document, the table of routes, the committed file and the server say the same.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as it does")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use gateway::contract;
use serde_json::Value;

use crate::common::{Running, answer};

/// Returns every operation of the document: its method, its path and what is said of it.
fn operations() -> Vec<(String, &'static str, &'static Value)> {
    let paths = contract::document()["paths"].as_object().unwrap();
    let of = |(path, item): (&'static String, &'static Value)| {
        let operations = item.as_object().unwrap().iter();
        operations.map(move |(method, said)| (method.to_uppercase(), path.as_str(), said))
    };
    paths.iter().flat_map(of).collect()
}

#[test]
fn every_route_is_described_and_every_description_is_a_route() {
    let table = contract::table();
    let of_route = |(method, path): (&str, &str)| format!("{method} {path}");
    let routes: BTreeSet<String> =
        table.iter().map(|route| of_route((route.method().as_str(), route.path()))).collect();
    let described: BTreeSet<String> =
        operations().iter().map(|(method, path, _)| of_route((method, path))).collect();
    let missing: Vec<_> = routes.difference(&described).collect();
    assert!(missing.is_empty(), "these routes are not described: {missing:?}");
    let unserved: Vec<_> = described.difference(&routes).collect();
    assert!(unserved.is_empty(), "these operations are no routes: {unserved:?}");
}

#[test]
fn every_operation_has_a_name_a_heading_a_part_and_its_captures() {
    let tags: Vec<&str> = contract::document()["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| tag["name"].as_str().unwrap())
        .collect();
    let mut names = BTreeSet::new();
    for (method, path, said) in operations() {
        let name = said["operationId"].as_str().unwrap();
        assert!(names.insert(name), "{name} names two operations");
        assert!(!said["summary"].as_str().unwrap().is_empty(), "{method} {path} has no heading");
        let tag = said["tags"][0].as_str().unwrap();
        assert!(tags.contains(&tag), "{method} {path}: the part {tag} is not described");
        let parameters = said["parameters"].as_array().map_or(&[][..], Vec::as_slice);
        let described: BTreeSet<&str> = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        let captures = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        assert_eq!(described, captures.collect(), "{method} {path}");
    }
}

#[test]
fn whatever_is_named_is_there() {
    fn walk(value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(walk),
            Value::Object(members) => {
                if let Some(Value::String(name)) = members.get("$ref") {
                    let pointer = name.strip_prefix('#').unwrap();
                    let found = contract::document().pointer(pointer);
                    assert!(found.is_some_and(|found| !found.is_null()), "{name} is not there");
                }
                members.values().for_each(walk);
            }
            _ => {}
        }
    }
    walk(contract::document());
}

#[test]
fn committed_document_is_the_one_that_is_served() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    let committed = fs::read_to_string(file).unwrap_or_default();
    assert!(
        committed == contract::text(),
        "docs/openapi.json is out of date: run `make openapi` and look at what changed"
    );
}

#[tokio::test]
async fn document_is_served_to_everybody() {
    let server = Running::start().await;
    let (status, document) = answer(server.get("/openapi.json")).await;
    assert_eq!((status, &document), (200, contract::document()));
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
}

#[tokio::test]
async fn page_may_load_nothing_but_what_this_server_has() {
    let server = Running::start().await;
    for path in ["/docs", "/docs/swagger-initializer.js", "/docs/swagger-ui-bundle.js"] {
        let response = server.get(path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let policy = response.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'; script-src 'self';"), "{path}: {policy}");
        assert!(!policy.contains("http"), "{path}: {policy}");
        for (name, value) in [("x-content-type-options", "nosniff"), ("x-frame-options", "DENY")] {
            assert_eq!(response.headers()[name], value, "{path}");
        }
    }
    let script = server.get("/docs/swagger-initializer.js").send().await.unwrap();
    let script = script.text().await.unwrap();
    assert!(script.contains("\"openapi.json\"") && !script.contains("http"), "{script}");
    let (status, problem) = answer(server.get("/docs/nothing.js")).await;
    assert_eq!((status, problem["code"].as_str()), (404, Some("not_found")));
}
