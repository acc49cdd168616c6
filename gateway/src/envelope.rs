//! The bodies of success: one thing, or a page of them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::extract::Page;

/// `{"success": true, "data": …, "message"?: …}`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Data<T> {
    success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    data: T,
}

impl<T> Data<T> {
    /// Wraps `data`.
    pub fn new(data: T) -> Self {
        Self { success: true, message: None, data }
    }

    /// Adds a sentence for a person.
    #[must_use]
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }
}

/// `{"success": true, "data": […], "pagination": {…}, "meta": {…}}`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct List<T> {
    success: bool,
    data: Vec<T>,
    pagination: Pagination,
    meta: Meta,
}

impl<T> List<T> {
    /// Wraps the items of `page`, of `total` that fit the filters.
    pub fn new(data: Vec<T>, page: Page, total: u64, meta: Meta) -> Self {
        Self { success: true, data, pagination: Pagination::new(page, total), meta }
    }

    /// Names the cursors of the neighbouring pages.
    #[must_use]
    pub fn cursors(mut self, next: Option<String>, prev: Option<String>) -> Self {
        self.pagination.next = next;
        self.pagination.prev = prev;
        self
    }
}

/// Where in the whole list a page lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pagination {
    page: u32,
    limit: u32,
    total: u64,
    total_pages: u64,
    has_more: bool,
    next: Option<String>,
    prev: Option<String>,
}

impl Pagination {
    fn new(page: Page, total: u64) -> Self {
        let total_pages = total.div_ceil(u64::from(page.limit()));
        Self {
            page: page.number(),
            limit: page.limit(),
            total,
            total_pages,
            has_more: u64::from(page.number()) < total_pages,
            next: None,
            prev: None,
        }
    }
}

/// When, and at which position of the event log, a page was read: list, then subscribe from `seq`.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Meta {
    /// The instant of the read.
    pub as_of: DateTime<Utc>,
    /// The last event that the page includes.
    pub seq: i64,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn page_says_how_much_there_is() {
        let meta = Meta { as_of: DateTime::UNIX_EPOCH, seq: 7 };
        let list = List::new(vec!["a"], Page::new(2, 20), 41, meta);
        assert_eq!(
            serde_json::to_value(list).unwrap(),
            json!({
                "success": true, "data": ["a"],
                "pagination": {
                    "page": 2, "limit": 20, "total": 41, "totalPages": 3, "hasMore": true,
                    "next": null, "prev": null,
                },
                "meta": {"asOf": "1970-01-01T00:00:00Z", "seq": 7},
            })
        );
    }

    #[test]
    fn nothing_at_all_is_no_page() {
        let pagination = Pagination::new(Page::new(1, 20), 0);
        assert_eq!((pagination.total_pages, pagination.has_more), (0, false));
    }

    #[test]
    fn message_is_left_out_when_there_is_none() {
        assert_eq!(
            serde_json::to_value(Data::new(1)).unwrap(),
            json!({"success": true, "data": 1})
        );
    }
}
