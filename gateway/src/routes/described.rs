//! Every operation that the contract describes. A route that is missing here fails a test.

use utoipa::OpenApi;

use super::calling::{configs, engine, prompts, settings};
use super::{
    applications, calls, dialing, interviews, recordings, screenings, tenants, tree, users, webhook,
};
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
        recordings::recording,
        recordings::recording_proxy,
        calls::place,
        users::import,
        tenants::list,
        tenants::create,
        tenants::close,
        engine::show,
        settings::enabled,
        settings::list,
        settings::put,
        configs::mine,
        configs::put_mine,
        configs::list,
        configs::put,
        configs::create_default,
        configs::show,
        configs::delete,
        prompts::list,
        prompts::create,
        prompts::active,
        prompts::change,
        prompts::delete,
        prompts::interview,
        prompts::put_interview,
        prompts::reset,
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
        (name = "calls", description = "Placing calls."),
        (name = "calling", description = "Who carries calls: providers, configurations, settings."),
        (name = "prompts", description = "What the agent is told."),
        (name = "users", description = "Who may come in."),
        (name = "tenants", description = "Who shares this server."),
        (name = "supervision", description = "Who is alive, and the red button."),
        (name = "live", description = "The feed."),
        (name = "operations", description = "For those who run the server."),
        (name = "contract", description = "This document, and the pages of problems."),
    ),
)]
pub(crate) struct Operations;
