//! How strictly the two families of routes read.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

use super::{operation_of, sets};
use crate::extract::Family;
use crate::router::Route;

const SCHEMAS: &str = "#/components/schemas/";

/// Says what an inherited route forgives. What is optional in a query may be left out; there is no null.
pub(super) fn parameters(operation: &mut Value, route: &Route) {
    let is_lenient = Family::is_inherited(route.path());
    if is_lenient {
        operation["x-trailing-slash"] = json!(true);
    }
    let Some(parameters) = operation.get_mut("parameters").and_then(Value::as_array_mut) else {
        return;
    };
    for parameter in parameters.iter_mut() {
        if let Some(pattern) = parameter["name"].as_str().and_then(sets::header) {
            parameter["schema"]["pattern"] = pattern.into();
        }
        if let Some(kinds) = parameter["schema"]["type"].as_array() {
            let kind = kinds.iter().find(|kind| *kind != "null").cloned();
            parameter["schema"]["type"] = kind.unwrap_or_default();
        }
        if is_lenient && parameter["in"] == "query" && parameter["required"] != true {
            parameter["allowEmptyValue"] = json!(true);
        }
    }
}

/// Says of every object that a route takes whether it may hold more than is known.
///
/// # Panics
/// When a strict and a lenient route take the same object: one of the two would be described wrongly.
pub(super) fn bodies(document: &mut Value, table: &[Route]) {
    let mut readers = BTreeMap::new();
    for route in table {
        let Some(operation) = operation_of(document, route) else { continue };
        let Some(body) = operation.get_mut("requestBody") else { continue };
        let family = Family::of(route.path());
        without_null(body);
        close(body, family);
        let names = named(body);
        for name in reachable(document, names) {
            let before = readers.insert(name.clone(), family);
            assert!(
                before.is_none_or(|before| before == family),
                "{name} has two kinds of readers"
            );
        }
    }
    for (name, family) in readers {
        close(&mut document["components"]["schemas"][&name], family);
    }
}

/// A body that may be left out is not null in its place.
fn without_null(body: &mut Value) {
    let Some(contents) = body.get_mut("content").and_then(Value::as_object_mut) else { return };
    for content in contents.values_mut() {
        let Some(forms) = content["schema"]["oneOf"].as_array() else { continue };
        let mut forms = forms.iter().filter(|form| form["type"] != "null");
        if let (Some(only), None) = (forms.next().cloned(), forms.next()) {
            content["schema"] = only;
        }
    }
}

/// Marks the objects in `value`, those that are named elsewhere aside.
fn close(value: &mut Value, family: Family) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| close(item, family)),
        Value::Object(members) => {
            members.values_mut().for_each(|member| close(member, family));
            if members.get("properties").is_some_and(Value::is_object) {
                members.insert("additionalProperties".to_owned(), (!family.is_strict()).into());
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Returns the schemas that `names` lead to, themselves included.
fn reachable(document: &Value, names: Vec<String>) -> Vec<String> {
    let mut open = VecDeque::from(names);
    let mut found: Vec<String> = Vec::new();
    while let Some(name) = open.pop_front() {
        if !found.contains(&name) {
            open.extend(named(&document["components"]["schemas"][&name]));
            found.push(name);
        }
    }
    found
}

/// Returns the schemas that `value` names.
fn named(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(named).collect(),
        Value::Object(members) => {
            let own = members.get("$ref").and_then(Value::as_str);
            let own = own.and_then(|text| text.strip_prefix(SCHEMAS)).map(str::to_owned);
            own.into_iter().chain(members.values().flat_map(named)).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}
