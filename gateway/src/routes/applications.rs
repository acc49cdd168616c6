//! `/api/v1/applications/import`: jobs and applications, all or nothing.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use domain::policy::{Score, StageWeights, Zone};
use domain::ports::{ApplicationImport, ImportRefusal, JobPostImport};
use domain::screening::{JobPolicy, StageScores};
use domain::{Kind, Phone};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::checks::Checks;
use super::{Services, wrong_field};
use crate::auth::Principal;
use crate::contract::sets;
use crate::envelope::Data;
use crate::error::{ApiError, FieldError};
use crate::extract::Json as Body;

/// Job posts, and applications, that one import may carry of each.
const ROWS_MAX: usize = 2_000;
/// The longest job description, in characters.
const DESCRIPTION_CHARS_MAX: usize = 20_000;
/// Wrong fields that one answer names; the rest shows when these are right.
pub(super) const ERRORS_MAX: usize = 50;

/// What is imported.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ImportRequest {
    #[serde(default)]
    #[schema(max_items = 2000)]
    job_posts: Vec<JobPostRow>,
    #[serde(default)]
    #[schema(max_items = 2000)]
    applications: Vec<ApplicationRow>,
}

/// A job post; its texts are not blank.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = JobPostImport)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct JobPostRow {
    id: Uuid,
    #[schema(min_length = 1, max_length = 300)]
    title: String,
    #[serde(default)]
    #[schema(max_length = 20000)]
    description: String,
    weights: Option<WeightsRow>,
    /// From which final score on a candidate is shortlisted.
    #[schema(minimum = 0, maximum = 100)]
    threshold: Option<f64>,
}

/// What each stage counts in the final score.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Weights)]
#[serde(deny_unknown_fields)]
struct WeightsRow {
    #[schema(minimum = 0, maximum = 1000000)]
    resume: f64,
    #[schema(minimum = 0, maximum = 1000000)]
    quiz: f64,
    #[schema(minimum = 0, maximum = 1000000)]
    call: f64,
}

/// An application; its candidate's name is not blank.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ApplicationImport)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ApplicationRow {
    id: Uuid,
    job_post_id: Uuid,
    #[schema(min_length = 1, max_length = 300)]
    candidate_name: String,
    #[schema(schema_with = sets::phone)]
    phone_number: String,
    /// An IANA name; India's when left out.
    time_zone: Option<String>,
    /// The recruiter who sees it.
    belongs_to: Option<Uuid>,
    #[schema(minimum = 0, maximum = 100)]
    resume_score: Option<f64>,
    #[schema(minimum = 0, maximum = 100)]
    quiz_score: Option<f64>,
}

/// What an import did.
#[derive(Serialize, ToSchema)]
#[schema(as = Imported)]
#[serde(rename_all = "camelCase")]
pub struct ImportView {
    job_posts: usize,
    applications: usize,
    /// Screenings that learn something new from it; a repeated import adds nothing.
    screenings_told: usize,
}

/// `POST /api/v1/applications/import`. Imports job posts and applications. Writes everything or nothing, and may be
/// repeated: what is known already is brought up to date.
#[utoipa::path(
    post, path = "/api/v1/applications/import", tag = "screenings", request_body = ImportRequest,
    responses((status = 200, description = "What it did.", body = Data<ImportView>)),
)]
pub(super) async fn import(
    State(services): State<Arc<Services>>,
    principal: Principal,
    Body(request): Body<ImportRequest>,
) -> Result<Json<Data<ImportView>>, ApiError> {
    let mut errors = Vec::new();
    bound("jobPosts", request.job_posts.len(), &mut errors);
    bound("applications", request.applications.len(), &mut errors);
    let posts = rows("jobPosts", request.job_posts, JobPostRow::parse, &mut errors);
    let applications: Vec<ApplicationImport> =
        rows("applications", request.applications, ApplicationRow::parse, &mut errors);
    if !errors.is_empty() {
        errors.truncate(ERRORS_MAX);
        return Err(ApiError::invalid_all(errors));
    }
    let ids = Ids::of(&posts, &applications);
    let at = services.clock.now();
    match services.applications.import(principal.tenant, posts, applications, at).await? {
        Ok(report) => {
            services.tree.look_into_inboxes(Kind::Screening, &report.told);
            services.tree.look_into_inboxes(Kind::Interview, &report.asked);
            Ok(Json(Data::new(ImportView {
                job_posts: report.job_posts,
                applications: report.applications,
                screenings_told: report.told.len(),
            })))
        }
        Err(refusal) => Err(ApiError::invalid(ids.blame(refusal))),
    }
}

/// The ids of an import, in the order they came in.
struct Ids {
    posts: Vec<Uuid>,
    applications: Vec<Uuid>,
    jobs_named: Vec<Uuid>,
}

impl Ids {
    fn of(posts: &[JobPostImport], applications: &[ApplicationImport]) -> Self {
        Self {
            posts: posts.iter().map(|row| row.id).collect(),
            applications: applications.iter().map(|row| row.id).collect(),
            jobs_named: applications.iter().map(|row| row.job_post).collect(),
        }
    }

    /// Says which field is to blame, and no word about whose an id is.
    fn blame(&self, refusal: ImportRefusal) -> FieldError {
        let unusable = "this id cannot be used: draw another one";
        let (pointer, code, message) = match refusal {
            ImportRefusal::JobPostUnknown(id) => {
                let pointer = pointer("applications", &self.jobs_named, id, "jobPostId");
                (pointer, "unknown_id", "there is no such job post")
            }
            ImportRefusal::JobPostIdUnusable(id) => {
                (pointer("jobPosts", &self.posts, id, "id"), "unusable_id", unusable)
            }
            ImportRefusal::ApplicationIdUnusable(id) => {
                (pointer("applications", &self.applications, id, "id"), "unusable_id", unusable)
            }
        };
        FieldError { code, ..wrong_field(pointer, message) }
    }
}

/// Points at the first row of a list that has this id.
pub(super) fn pointer(list: &str, ids: &[Uuid], id: Uuid, field: &str) -> String {
    let index = ids.iter().position(|one| *one == id).unwrap_or_default();
    format!("#/{list}/{index}/{field}")
}

pub(super) fn bound(list: &str, len: usize, errors: &mut Vec<FieldError>) {
    if len > ROWS_MAX {
        let message =
            format!("{list} has {len} rows, more than the {ROWS_MAX} an import may carry");
        errors.push(wrong_field(format!("#/{list}"), message));
    }
}

pub(super) fn rows<R, T>(
    list: &str,
    rows: Vec<R>,
    parse: impl Fn(R, &mut Checks) -> Option<T>,
    errors: &mut Vec<FieldError>,
) -> Vec<T> {
    let mut parsed = Vec::with_capacity(rows.len().min(ROWS_MAX));
    for (index, row) in rows.into_iter().take(ROWS_MAX).enumerate() {
        let mut checks = Checks::at(format!("#/{list}/{index}"));
        let row = parse(row, &mut checks).filter(|_| checks.is_clean());
        parsed.extend(row);
        errors.extend(checks.into_errors());
    }
    parsed
}

impl JobPostRow {
    fn parse(self, checks: &mut Checks) -> Option<JobPostImport> {
        checks.filled("title", &self.title);
        checks.text("description", &self.description, DESCRIPTION_CHARS_MAX);
        let weights = self.weights.map(|w| StageWeights::parse(w.resume, w.quiz, w.call));
        let weights = weights.and_then(|parsed| checks.take("weights", parsed));
        let threshold = self.threshold.map(Score::parse);
        let threshold = threshold.and_then(|parsed| checks.take("threshold", parsed));
        Some(JobPostImport {
            id: self.id,
            title: self.title,
            description: self.description,
            policy: JobPolicy { weights, threshold },
        })
    }
}

impl ApplicationRow {
    fn parse(self, checks: &mut Checks) -> Option<ApplicationImport> {
        checks.filled("candidateName", &self.candidate_name);
        let phone = checks.take("phoneNumber", Phone::parse(&self.phone_number));
        let zone = self.time_zone.as_deref().map(Zone::parse);
        let zone = zone.and_then(|parsed| checks.take("timeZone", parsed));
        let resume = self.resume_score.map(Score::parse);
        let resume = resume.and_then(|parsed| checks.take("resumeScore", parsed));
        let quiz = self.quiz_score.map(Score::parse);
        let quiz = quiz.and_then(|parsed| checks.take("quizScore", parsed));
        Some(ApplicationImport {
            id: self.id,
            job_post: self.job_post_id,
            candidate_name: self.candidate_name,
            phone: phone?,
            zone: zone.map(|zone| zone.name().to_owned()),
            belongs_to: self.belongs_to,
            stages: StageScores { resume, quiz },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::checks::NAME_CHARS_MAX;

    #[test]
    fn limits_are_described_as_they_are() {
        let schemas = &crate::contract::document()["components"]["schemas"];
        let of = |schema: &str, field: &str| &schemas[schema]["properties"][field];
        for list in ["jobPosts", "applications"] {
            assert_eq!(of("ImportRequest", list)["maxItems"], ROWS_MAX);
        }
        assert_eq!(of("UsersRequest", "users")["maxItems"], ROWS_MAX);
        for name in [
            of("TenantRequest", "name"),
            of("CallRequest", "candidateName"),
            of("CallRequest", "role"),
        ] {
            assert_eq!(
                (&name["minLength"], &name["maxLength"]),
                (&1.into(), &NAME_CHARS_MAX.into())
            );
        }
        assert_eq!(of("JobPostImport", "title")["maxLength"], NAME_CHARS_MAX);
        assert_eq!(of("ApplicationImport", "candidateName")["maxLength"], NAME_CHARS_MAX);
        assert_eq!(of("JobPostImport", "description")["maxLength"], DESCRIPTION_CHARS_MAX);
    }

    #[test]
    fn list_that_is_too_long_is_refused_with_its_length_and_the_limit() {
        let mut errors = Vec::new();
        bound("applications", ROWS_MAX, &mut errors);
        assert!(errors.is_empty());
        bound("applications", 5_000, &mut errors);
        let said = "applications has 5000 rows, more than the 2000 an import may carry";
        assert_eq!(
            (errors[0].pointer.as_str(), errors[0].message.as_str()),
            ("#/applications", said)
        );
    }
}
