//! Every route, in one table. What is not in it is not served, and every line says who may come in.

use std::convert::Infallible;

use axum::Router;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, on};

use crate::auth::{Access, Visitor, admit};
use crate::contract;
use crate::edge;
use crate::error::{ApiError, code_of};
use crate::extract::{BodyMax, Family, refuse_parameters};
use crate::ops;
use crate::problem::{self, Code};
use crate::server::Remote;
use crate::state::AppState;

/// One line of the table.
pub struct Route {
    method: Method,
    path: &'static str,
    access: Access,
    body_max: BodyMax,
    handler: MethodRouter<AppState, Infallible>,
}

impl Route {
    /// A `GET`, which also answers `HEAD`.
    pub fn get<H: Handler<T, AppState>, T: 'static>(
        path: &'static str,
        access: Access,
        handler: H,
    ) -> Self {
        Self::on(Method::GET, MethodFilter::GET, path, access, handler)
    }

    /// A `POST`.
    pub fn post<H: Handler<T, AppState>, T: 'static>(
        path: &'static str,
        access: Access,
        handler: H,
    ) -> Self {
        Self::on(Method::POST, MethodFilter::POST, path, access, handler)
    }

    /// A `PUT`.
    pub fn put<H: Handler<T, AppState>, T: 'static>(
        path: &'static str,
        access: Access,
        handler: H,
    ) -> Self {
        Self::on(Method::PUT, MethodFilter::PUT, path, access, handler)
    }

    /// A `PATCH`.
    pub fn patch<H: Handler<T, AppState>, T: 'static>(
        path: &'static str,
        access: Access,
        handler: H,
    ) -> Self {
        Self::on(Method::PATCH, MethodFilter::PATCH, path, access, handler)
    }

    /// A `DELETE`.
    pub fn delete<H: Handler<T, AppState>, T: 'static>(
        path: &'static str,
        access: Access,
        handler: H,
    ) -> Self {
        Self::on(Method::DELETE, MethodFilter::DELETE, path, access, handler)
    }

    /// A `GET` of handlers that share `state`; without it the line only tells what it is.
    pub fn get_with<S, H, T>(
        state: Option<S>,
        path: &'static str,
        access: Access,
        handler: H,
    ) -> Self
    where
        S: Clone + Send + Sync + 'static,
        H: Handler<T, S>,
        T: 'static,
    {
        Self::with(state, Method::GET, MethodFilter::GET, path, access, handler)
    }

    /// A `POST` of handlers that share `state`; as [`Self::get_with`].
    pub fn post_with<S, H, T>(
        state: Option<S>,
        path: &'static str,
        access: Access,
        handler: H,
    ) -> Self
    where
        S: Clone + Send + Sync + 'static,
        H: Handler<T, S>,
        T: 'static,
    {
        Self::with(state, Method::POST, MethodFilter::POST, path, access, handler)
    }

    /// A `PUT` of handlers that share `state`; as [`Self::get_with`].
    pub fn put_with<S, H, T>(
        state: Option<S>,
        path: &'static str,
        access: Access,
        handler: H,
    ) -> Self
    where
        S: Clone + Send + Sync + 'static,
        H: Handler<T, S>,
        T: 'static,
    {
        Self::with(state, Method::PUT, MethodFilter::PUT, path, access, handler)
    }

    /// A `DELETE` of handlers that share `state`; as [`Self::get_with`].
    pub fn delete_with<S, H, T>(
        state: Option<S>,
        path: &'static str,
        access: Access,
        handler: H,
    ) -> Self
    where
        S: Clone + Send + Sync + 'static,
        H: Handler<T, S>,
        T: 'static,
    {
        Self::with(state, Method::DELETE, MethodFilter::DELETE, path, access, handler)
    }

    /// Takes bodies of another size than the usual one of its kind.
    #[must_use]
    pub fn body_max(mut self, max: BodyMax) -> Self {
        self.body_max = max;
        self
    }

    /// Returns the method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Returns the path, with its captures in braces.
    pub fn path(&self) -> &'static str {
        self.path
    }

    /// Returns who may come in.
    pub fn access(&self) -> Access {
        self.access
    }

    fn on<H: Handler<T, AppState>, T: 'static>(
        method: Method,
        filter: MethodFilter,
        path: &'static str,
        access: Access,
        handler: H,
    ) -> Self {
        Self::new(method, path, access, on(filter, handler))
    }

    /// A line of handlers that share `state`.
    fn with<S, H, T>(
        state: Option<S>,
        method: Method,
        filter: MethodFilter,
        path: &'static str,
        access: Access,
        handler: H,
    ) -> Self
    where
        S: Clone + Send + Sync + 'static,
        H: Handler<T, S>,
        T: 'static,
    {
        let handler = state.map(|state| on(filter, handler).with_state(state));
        Self::new(method, path, access, handler.unwrap_or_default())
    }

    fn new(
        method: Method,
        path: &'static str,
        access: Access,
        handler: MethodRouter<AppState, Infallible>,
    ) -> Self {
        let body_max = match access {
            Access::Webhook(_) => BodyMax::WEBHOOK,
            _ => BodyMax::REST,
        };
        Self { method, path, access, body_max, handler }
    }

    /// Puts the door in front of the handler.
    fn guarded(self, app: &AppState) -> MethodRouter<AppState, Infallible> {
        let door = Door {
            app: app.clone(),
            access: self.access,
            body_max: self.body_max,
            asks_by: AsksBy::of(self.path),
            query: QueryKind::of(&self),
        };
        self.handler.route_layer(from_fn_with_state(door, enter))
    }
}

/// What stands before the handler of one route. One layer, because each costs every request.
#[derive(Clone)]
struct Door {
    app: AppState,
    access: Access,
    body_max: BodyMax,
    asks_by: AsksBy,
    query: QueryKind,
}

/// Who reads a route's query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum QueryKind {
    /// The handler, or nobody where the route forgives.
    Handlers,
    /// Nobody, and there must be no parameter: one that nobody reads would be taken for heeded.
    Refused,
}

impl QueryKind {
    fn of(route: &Route) -> Self {
        let is_strict = Family::of(route.path).is_strict();
        match contract::has_parameters(route) {
            Some(false) if is_strict => Self::Refused,
            _ => Self::Handlers,
        }
    }
}

/// What a route is asked by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AsksBy {
    /// Its path alone.
    Path,
    /// An id, at which somebody may guess.
    Id,
}

impl AsksBy {
    fn of(path: &str) -> Self {
        if path.contains('{') { Self::Id } else { Self::Path }
    }
}

/// Lets in whom the route lets in, says how large the body may be, and counts what came of it.
async fn enter(
    State(door): State<Door>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let remote = Remote::of(request.extensions());
    let visitor = admit(&door.app, door.access, &mut request).await?;
    if door.query == QueryKind::Refused {
        refuse_parameters(request.uri())?;
    }
    request.extensions_mut().insert(door.body_max);
    let rates = &door.app.rates;
    match visitor {
        Visitor::Unnamed => {
            let response = next.run(request).await;
            if door.access == Access::InBand && response.status() == StatusCode::UNAUTHORIZED {
                rates.refused(remote);
            }
            Ok(response)
        }
        Visitor::Person(principal, left) => {
            if door.asks_by == AsksBy::Id {
                rates.may_look(&principal)?;
            }
            let mut response = next.run(request).await;
            if door.asks_by == AsksBy::Id && code_of(&response).is_some_and(is_a_guess) {
                rates.missed(&principal)?;
            }
            if let Some(left) = left {
                left.put(response.headers_mut());
            }
            Ok(response)
        }
    }
}

/// Whether a failure says that nothing has the id. A recording that is missing says that its interview is there.
fn is_a_guess(code: Code) -> bool {
    matches!(code, Code::NotFound | Code::InterviewNotFound | Code::NotInQuarantine)
}

/// Returns the routes of this part: the server's own. The wiring appends those of each kind.
pub fn operations() -> Vec<Route> {
    vec![
        Route::get("/livez", Access::Open, ops::livez),
        Route::get("/readyz", Access::Open, ops::readyz),
        Route::get("/health", Access::Open, ops::health),
        Route::get("/startupz", Access::Open, ops::startupz),
        Route::get("/metrics", Access::Open, ops::metrics),
        Route::get("/problems/{code}", Access::Open, problem::show),
        Route::get("/openapi.json", Access::Open, contract::openapi),
        Route::get("/docs", Access::Open, contract::page),
        Route::get("/docs/{file}", Access::Open, contract::asset),
    ]
}

/// Builds the service from `table`.
///
/// An inherited route is served with and without a slash at its end, as the servers were that its
/// clients were written against.
pub fn build(app: &AppState, table: Vec<Route>) -> Router {
    let mut router = Router::new();
    for route in table {
        let path = route.path;
        let handler = route.guarded(app);
        if Family::is_inherited(path) {
            router = router.route(&format!("{path}/"), handler.clone());
        }
        router = router.route(path, handler);
    }
    router
        .fallback(no_such_route)
        .method_not_allowed_fallback(no_such_method)
        .layer(from_fn_with_state(app.clone(), edge::around))
        .with_state(app.clone())
}

async fn no_such_route(request: Request) -> ApiError {
    let (method, path) = (request.method(), request.uri().path());
    ApiError::new(Code::RouteNotFound).detail(format!("{method} {path} is not served here"))
}

async fn no_such_method(request: Request) -> ApiError {
    let (method, path) = (request.method(), request.uri().path());
    ApiError::new(Code::MethodNotAllowed).detail(format!("{path} is not served with {method}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_to_everybody_is_exactly_this() {
        let table = operations();
        let open = table.iter().filter(|route| route.access == Access::Open);
        assert_eq!(
            open.map(Route::path).collect::<Vec<_>>(),
            [
                "/livez",
                "/readyz",
                "/health",
                "/startupz",
                "/metrics",
                "/problems/{code}",
                "/openapi.json",
                "/docs",
                "/docs/{file}",
            ]
        );
    }

    #[test]
    fn query_is_refused_on_the_native_routes_that_describe_no_parameter() {
        let refuses = |method: Method, path: &str| {
            let table = contract::table();
            let is_it = |route: &&Route| route.path == path && route.method == method;
            QueryKind::of(table.iter().find(is_it).unwrap()) == QueryKind::Refused
        };
        assert!(refuses(Method::GET, "/api/v1/tree"));
        assert!(refuses(Method::POST, "/api/v1/dialing/stop"));
        assert!(refuses(Method::PUT, "/api/v1/system-config/{key}"));
        assert!(!refuses(Method::GET, "/api/v1/tenants"), "pages");
        assert!(!refuses(Method::POST, "/api/mr-hire/call"), "inherited");
        assert!(!refuses(Method::GET, "/readyz"));
    }

    #[test]
    fn slash_at_the_end_is_for_inherited_routes() {
        assert!(Family::is_inherited("/api/voice-interviews"));
        assert!(!Family::is_inherited("/api/v1/tree"));
        assert!(!Family::is_inherited("/livez"));
    }
}
