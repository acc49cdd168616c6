//! `/api/mr-hire/call-prompts` and `/api/mr-hire/interview-prompt`: what the agent of a call is told.
//!
//! Recruiters write their own and read the global ones; administrators write all of their tenant's.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::ports::{NewPrompt, PageRequest, PromptEditor, PromptRefusal, Scope};
use domain::prompt::{ActivePrompt, Platform, Prompt};
use uuid::Uuid;

use super::prompts_wire::{
    ActiveQuery, ActiveView, Content, DeletedView, InterviewPromptRequest, NewPromptRequest,
    PromptChangeRequest, PromptView,
};
use super::{Calling, changed};
use crate::auth::Principal;
use crate::contract::sets;
use crate::envelope::{Data, List, Meta};
use crate::error::ApiError;
use crate::extract::{IfMatch, Json as Body, Page, PageParams, Path, Query, etag};
use crate::problem::Code;
use crate::routes::{scope, wrong_parameter};

/// `GET /api/mr-hire/call-prompts`. Lists the caller's own prompts and the global ones; an administrator sees
/// all of the tenant's. The one written last is first.
#[utoipa::path(
    get, path = "/api/mr-hire/call-prompts", tag = "prompts", operation_id = "list_call_prompts",
    params(PageParams),
    responses((status = 200, description = "One page.", body = List<PromptView>)),
)]
pub(crate) async fn list(
    State(calling): State<Arc<Calling>>,
    principal: Principal,
    page: Page,
) -> Result<Json<List<PromptView>>, ApiError> {
    let request = PageRequest { page: page.number(), limit: page.limit() };
    let found = calling.prompts.prompts(editor(&principal), request).await?;
    let meta = Meta { as_of: calling.clock.now(), seq: found.seq };
    let total = u64::try_from(found.total).unwrap_or_default();
    let rows = found.rows.into_iter().map(PromptView::from).collect();
    Ok(Json(List::new(rows, page, total, meta)))
}

/// `POST /api/mr-hire/call-prompts`. Writes a new prompt.
#[utoipa::path(
    post, path = "/api/mr-hire/call-prompts", tag = "prompts", operation_id = "create_call_prompt",
    request_body = NewPromptRequest,
    responses(
        (status = 201, description = "It was written.", body = Data<PromptView>),
        (status = 409, description = "Its owner has as many as anybody may have."),
    ),
)]
pub(crate) async fn create(
    State(calling): State<Arc<Calling>>,
    principal: Principal,
    Body(request): Body<NewPromptRequest>,
) -> Result<Response, ApiError> {
    let Content { name, text, platform, is_active } = request.parse()?;
    let belongs_to = request.belongs_to_id.unwrap_or(Some(principal.sub));
    may_give(&principal, belongs_to)?;
    let prompt = NewPrompt { name, text, platform, belongs_to, is_active };
    let at = calling.clock.now();
    let written = calling.prompts.create_prompt(principal.tenant, prompt, at).await?;
    Ok(answer(StatusCode::CREATED, written.map_err(refused)?))
}

/// `PUT /api/mr-hire/call-prompts/{id}`. Changes a prompt; what is left out stays.
#[utoipa::path(
    put, path = "/api/mr-hire/call-prompts/{id}", tag = "prompts", operation_id = "change_call_prompt",
    params(("id" = Uuid, Path), ("If-Match" = Option<String>, Header)),
    request_body = PromptChangeRequest,
    responses(
        (status = 200, description = "It was changed.", body = Data<PromptView>),
        (status = 409, description = "Its new owner has as many as anybody may have."),
    ),
)]
pub(crate) async fn change(
    State(calling): State<Arc<Calling>>,
    principal: Principal,
    Path(id): Path<Uuid>,
    IfMatch(expected): IfMatch,
    Body(request): Body<PromptChangeRequest>,
) -> Result<Response, ApiError> {
    let change = request.parse()?;
    if let Some(belongs_to) = request.belongs_to_id {
        may_give(&principal, belongs_to)?;
    }
    let (editor, at) = (editor(&principal), calling.clock.now());
    let written = calling.prompts.change_prompt(editor, id, change, expected, at).await?;
    Ok(answer(StatusCode::OK, written.map_err(refused)?))
}

/// `DELETE /api/mr-hire/call-prompts/{id}`. Deletes a prompt.
#[utoipa::path(
    delete, path = "/api/mr-hire/call-prompts/{id}", tag = "prompts", operation_id = "delete_call_prompt",
    params(("id" = Uuid, Path), ("If-Match" = Option<String>, Header)),
    responses((status = 200, description = "It was deleted.", body = Data<DeletedView>)),
)]
pub(crate) async fn delete(
    State(calling): State<Arc<Calling>>,
    principal: Principal,
    Path(id): Path<Uuid>,
    IfMatch(expected): IfMatch,
) -> Result<Json<Data<DeletedView>>, ApiError> {
    let deleted = calling.prompts.delete_prompt(editor(&principal), id, expected).await?;
    deleted.map_err(refused)?;
    Ok(Json(Data::new(DeletedView { id, deleted: true })))
}

/// `GET /api/mr-hire/call-prompts/active`. Shows what the caller's calls on a platform would be told, and why.
#[utoipa::path(
    get, path = "/api/mr-hire/call-prompts/active", tag = "prompts", operation_id = "active_call_prompt",
    params(("platform" = inline(Option<sets::PlatformName>), Query)),
    responses((status = 200, description = "What counts.", body = Data<ActiveView>)),
)]
pub(crate) async fn active(
    State(calling): State<Arc<Calling>>,
    principal: Principal,
    Query(query): Query<ActiveQuery>,
) -> Result<Response, ApiError> {
    let platform = query.platform.as_deref().map(Platform::parse).transpose();
    let platform = platform.map_err(|why| wrong_parameter("platform", why.to_string()))?;
    let (tenant, owner) = (principal.tenant, Some(principal.sub));
    let found = calling.choices.active_prompt(tenant, owner, platform).await?;
    Ok(answer_active(found, |_| true))
}

/// `GET /api/mr-hire/interview-prompt`. Shows what the caller's interviews are told on any platform.
#[utoipa::path(
    get, path = "/api/mr-hire/interview-prompt", tag = "prompts", operation_id = "interview_prompt",
    responses((status = 200, description = "What counts.", body = Data<ActiveView>)),
)]
pub(crate) async fn interview(
    State(calling): State<Arc<Calling>>,
    principal: Principal,
) -> Result<Response, ApiError> {
    show_interview(&calling, &principal).await
}

/// `PUT /api/mr-hire/interview-prompt`. Writes the caller's one active prompt for any platform.
#[utoipa::path(
    put, path = "/api/mr-hire/interview-prompt", tag = "prompts", operation_id = "put_interview_prompt",
    params(("If-Match" = Option<String>, Header)), request_body = InterviewPromptRequest,
    responses(
        (status = 200, description = "It was written.", body = Data<PromptView>),
        (status = 409, description = "The caller has as many as anybody may have."),
    ),
)]
pub(crate) async fn put_interview(
    State(calling): State<Arc<Calling>>,
    principal: Principal,
    IfMatch(expected): IfMatch,
    Body(request): Body<InterviewPromptRequest>,
) -> Result<Response, ApiError> {
    let (name, text) = request.parse()?;
    let (tenant, owner, at) = (principal.tenant, principal.sub, calling.clock.now());
    let asked = calling.prompts.put_interview_prompt(tenant, owner, name, text, expected, at);
    Ok(answer(StatusCode::OK, asked.await?.map_err(refused)?))
}

/// `POST /api/mr-hire/interview-prompt/reset`. Has none of the caller's prompts for any platform count, and
/// shows what counts instead.
#[utoipa::path(
    post, path = "/api/mr-hire/interview-prompt/reset", tag = "prompts",
    operation_id = "reset_interview_prompt",
    responses((status = 200, description = "What counts now.", body = Data<ActiveView>)),
)]
pub(crate) async fn reset(
    State(calling): State<Arc<Calling>>,
    principal: Principal,
) -> Result<Response, ApiError> {
    let (tenant, owner, at) = (principal.tenant, principal.sub, calling.clock.now());
    calling.prompts.reset_interview_prompt(tenant, owner, at).await?;
    show_interview(&calling, &principal).await
}

async fn show_interview(calling: &Calling, principal: &Principal) -> Result<Response, ApiError> {
    let (tenant, owner) = (principal.tenant, Some(principal.sub));
    let found = calling.choices.active_prompt(tenant, owner, None).await?;
    // The version of a global one says nothing of what a PUT here would write over.
    Ok(answer_active(found, |prompt| prompt.belongs_to == owner))
}

/// Answers a prompt, with its version where `has_tag` says that it can be written over.
fn answer_active(active: ActivePrompt, has_tag: impl Fn(&Prompt) -> bool) -> Response {
    let version = match &active {
        ActivePrompt::Stored { prompt, .. } if has_tag(prompt) => Some(prompt.version),
        ActivePrompt::Stored { .. } | ActivePrompt::BuiltIn { .. } => None,
    };
    let body = Json(Data::new(ActiveView::from(active)));
    match version {
        Some(version) => (etag(version), body).into_response(),
        None => body.into_response(),
    }
}

fn answer(status: StatusCode, prompt: Prompt) -> Response {
    let version = prompt.version;
    (status, etag(version), Json(Data::new(PromptView::from(prompt)))).into_response()
}

fn editor(principal: &Principal) -> PromptEditor {
    match scope(principal) {
        Scope::Tenant(tenant) => PromptEditor::Admin(tenant),
        Scope::Owner(tenant, user) => PromptEditor::Owner(tenant, user),
    }
}

/// Whether the caller may write what belongs to `owner`, or to the tenant.
fn may_give(principal: &Principal, owner: Option<Uuid>) -> Result<(), ApiError> {
    match (editor(principal), owner) {
        (PromptEditor::Admin(_), _) => Ok(()),
        (PromptEditor::Owner(_, user), Some(owner)) if user == owner => Ok(()),
        (PromptEditor::Owner(..), Some(_)) => Err(ApiError::new(Code::Forbidden)
            .detail("only administrators write prompts that belong to somebody else")),
        (PromptEditor::Owner(..), None) => Err(refused(PromptRefusal::Global)),
    }
}

fn refused(refusal: PromptRefusal) -> ApiError {
    match refusal {
        PromptRefusal::NotFound => {
            ApiError::new(Code::NotFound).detail("there is no such prompt, or it is not yours")
        }
        PromptRefusal::Global => {
            ApiError::new(Code::Forbidden).detail("global prompts are written by administrators")
        }
        PromptRefusal::Changed(current) => changed(current),
        PromptRefusal::TooMany => ApiError::new(Code::Conflict)
            .detail("nobody may have more than 500 prompts: delete some that do not count"),
    }
}
