//! Every operation that the contract describes. A route that is missing here fails a test.

use utoipa::OpenApi;

use super::{applications, dialing, interviews, screenings, tree, webhook};
use crate::error::Document;
use crate::{contract, live, ops, problem};

/// The operations, one line a handler; the schemas that they name come along.
#[derive(OpenApi)]
#[openapi(
    paths(
        webhook::take,
        interviews::stats,
        interviews::sync,
        interviews::list,
        interviews::detail,
        interviews::delete,
        screenings::list,
        screenings::detail,
        applications::import,
        tree::show,
        tree::release,
        dialing::show,
        dialing::stop,
        dialing::resume,
        live::upgrade,
        ops::livez,
        ops::readyz,
        ops::health,
        ops::startupz,
        ops::metrics,
        problem::show,
        contract::openapi,
        contract::page,
        contract::asset,
    ),
    components(schemas(Document)),
    tags(
        (name = "interviews", description = "Calls to candidates."),
        (name = "screenings", description = "What became of applications."),
        (name = "supervision", description = "Who is alive, and the red button."),
        (name = "live", description = "The feed."),
        (name = "operations", description = "For those who run the server."),
        (name = "contract", description = "This document, and the pages of problems."),
    ),
)]
pub(crate) struct Operations;
