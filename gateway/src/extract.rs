//! What handlers take from a request: whatever is refused is a problem with pointers, never a bare
//! parser's text.
//!
//! How strict they are depends on the path. Below `/api/v1/` an unknown field, parameter or content
//! type is refused, with a suggestion; the routes inherited from the seeds ignore what they do not
//! know, since their clients were written against servers that did.

mod body;
mod family;
mod idempotency;
mod if_match;
mod introspect;
mod json;
mod page;
mod path;
mod query;
mod shape;
mod strict;
mod unique;
mod words;

pub use body::{BodyMax, RawBody};
pub use family::Family;
pub use idempotency::{IDEMPOTENCY_KEY, IdempotencyKey, Keyed};
pub use if_match::{IfMatch, etag};
pub use json::Json;
pub use page::{LIMIT_DEFAULT, LIMIT_MAX, NativePageParams, Page, PageParams, Paged};
pub use path::Path;
pub use query::{Query, refuse_parameters};
