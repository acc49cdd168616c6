//! Reads a template, and says where it is none.

/// The longest template, in bytes.
pub const TEMPLATE_BYTES_MAX: usize = 32 * 1024;
/// The longest name of a variable, in bytes.
pub const NAME_BYTES_MAX: usize = 64;

/// Names that mean something else to the engine which fills templates.
const RESERVED: [&str; 10] =
    ["true", "True", "false", "False", "none", "None", "not", "self", "loop", "super"];

/// Where in a text something is; both count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// What is wrong with a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It says nothing.
    Blank,
    /// It is longer than [`TEMPLATE_BYTES_MAX`].
    TooLong,
    /// It has a NUL character.
    Nul,
    /// `{{` without its `}}`.
    Unclosed,
    /// `{{` inside of a placeholder.
    Nested,
    /// `{%`.
    Block,
    /// `{#`.
    Comment,
    /// What stands in a placeholder is no plain name.
    NotAName,
    /// The name is longer than [`NAME_BYTES_MAX`].
    NameTooLong,
    /// The name is a word of the engine's.
    Reserved,
}

impl Flaw {
    /// Says what is wrong, in a sentence without an end.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Blank => "the prompt is blank",
            Self::TooLong => "the prompt is longer than 32 KiB",
            Self::Nul => "a NUL character is not allowed",
            Self::Unclosed => "a placeholder is opened and not closed",
            Self::Nested => "a placeholder begins inside of another one",
            Self::Block => "blocks ({% … %}) are not allowed",
            Self::Comment => "comments ({# … #}) are not allowed",
            Self::NotAName => {
                "a placeholder holds one plain name of letters, digits and underscores, as in {{candidateName}}"
            }
            Self::NameTooLong => "the name of a variable is longer than 64 characters",
            Self::Reserved => "this word cannot be the name of a variable",
        }
    }
}

/// Why a template, or what it was to be filled with, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The template itself.
    #[error("line {}, column {}: {}", .at.line, .at.column, .flaw.in_words())]
    Flawed {
        /// What is wrong.
        flaw: Flaw,
        /// Where.
        at: Position,
    },
    /// A value is longer than a value may be.
    #[error("the value of {name} is longer than 4 KiB")]
    ValueTooLong {
        /// Of which variable.
        name: String,
    },
    /// A value has a NUL character.
    #[error("the value of {name} has a NUL character")]
    ValueWithNul {
        /// Of which variable.
        name: String,
    },
    /// Filled, it would be longer than a prompt may be.
    #[error("the prompt is longer than 128 KiB once it is filled")]
    RenderedTooLong,
    /// The engine refused what the parser took; a fault of ours.
    #[error("the template cannot be filled")]
    Engine(#[source] anyhow::Error),
}

/// A template that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template<'a> {
    pub(super) source: &'a str,
    /// The names in its placeholders, in their order, as often as they stand there.
    pub names: Vec<&'a str>,
}

/// Reads a template: text in which `{{name}}` is a placeholder, and no other mark means anything.
///
/// Space around the name is allowed. One pass over the text.
///
/// # Errors
/// [`TemplateError::Flawed`] at the first mark that is not allowed.
pub fn parse(source: &str) -> Result<Template<'_>, TemplateError> {
    if source.len() > TEMPLATE_BYTES_MAX {
        return Err(flawed(Flaw::TooLong, source, 0));
    }
    if source.trim().is_empty() {
        return Err(flawed(Flaw::Blank, source, 0));
    }
    if let Some(at) = source.find('\0') {
        return Err(flawed(Flaw::Nul, source, at));
    }
    let mut names = Vec::new();
    let mut from = 0;
    while let Some(found) = source[from..].find('{') {
        let at = from + found;
        from = match source.as_bytes().get(at + 1) {
            Some(b'{') => placeholder(source, at, &mut names)?,
            Some(b'%') => return Err(flawed(Flaw::Block, source, at)),
            Some(b'#') => return Err(flawed(Flaw::Comment, source, at)),
            _ => at + 1, // A brace by itself is text.
        };
    }
    Ok(Template { source, names })
}

/// Reads the placeholder that opens at `at`; answers where the text goes on.
fn placeholder<'a>(
    source: &'a str,
    at: usize,
    names: &mut Vec<&'a str>,
) -> Result<usize, TemplateError> {
    let begin = at + 2;
    let Some(len) = source[begin..].find("}}") else {
        return Err(flawed(Flaw::Unclosed, source, at));
    };
    let inner = &source[begin..begin + len];
    if let Some(nested) = inner.find('{') {
        return Err(flawed(Flaw::Nested, source, begin + nested));
    }
    let name = inner.trim_matches([' ', '\t']);
    let flaw = if !is_plain(name) {
        Some(Flaw::NotAName)
    } else if name.len() > NAME_BYTES_MAX {
        Some(Flaw::NameTooLong)
    } else if RESERVED.contains(&name) {
        Some(Flaw::Reserved)
    } else {
        None
    };
    if let Some(flaw) = flaw {
        return Err(flawed(flaw, source, at));
    }
    names.push(name);
    Ok(begin + len + 2)
}

/// Whether this is a name as programs have them: letters, digits and underscores, no digit first.
fn is_plain(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn flawed(flaw: Flaw, source: &str, at: usize) -> TemplateError {
    let before = &source[..at];
    let line_begin = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before[line_begin..].chars().count() + 1;
    TemplateError::Flawed { flaw, at: Position { line, column } }
}
