//! `/openapi.json` and `/docs`: the document, and a page to read it and try it with.

use std::sync::{Arc, LazyLock};

use axum::http::HeaderValue;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::response::{IntoResponse, Response};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use utoipa_swagger_ui::{Config, serve};

use super::sets::one_of;
use crate::error::ApiError;
use crate::extract::Path;
use crate::problem::Code;

/// The page itself; what it loads lies beside it on this server.
const PAGE: &str = include_str!("page.html");

/// What the page loads.
const FILES: [&str; 6] = [
    "favicon-16x16.png",
    "favicon-32x32.png",
    "swagger-initializer.js",
    "swagger-ui-bundle.js",
    "swagger-ui-standalone-preset.js",
    "swagger-ui.css",
];

/// The page may load and ask nothing but this server. It sets styles on what it draws, and its style sheet
/// carries its small pictures inside itself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// The files change with the server's version only.
const KEPT: &str = "max-age=3600";

static SETTINGS: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    // Relative, so that a proxy may put a path before it. Nobody outside is asked whether it is valid.
    let settings = Config::from("openapi.json").validator_url("none").persist_authorization(false);
    Arc::new(settings)
});

/// `GET /openapi.json`: this document.
#[utoipa::path(
    get, path = "/openapi.json", tag = "contract",
    responses((status = 200, description = "An OpenAPI 3.1 document.", body = serde_json::Value)),
)]
pub(crate) async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/json")], super::text()).into_response()
}

/// `GET /docs`: a page that shows this document and sends requests.
#[utoipa::path(
    get, path = "/docs", tag = "contract",
    responses((status = 200, description = "The page.", body = String, content_type = "text/html")),
)]
pub(crate) async fn page() -> Response {
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    (guards(), [(CONTENT_TYPE, kind)], PAGE).into_response()
}

/// `GET /docs/{file}`: what that page loads.
#[utoipa::path(
    get, path = "/docs/{file}", tag = "contract",
    params(("file" = inline(File), Path, description = "One of the page's own files.")),
    responses((
        status = 200, description = "The file.",
        content((String = "text/javascript"), (String = "text/css"), ("image/png")),
    )),
)]
pub(crate) async fn asset(Path(name): Path<String>) -> Result<Response, ApiError> {
    let missing = || ApiError::new(Code::NotFound);
    let name = FILES.into_iter().find(|file| *file == name).ok_or_else(missing)?;
    let found = serve(name, Arc::clone(&SETTINGS));
    let failed = |why: Box<dyn std::error::Error>| ApiError::internal(anyhow::anyhow!("{why}"));
    let file = found.map_err(failed)?.ok_or_else(missing)?;
    let kind = HeaderValue::try_from(file.content_type).map_err(ApiError::internal)?;
    let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, HeaderValue::from_static(KEPT))];
    let mut response = (guards(), headers, file.bytes.into_owned()).into_response();
    if file.gzpipped {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(response)
}

/// The name of one of the page's files.
pub(crate) struct File;

impl PartialSchema for File {
    fn schema() -> RefOr<Schema> {
        one_of(FILES).into()
    }
}

impl ToSchema for File {}

/// Returns the headers under which a browser shows the page.
fn guards() -> [(HeaderName, HeaderValue); 4] {
    [
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_loads_only_files_that_are_served() {
        let named: Vec<&str> =
            PAGE.split("docs/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(!named.is_empty());
        for file in named {
            assert!(FILES.contains(&file), "{file}");
        }
        assert!(!PAGE.contains("//"), "nothing comes from elsewhere");
    }

    #[tokio::test]
    async fn every_file_of_the_page_is_built_in() {
        for file in FILES {
            let response = asset(Path(file.to_owned())).await.unwrap();
            assert_eq!(response.headers()[X_CONTENT_TYPE_OPTIONS], "nosniff", "{file}");
        }
        assert_eq!(asset(Path("index.html".to_owned())).await.unwrap_err().code(), Code::NotFound);
    }
}
