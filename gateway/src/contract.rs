//! The contract in writing: an OpenAPI document of all routes, and the page that shows it.
//!
//! What a route takes and answers is said beside its handler. Who may come in, and what goes wrong on
//! every route alike, is added here from the table of routes, so that it is said once.

#![allow(unused_qualifications, reason = "the macro that describes a route writes them")]

mod doors;
mod families;
mod names;
mod pages;
mod problems;
pub(crate) mod sets;
mod words;

use std::sync::LazyLock;

use serde_json::{Value, json};
use utoipa::OpenApi as _;

pub(crate) use pages::{__path_asset, __path_openapi, __path_page, asset, openapi, page};

use crate::router::{self, Route};
use crate::routes::{self, Operations};

/// What every reader should know first.
const ABOUT: &str = include_str!("contract/about.md");

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| complete(described(), &table()));

static TEXT: LazyLock<String> = LazyLock::new(|| {
    let mut text = serde_json::to_string_pretty(&*DOCUMENT).expect("its keys are strings");
    text.push('\n');
    text
});

/// Returns the document.
pub fn document() -> &'static Value {
    &DOCUMENT
}

/// Returns the document as it is served, printed and committed.
pub fn text() -> &'static str {
    &TEXT
}

/// Returns every route that is served, with nothing behind it.
pub fn table() -> Vec<Route> {
    let mut table = router::operations();
    table.extend(routes::outline());
    table
}

/// Returns what the handlers say of themselves.
fn described() -> Value {
    serde_json::to_value(Operations::openapi()).expect("a document has string keys only")
}

/// Adds what the table knows of each route that is described, and what holds for all of them.
fn complete(mut document: Value, table: &[Route]) -> Value {
    document["info"] = json!({
        "title": "Ringmaster", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT.trim(),
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    });
    document["servers"] = json!([{"url": "/", "description": "this server"}]);
    for route in table {
        let Some(operation) = operation_of(&mut document, route) else { continue };
        words::settle(operation, route);
        doors::guard(operation, route);
        problems::declare(operation, route);
        families::parameters(operation, route);
    }
    if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
        names::settle(schemas);
    }
    families::bodies(&mut document, table);
    document["components"]["securitySchemes"] = doors::schemes();
    document["components"]["responses"] = problems::answers();
    document["components"]["examples"] = problems::examples();
    document
}

/// Finds what is said of a route.
fn operation_of<'a>(document: &'a mut Value, route: &Route) -> Option<&'a mut Value> {
    let method = route.method().as_str().to_ascii_lowercase();
    document["paths"].get_mut(route.path())?.get_mut(method)
}

/// Returns the captures of a path.
fn captures(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

/// Whether the description of a route has parameters of a query; of a route that has none, nothing is known.
pub(crate) fn has_parameters(route: &Route) -> Option<bool> {
    let method = route.method().as_str().to_ascii_lowercase();
    let operation = document()["paths"].get(route.path())?.get(method)?;
    let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
    Some(parameters.iter().any(|parameter| parameter["in"] == "query"))
}
