//! Fills a template.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value};

use super::template::{Template, TemplateError, parse};
use crate::value::Phone;

/// The longest value of a variable, in bytes.
pub const VALUE_BYTES_MAX: usize = 4 * 1024;
/// The longest prompt once it is filled, in bytes: the longest template, and values that fit beside it.
pub const RENDERED_BYTES_MAX: usize = 128 * 1024;
/// The variables that every candidate's call knows, whether they have a value or not.
pub const VARIABLES: [&str; 4] = ["candidateName", "role", "jobTitle", "jobDescription"];

/// Returns what every candidate's call has to fill a template with.
pub fn call_values(candidate_name: &str, role: &str, phone: &Phone) -> BTreeMap<String, String> {
    let values = [
        ("candidateName", candidate_name),
        ("role", role),
        ("jobTitle", role),
        ("phone", phone.as_str()),
    ];
    values.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// A template that was filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// What the agent is told.
    pub text: String,
    /// Names that are known and had nothing to say: each is left out of the text.
    pub missing: Vec<String>,
    /// Names that nobody knows: each is left out of the text too.
    pub unknown: Vec<String>,
}

/// Fills `template` with `values` in one pass: what a value holds is text, never a placeholder.
///
/// A name is looked up as it stands and then in camel case, so `{{candidate_name}}` is `candidateName`.
/// Known are the names in `values` and those in [`VARIABLES`]. One without a value becomes nothing and is
/// named in `missing`, one that nobody knows in `unknown`: no agent reads braces to a person.
///
/// # Errors
/// [`TemplateError`] when the template is none, or a value is too long or has a NUL character.
pub fn render(
    template: &str,
    values: &BTreeMap<String, String>,
) -> Result<Rendered, TemplateError> {
    for (name, value) in values {
        check(name, value)?;
    }
    let template = parse(template)?;
    let (context, missing, unknown) = fill(&template, values);
    let filled = template.names.iter().map(|name| context.get(name).map_or(0, |text| text.len()));
    if template.source.len() + filled.sum::<usize>() > RENDERED_BYTES_MAX {
        return Err(TemplateError::RenderedTooLong);
    }
    let text = expand(template.source, context).map_err(|e| TemplateError::Engine(e.into()))?;
    Ok(Rendered { text, missing, unknown })
}

fn check(name: &str, value: &str) -> Result<(), TemplateError> {
    if value.len() > VALUE_BYTES_MAX {
        return Err(TemplateError::ValueTooLong { name: name.to_owned() });
    }
    if value.contains('\0') {
        return Err(TemplateError::ValueWithNul { name: name.to_owned() });
    }
    Ok(())
}

type Filled<'a> = (BTreeMap<&'a str, &'a str>, Vec<String>, Vec<String>);

/// Gives each name its value, each once.
fn fill<'a>(template: &Template<'a>, values: &'a BTreeMap<String, String>) -> Filled<'a> {
    let names: BTreeSet<&str> = template.names.iter().copied().collect();
    let (mut context, mut missing, mut unknown) = (BTreeMap::new(), Vec::new(), Vec::new());
    for name in names {
        let camel = camel_case(name);
        let value = values.get(name).or_else(|| values.get(&camel)).map(String::as_str);
        match value {
            Some(text) if !text.trim().is_empty() => {
                context.insert(name, text);
                continue;
            }
            Some(_) => missing.push(name.to_owned()),
            None if VARIABLES.contains(&camel.as_str()) => missing.push(name.to_owned()),
            None => unknown.push(name.to_owned()),
        }
        context.insert(name, "");
    }
    (context, missing, unknown)
}

/// Has the engine put the values in. It escapes nothing: the text is for an agent, not for a page.
fn expand(source: &str, context: BTreeMap<&str, &str>) -> Result<String, minijinja::Error> {
    let mut engine = Environment::empty();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_syntax(SyntaxConfig::builder().keep_trailing_newline(true).build()?);
    let context: BTreeMap<&str, Value> =
        context.into_iter().map(|(name, value)| (name, Value::from(value))).collect();
    engine.template_from_str(source)?.render(Value::from(context))
}

/// Returns `candidate_name` as `candidateName`; underscores at the beginning stay.
fn camel_case(name: &str) -> String {
    let plain = name.trim_start_matches('_');
    let mut camel = name[..name.len() - plain.len()].to_owned();
    let mut parts = plain.split('_').filter(|part| !part.is_empty());
    camel.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let mut letters = part.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}
