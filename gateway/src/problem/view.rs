//! `GET /problems/{code}`: the page an error body points at.

use axum::http::HeaderMap;
use axum::response::{Html, IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::Code;
use crate::accept;
use crate::contract::sets;
use crate::envelope::Data;
use crate::error::ApiError;
use crate::extract::{Json, Path};

/// What a code means.
#[derive(Serialize, ToSchema)]
#[schema(as = ProblemPage)]
#[serde(rename_all = "camelCase")]
struct View {
    #[schema(schema_with = sets::code)]
    code: &'static str,
    status: u16,
    title: &'static str,
    meaning: &'static str,
    cause: &'static str,
    fix: &'static str,
    retry_after_s: Option<u64>,
}

/// `GET /problems/{code}`: explains one code. As HTML where `Accept` names it.
#[utoipa::path(
    get, path = "/problems/{code}", tag = "contract",
    params(("code" = inline(Code), Path, description = "The `code` of a problem.")),
    responses((
        status = 200, description = "What it means, where it comes from, what to do.",
        content((Data<View> = "application/json"), (String = "text/html")),
    )),
)]
pub(crate) async fn show(
    headers: HeaderMap,
    Path(name): Path<String>,
) -> Result<Response, ApiError> {
    let code = Code::named(&name).ok_or_else(|| ApiError::new(Code::NotFound))?;
    let view = View::of(code);
    Ok(if accept::names(&headers, "text/html") {
        Html(view.to_html()).into_response()
    } else {
        Json(Data::new(view)).into_response()
    })
}

impl View {
    fn of(code: Code) -> Self {
        let page = code.page();
        Self {
            code: code.name(),
            status: code.status().as_u16(),
            title: page.title,
            meaning: page.meaning,
            cause: page.cause,
            fix: page.fix,
            retry_after_s: code.retry_after_s(),
        }
    }

    fn to_html(&self) -> String {
        let retry = match self.retry_after_s {
            Some(seconds) => format!("after {seconds} s or more"),
            None => "no: the same request will fail again".to_owned(),
        };
        format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\
             <style>body{{font:16px/1.5 system-ui;max-width:40em;margin:3em auto;padding:0 1em}}\
             dt{{font-weight:600;margin-top:1em}}dd{{margin:0}}</style>\
             <h1>{title}</h1><p>{meaning}</p><dl><dt>Code</dt><dd><code>{code}</code></dd>\
             <dt>Status</dt><dd>{status}</dd><dt>Cause</dt><dd>{cause}</dd>\
             <dt>What to do</dt><dd>{fix}</dd><dt>Worth repeating</dt><dd>{retry}</dd></dl></html>",
            title = self.title,
            code = self.code,
            status = self.status,
            meaning = escape(self.meaning),
            cause = escape(self.cause),
            fix = escape(self.fix),
        )
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_is_escaped_html() {
        let html = View::of(Code::Unauthenticated).to_html();
        assert!(html.contains("Bearer &lt;token&gt;"), "{html}");
    }
}
