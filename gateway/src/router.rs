//! Every route, in one table. What is not in it is not served, and every line says who may come in.

use std::convert::Infallible;

use axum::Router;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, on};

use crate::auth::{Access, admit};
use crate::edge;
use crate::error::ApiError;
use crate::extract::BodyMax;
use crate::ops;
use crate::problem::{self, Code};
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

    /// A `GET` of handlers that share `state`.
    pub fn get_with<S, H, T>(state: S, path: &'static str, access: Access, handler: H) -> Self
    where
        S: Clone + Send + Sync + 'static,
        H: Handler<T, S>,
        T: 'static,
    {
        let handler = on(MethodFilter::GET, handler).with_state(state);
        Self::new(Method::GET, path, access, handler)
    }

    /// A `POST` of handlers that share `state`.
    pub fn post_with<S, H, T>(state: S, path: &'static str, access: Access, handler: H) -> Self
    where
        S: Clone + Send + Sync + 'static,
        H: Handler<T, S>,
        T: 'static,
    {
        let handler = on(MethodFilter::POST, handler).with_state(state);
        Self::new(Method::POST, path, access, handler)
    }

    /// A `PUT` of handlers that share `state`.
    pub fn put_with<S, H, T>(state: S, path: &'static str, access: Access, handler: H) -> Self
    where
        S: Clone + Send + Sync + 'static,
        H: Handler<T, S>,
        T: 'static,
    {
        let handler = on(MethodFilter::PUT, handler).with_state(state);
        Self::new(Method::PUT, path, access, handler)
    }

    /// A `DELETE` of handlers that share `state`.
    pub fn delete_with<S, H, T>(state: S, path: &'static str, access: Access, handler: H) -> Self
    where
        S: Clone + Send + Sync + 'static,
        H: Handler<T, S>,
        T: 'static,
    {
        let handler = on(MethodFilter::DELETE, handler).with_state(state);
        Self::new(Method::DELETE, path, access, handler)
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
        let door = Door { app: app.clone(), access: self.access, body_max: self.body_max };
        self.handler.route_layer(from_fn_with_state(door, enter))
    }
}

/// What stands before the handler of one route. One layer, because each costs every request.
#[derive(Clone)]
struct Door {
    app: AppState,
    access: Access,
    body_max: BodyMax,
}

/// Lets in whom the route lets in, and says how large the body may be.
async fn enter(
    State(door): State<Door>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    admit(&door.app, door.access, &mut request)?;
    request.extensions_mut().insert(door.body_max);
    Ok(next.run(request).await)
}

/// Returns the routes of this part: the server's own. The wiring appends those of each kind.
pub fn operations() -> Vec<Route> {
    vec![
        Route::get("/livez", Access::Open, ops::livez),
        Route::get("/readyz", Access::Open, ops::readyz),
        Route::get("/health", Access::Open, ops::readyz),
        Route::get("/startupz", Access::Open, ops::startupz),
        Route::get("/metrics", Access::Open, ops::metrics),
        Route::get("/problems/{code}", Access::Open, problem::show),
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
        if is_inherited(path) {
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

fn is_inherited(path: &str) -> bool {
    path.starts_with("/api/") && !path.starts_with("/api/v1/") && !path.ends_with('/')
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
            ["/livez", "/readyz", "/health", "/startupz", "/metrics", "/problems/{code}"]
        );
    }

    #[test]
    fn slash_at_the_end_is_for_inherited_routes() {
        assert!(is_inherited("/api/voice-interviews"));
        assert!(!is_inherited("/api/v1/tree"));
        assert!(!is_inherited("/livez"));
    }
}
