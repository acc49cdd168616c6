//! What is known of an application, its job and its candidate.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::policy::{Score, StageWeights, Zone};
use crate::value::Phone;

/// How a job's applications are scored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JobPolicy {
    /// What each stage counts; all alike where none are given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<StageWeights>,
    /// From which final score on a candidate is shortlisted; without one nobody is rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<Score>,
}

impl JobPolicy {
    /// Returns this policy with `defaults` for what it leaves open.
    pub fn or(self, defaults: Self) -> Self {
        Self {
            weights: self.weights.or(defaults.weights),
            threshold: self.threshold.or(defaults.threshold),
        }
    }
}

/// The scores of the stages before the call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StageScores {
    /// Of the resume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<Score>,
    /// Of the quiz.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiz: Option<Score>,
}

/// What a screening needs to know of its application.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApplicationProfile {
    /// Whom to ring.
    pub phone: Phone,
    /// Their name.
    pub candidate_name: String,
    /// Their time zone.
    #[serde(default)]
    pub zone: Zone,
    /// The HR user it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub belongs_to: Option<Uuid>,
    /// The job's title.
    pub job_title: String,
    /// The job's description.
    pub job_description: String,
    /// How it is scored.
    #[serde(default)]
    pub policy: JobPolicy,
    /// The scores of the stages before the call.
    #[serde(default)]
    pub stages: StageScores,
}

/// What a candidate said about themselves, as the analyzer heard it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CandidateInfo {
    /// The current pay, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_ctc: Option<String>,
    /// The pay they expect, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_ctc: Option<String>,
    /// Days until they could start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice_period_days: Option<u32>,
    /// Where they live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Years of work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub years_of_experience: Option<f64>,
}
