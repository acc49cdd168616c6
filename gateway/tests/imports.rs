//! Which way imports run: who may depend on whom, and where a name may not even be mentioned.
//!
//! It reads the whole workspace and lies here because the gateway is the crate with most to refuse.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as it does")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Each crate, and the crates of ours it may depend on. Dev-dependencies are not looked at.
const ROOMS: [(&str, &[&str]); 7] = [
    ("domain", &[]),
    ("providers", &["domain"]),
    ("persistence", &["domain"]),
    ("actors", &["domain"]),
    ("supervisor", &["domain", "actors"]),
    ("gateway", &["domain", "actors", "supervisor", "persistence", "providers"]),
    ("simulations", &["domain", "actors", "supervisor", "persistence", "providers", "gateway"]),
];

/// Crates of others that only some of ours may depend on.
const RESERVED: [(&str, &[&str]); 7] = [
    ("sqlx", &["persistence"]),
    ("ractor", &["actors", "supervisor"]),
    ("backoff", &["providers"]),
    ("axum", &["gateway", "simulations"]),
    ("utoipa", &["gateway"]),
    ("reqwest", &["providers", "gateway", "simulations"]),
    ("tokio", &["providers", "persistence", "actors", "supervisor", "gateway", "simulations"]),
];

/// The gateway's files that tie the crates together, and the folder of one of them.
const WIRING: [&str; 3] = ["main.rs", "wiring.rs", "wiring"];

/// What the other files of the gateway may not name.
const HIDDEN: [&str; 3] = ["persistence", "providers", "actors"];

#[test]
fn crates_depend_only_on_what_their_room_may() {
    let packages = packages();
    let known: Vec<&str> = ROOMS.iter().map(|(name, _)| *name).collect();
    let ours: Vec<&str> = packages.iter().map(|package| text(package, "name")).collect();
    let strangers: Vec<_> = ours.iter().filter(|name| !known.contains(name)).collect();
    assert!(strangers.is_empty(), "these crates have no line in ROOMS: {strangers:?}");

    let mut wrong = Vec::new();
    for package in &packages {
        let name = text(package, "name");
        let (_, may) = ROOMS.iter().find(|(room, _)| *room == name).unwrap();
        for dependency in dependencies(package) {
            let reserved = RESERVED.iter().find(|(theirs, _)| *theirs == dependency);
            let is_foreign = known.contains(&dependency) && !may.contains(&dependency);
            if is_foreign || reserved.is_some_and(|(_, rooms)| !rooms.contains(&name)) {
                wrong.push(format!("{name} depends on {dependency}"));
            }
        }
    }
    assert!(wrong.is_empty(), "imports run the wrong way:\n{}", wrong.join("\n"));
}

#[test]
fn gateway_names_the_adapters_only_where_it_is_wired() {
    let source = root().join("gateway/src");
    let wiring: Vec<PathBuf> = WIRING.iter().map(|name| source.join(name)).collect();
    let files = rust_files(&source);
    let files =
        files.into_iter().filter(|file| !wiring.iter().any(|wired| file.starts_with(wired)));
    assert_named_nowhere(files, &HIDDEN);
}

#[test]
fn sql_is_spoken_in_persistence_alone() {
    assert_named_nowhere(files_outside(&["persistence"]), &["sqlx"]);
}

#[test]
fn actors_are_built_by_actors_and_supervisor_alone() {
    assert_named_nowhere(files_outside(&["actors", "supervisor"]), &["ractor"]);
}

#[test]
fn names_are_found_as_paths_and_not_in_texts_or_comments() {
    for code in [
        "let x = sqlx::query();",
        "use sqlx;",
        "pub use ::sqlx as db;",
        "use {std::fs, sqlx::Row};",
        "extern crate sqlx;",
        "let c = '\"'; sqlx :: query()",
        "r#\"a\"b\"#; sqlx::query()",
        "fn f<'a>(x: &'a str) { sqlx::query(x) }",
    ] {
        assert!(names(code, "sqlx"), "not found: {code}");
    }
    for code in [
        "// sqlx::query",
        "/* a /* b */ sqlx::query */",
        "let x = \"sqlx::query\\\" sqlx::\";",
        "let x = r#\"\" sqlx::\"#;",
        "my_sqlx::query();",
        "sqlx_like::query();",
        "pub(crate) struct Filter { sqlx: u8 }",
        "br#\" \" sqlx:: \"#;",
        "use crate::sqlx;",
    ] {
        assert!(!names(code, "sqlx"), "found: {code}");
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Returns what cargo says of the workspace's crates.
fn packages() -> Vec<Value> {
    let metadata = |offline: &[&str]| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(["metadata", "--no-deps", "--format-version", "1"]).args(offline);
        command.current_dir(root()).output().unwrap()
    };
    let mut output = metadata(&["--offline"]);
    if !output.status.success() {
        output = metadata(&[]);
    }
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut said: Value = serde_json::from_slice(&output.stdout).unwrap();
    serde_json::from_value(said["packages"].take()).unwrap()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap()
}

/// Returns what a crate depends on, to run or to be built.
fn dependencies(package: &Value) -> impl Iterator<Item = &str> {
    let all = package["dependencies"].as_array().unwrap().iter();
    all.filter(|one| one["kind"] != "dev").map(|one| text(one, "name"))
}

/// Returns the sources, tests and benches of all crates but `rooms`.
fn files_outside(rooms: &[&str]) -> impl Iterator<Item = PathBuf> {
    let others = ROOMS.iter().map(|(name, _)| *name).filter(|name| !rooms.contains(name));
    let folders: Vec<PathBuf> = others.map(|name| root().join(name)).collect();
    folders.into_iter().flat_map(|folder| rust_files(&folder))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn assert_named_nowhere(files: impl Iterator<Item = PathBuf>, hidden: &[&str]) {
    let mut wrong = Vec::new();
    let mut read = 0;
    for file in files {
        let code = fs::read_to_string(&file).unwrap();
        let found = hidden.iter().filter(|name| names(&code, name));
        let shown = file.strip_prefix(root()).unwrap().display().to_string();
        wrong.extend(found.map(|name| format!("{shown} names {name}")));
        read += 1;
    }
    assert!(read > 0, "there was nothing to read");
    assert!(wrong.is_empty(), "a name stands where it may not:\n{}", wrong.join("\n"));
}

/// Whether `code` names the crate `name`: at the beginning of a path, or in an import of its own.
///
/// A field or a variable of that name is something else.
fn names(code: &str, name: &str) -> bool {
    let words = words(code);
    let before = |at: usize, back: usize| at.checked_sub(back).map_or("", |at| words[at].as_str());
    let mut importing = false;
    for (at, word) in words.iter().enumerate() {
        match word.as_str() {
            "use" => importing = true,
            "crate" if before(at, 1) == "extern" => importing = true,
            ";" => importing = false,
            word if word == name => {
                // After `something::` it is a part of that one's path.
                let root = before(at, 2);
                let continues = before(at, 1) == "::" && is_word(root) && root != "use";
                let goes_on = words.get(at + 1).is_some_and(|next| next == "::");
                if !continues && (goes_on || importing) {
                    return true;
                }
            }
            _ => {}
        }
    }
    false
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c == '_' || c.is_alphanumeric())
}

/// Splits code into words, `::` and other signs; comments, texts and characters are left out.
fn words(code: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let skipped = skipped(rest);
        if skipped > 0 {
            rest = &rest[skipped..];
            continue;
        }
        let len = match first {
            _ if is_word(rest) => {
                rest.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(rest.len())
            }
            ':' if rest.starts_with("::") => 2,
            _ => first.len_utf8(),
        };
        words.push(rest[..len].to_owned());
        rest = &rest[len..];
    }
    words
}

/// Returns how many bytes at the beginning of `code` say nothing about names.
fn skipped(code: &str) -> usize {
    let until = |end: &str, from: usize| code[from..].find(end).map(|at| from + at + end.len());
    let all = code.len();
    let blank = all - code.trim_start().len();
    if blank > 0 {
        return blank;
    }
    if code.starts_with("//") {
        return until("\n", 2).unwrap_or(all);
    }
    if code.starts_with("/*") {
        return block_comment(code);
    }
    let prefix = if code.starts_with("br") { 2 } else { usize::from(code.starts_with('r')) };
    let raw = code[prefix..].trim_start_matches('#');
    if prefix > 0 && raw.starts_with('"') {
        let hashes = all - raw.len() - prefix;
        let end = format!("\"{}", "#".repeat(hashes));
        return until(&end, prefix + hashes + 1).unwrap_or(all);
    }
    if code.starts_with('"') {
        return quoted(code, '"');
    }
    // `'a'` and `'\n'` are characters, `'a` is a lifetime.
    let is_character = code.starts_with("'\\") || code.chars().nth(2) == Some('\'');
    if code.starts_with('\'') && is_character { quoted(code, '\'') } else { 0 }
}

fn quoted(code: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in code.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    code.len()
}

fn block_comment(code: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < code.len() {
        let rest = &code[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    code.len()
}
