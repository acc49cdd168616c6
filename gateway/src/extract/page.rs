//! `?page=&limit=`.

use axum::extract::FromRequestParts;
use axum::http::Uri;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use super::Family;
use super::query::NoParameters;
use super::shape::{self, Pairs};
use crate::error::{ApiError, FieldError, Place};

/// Items on a page when nothing is said. Source: the house's API rules.
pub const LIMIT_DEFAULT: u32 = 20;
/// Items on a page at most. Source: the house's API rules.
pub const LIMIT_MAX: u32 = 200;
/// Larger numbers are no page or limit that anybody means; it also keeps the offset in range.
const NUMBER_MAX: u32 = i32::MAX.unsigned_abs();

const PAGE: &str = "page";
const LIMIT: &str = "limit";

/// Which part of a list is asked for; taken by itself the list has no filters.
///
/// Too large a limit is cut to [`LIMIT_MAX`] on the inherited routes and refused on native ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    number: u32,
    limit: u32,
}

impl Page {
    /// Names the page `number`, counted from 1, of `limit` items; both are moved into range.
    pub fn new(number: u32, limit: u32) -> Self {
        Self { number: number.clamp(1, NUMBER_MAX), limit: limit.clamp(1, LIMIT_MAX) }
    }

    /// Returns the page's number; the first is 1.
    pub const fn number(self) -> u32 {
        self.number
    }

    /// Returns how many items the page has at most.
    pub const fn limit(self) -> u32 {
        self.limit
    }

    /// Returns how many items lie before it.
    pub fn offset(self) -> u64 {
        u64::from(self.number - 1) * u64::from(self.limit)
    }

    fn of(pairs: &Pairs<'_>) -> Result<Self, ApiError> {
        let number = number(pairs, PAGE)?.unwrap_or(1);
        let limit = number_of_items(pairs)?;
        Ok(Self { number, limit })
    }
}

/// How an inherited route is asked for a page: a limit that is too large is cut, so it has no maximum of ours.
#[derive(Clone, Copy, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageParams {
    /// Which page; the first is 1.
    #[param(minimum = 1, maximum = 2147483647, default = 1)]
    pub page: Option<u32>,
    /// How many items it has at most; more than 200 is cut to 200.
    #[param(minimum = 1, maximum = 2147483647, default = 20)]
    pub limit: Option<u32>,
}

/// How a native route is asked for a page.
#[derive(Clone, Copy, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct NativePageParams {
    /// Which page; the first is 1.
    #[param(minimum = 1, maximum = 2147483647, default = 1)]
    pub page: Option<u32>,
    /// How many items it has at most.
    #[param(minimum = 1, maximum = 200, default = 20)]
    pub limit: Option<u32>,
}

/// A page together with the filters of the list.
#[derive(Clone, Copy, Debug)]
pub struct Paged<T> {
    /// Which part of the list.
    pub page: Page,
    /// Which items are in it.
    pub filter: T,
}

impl<S: Send + Sync> FromRequestParts<S> for Page {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Paged { page, filter: NoParameters {} } = Paged::of(&parts.uri)?;
        Ok(page)
    }
}

impl<T: DeserializeOwned> Paged<T> {
    fn of(uri: &Uri) -> Result<Self, ApiError> {
        let pairs = Pairs::of(uri)?;
        let page = Page::of(&pairs)?;
        let filter = shape::query(&pairs, &[PAGE, LIMIT])?;
        Ok(Self { page, filter })
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Paged<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Self::of(&parts.uri)
    }
}

fn number_of_items(pairs: &Pairs<'_>) -> Result<u32, ApiError> {
    match (number(pairs, LIMIT)?, pairs.family()) {
        (None, _) => Ok(LIMIT_DEFAULT),
        (Some(limit), _) if limit <= LIMIT_MAX => Ok(limit),
        (Some(_), Family::Seed) => Ok(LIMIT_MAX),
        (Some(_), Family::Native) => Err(out_of_range(LIMIT, LIMIT_MAX)),
    }
}

fn number(pairs: &Pairs<'_>, name: &'static str) -> Result<Option<u32>, ApiError> {
    let Some(text) = pairs.single(name)? else {
        return Ok(None);
    };
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ApiError::invalid(FieldError {
            pointer: shape::join("#", name),
            code: "wrong_type",
            message: format!("{name} must be a whole number"),
            place: Place::Query,
        }));
    }
    match text.parse::<u32>() {
        Ok(number @ 1..=NUMBER_MAX) => Ok(Some(number)),
        Ok(_) | Err(_) => Err(out_of_range(name, NUMBER_MAX)),
    }
}

fn out_of_range(name: &str, max: u32) -> ApiError {
    ApiError::invalid(FieldError {
        pointer: shape::join("#", name),
        code: "out_of_range",
        message: format!("{name} must be between 1 and {max}"),
        place: Place::Query,
    })
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn page(uri: &str) -> Result<Page, ApiError> {
        let uri = uri.parse().unwrap();
        Page::of(&Pairs::of(&uri)?)
    }

    #[test]
    fn absent_and_empty_numbers_are_the_default_on_an_inherited_route() {
        assert_eq!(page("/api/x").unwrap(), Page::new(1, 20));
        assert_eq!(page("/api/x?page=&limit=").unwrap(), Page::new(1, 20));
        assert_eq!(page("/api/v1/x?page=3").unwrap().offset(), 40);
    }

    #[test]
    fn too_large_a_page_is_cut_on_an_inherited_route_and_refused_on_a_native_one() {
        assert_eq!(page("/api/x?limit=201").unwrap().limit(), 200);
        assert_eq!(page("/api/v1/x?limit=201").unwrap_err().errors()[0].pointer, "#/limit");
    }

    #[test]
    fn what_is_no_number_of_items_is_refused_everywhere() {
        for limit in ["0", "-1", "2147483648", "99999999999999999999", "ten", "1.5", "1e3", "%201"]
        {
            for base in ["/api/x", "/api/v1/x"] {
                let error = page(&format!("{base}?limit={limit}")).unwrap_err();
                assert_eq!(error.errors()[0].pointer, "#/limit", "{limit}");
            }
        }
        assert!(page("/api/x?page=0").is_err());
        assert!(page("/api/x?limit=1&limit=2").is_err());
        assert!(page("/api/v1/x?limit=").is_err());
    }

    #[tokio::test]
    async fn list_without_filters_refuses_them_on_a_native_route_only() {
        let read = async |uri: &str| {
            let (mut parts, ()) = Request::get(uri).body(()).unwrap().into_parts();
            Page::from_request_parts(&mut parts, &()).await
        };
        let refused = read("/api/v1/x?page=1&limt=2").await.unwrap_err();
        assert_eq!(refused.errors()[0].message, "unknown parameter `limt`, did you mean `limit`?");
        assert_eq!(read("/api/v1/x?page=1&limit=2").await.unwrap(), Page::new(1, 2));
        assert_eq!(read("/api/x?page=1&limt=2").await.unwrap(), Page::new(1, 20));
    }

    #[test]
    fn furthest_offset_fits() {
        assert!(page("/api/x?page=2147483647&limit=200").unwrap().offset() < i64::MAX as u64);
    }
}
