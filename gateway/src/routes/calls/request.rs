//! What somebody wants when they ask for a call, parsed at the edge.

use std::collections::BTreeMap;

use domain::policy::Zone;
use domain::prompt::call_values;
use domain::{Phone, Provider};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};
use uuid::Uuid;

use crate::auth::{Caller, Role};
use crate::contract::sets;
use crate::error::ApiError;
use crate::routes::checks::Checks;

/// Variables that one request may bring.
const VARIABLES_MAX: usize = 50;
/// The longest name of a variable, in bytes.
const VARIABLE_NAME_BYTES_MAX: usize = 64;
/// The longest value of a variable, in bytes.
const VARIABLE_BYTES_MAX: usize = 4 * 1024;
/// The variables that come from fields of their own, in both spellings.
const BUILT_IN: [&str; 6] =
    ["candidateName", "candidate_name", "role", "jobTitle", "job_title", "phone"];

/// The body of `POST /api/mr-hire/call`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallRequest {
    /// Whom to ring.
    #[serde(alias = "phone_number")]
    #[schema(schema_with = sets::phone)]
    phone_number: String,
    /// Their name; not blank.
    #[serde(alias = "candidate_name")]
    #[schema(min_length = 1, max_length = 300)]
    candidate_name: String,
    /// The job's title; not blank.
    #[schema(min_length = 1, max_length = 300)]
    role: String,
    /// The application the call is for; a service must name one.
    #[serde(default, alias = "application_id")]
    application_id: Option<Uuid>,
    /// The recruiter whose call it is; a service must name one, a recruiter is always their own.
    #[serde(default, alias = "belongs_to")]
    belongs_to: Option<Uuid>,
    /// Who shall carry it.
    #[serde(default)]
    #[schema(inline, value_type = Option<sets::ProviderName>)]
    provider: Option<String>,
    /// The callee's time zone, as an IANA name; the application's, or India's, where nobody says.
    #[serde(default, alias = "timeZone", alias = "time_zone")]
    timezone: Option<String>,
    /// Further values for the prompt.
    #[serde(default)]
    #[schema(schema_with = variables)]
    variables: Option<BTreeMap<String, String>>,
}

/// What the document says of [`CallRequest::variables`].
fn variables() -> Object {
    let name = format!("^[A-Za-z_][A-Za-z0-9_]{{0,{}}}$", VARIABLE_NAME_BYTES_MAX - 1);
    let value = ObjectBuilder::new().schema_type(Type::String).max_length(Some(VARIABLE_BYTES_MAX));
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Object, Type::Null]))
        .description(Some(
            "Further values for the prompt. What has a field of its own is none of them.",
        ))
        .max_properties(Some(VARIABLES_MAX))
        .property_names(Some(ObjectBuilder::new().schema_type(Type::String).pattern(Some(name))))
        .additional_properties(Some(value))
        .build()
}

/// A call as somebody wants it.
pub(super) struct Wanted {
    pub phone: Phone,
    pub candidate_name: String,
    pub role: String,
    pub application: Option<Uuid>,
    pub owner: Uuid,
    pub provider: Option<Provider>,
    pub zone: Option<Zone>,
    /// What the prompt is filled with, the built-in variables included.
    pub values: BTreeMap<String, String>,
}

impl CallRequest {
    /// Parses the request of `caller`.
    ///
    /// # Errors
    /// [`ApiError`] with everything that is wrong with it.
    pub(super) fn parse(self, caller: &Caller) -> Result<Wanted, ApiError> {
        let mut checks = Checks::default();
        let phone = checks.take("phoneNumber", Phone::parse(&self.phone_number));
        checks.filled("candidateName", &self.candidate_name);
        checks.filled("role", &self.role);
        let provider = self.provider.as_deref().map(Provider::parse);
        let provider = provider.and_then(|parsed| checks.take("provider", parsed));
        let zone = self.timezone.as_deref().map(Zone::parse);
        let zone = zone.and_then(|parsed| checks.take("timezone", parsed));
        let mut values = self.variables.unwrap_or_default();
        bound(&mut checks, &values);
        let owner = match caller {
            Caller::Service => {
                required(&mut checks, "applicationId", self.application_id);
                required(&mut checks, "belongsTo", self.belongs_to)
            }
            Caller::Person(person) => match person.role {
                Role::Admin | Role::Superadmin => Some(self.belongs_to.unwrap_or(person.sub)),
                Role::SalesHead
                | Role::Hr
                | Role::ExternalHr
                | Role::BatchLead
                | Role::Student
                | Role::Agent => Some(person.sub),
            },
        };
        let (Some(phone), Some(owner), true) = (phone, owner, checks.is_clean()) else {
            return Err(checks.refusal());
        };
        values.extend(call_values(&self.candidate_name, &self.role, &phone));
        Ok(Wanted {
            phone,
            candidate_name: self.candidate_name,
            role: self.role,
            application: self.application_id,
            owner,
            provider,
            zone,
            values,
        })
    }
}

/// A service says what a person's token says of them.
fn required<T>(checks: &mut Checks, field: &str, value: Option<T>) -> Option<T> {
    if value.is_none() {
        checks.wrong_as("required", field, "a service must say this");
    }
    value
}

fn bound(checks: &mut Checks, values: &BTreeMap<String, String>) {
    if values.len() > VARIABLES_MAX {
        let count = values.len();
        checks.wrong("variables", format!("{count} variables, more than {VARIABLES_MAX}"));
        return;
    }
    for (name, value) in values {
        if !is_plain(name) {
            // The name is not repeated: a pointer could not hold it.
            let message = "a name is 1 to 64 letters, digits and underscores, no digit first";
            checks.wrong("variables", message);
        } else if BUILT_IN.contains(&name.as_str()) {
            checks.wrong(&format!("variables/{name}"), "this variable has a field of its own");
        } else if value.len() > VARIABLE_BYTES_MAX {
            let message = format!("is longer than {VARIABLE_BYTES_MAX} bytes");
            checks.wrong(&format!("variables/{name}"), message);
        }
    }
}

fn is_plain(name: &str) -> bool {
    (1..=VARIABLE_NAME_BYTES_MAX).contains(&name.len())
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn request(change: Value) -> Result<Wanted, ApiError> {
        let mut body = json!({
            "phoneNumber": "+919529117230", "candidateName": "Asha Rao", "role": "Nurse",
            "applicationId": Uuid::nil(), "belongsTo": Uuid::nil(),
        });
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        serde_json::from_value::<CallRequest>(body).unwrap().parse(&Caller::Service)
    }

    fn refused(change: Value) -> Vec<String> {
        let Err(error) = request(change) else { panic!("it was taken") };
        error.errors().iter().map(|error| error.pointer.clone()).collect()
    }

    #[test]
    fn each_wrong_field_is_pointed_at_and_all_of_them_at_once() {
        for (field, wrong) in [
            ("phoneNumber", json!("9529117230")),
            ("candidateName", json!("  ")),
            ("candidateName", json!("é".repeat(301))),
            ("role", json!("")),
            ("provider", json!("twilio")),
            ("timezone", json!("Mars/Olympus")),
            ("applicationId", Value::Null),
            ("belongsTo", Value::Null),
        ] {
            assert_eq!(refused(json!({field: wrong})), [format!("#/{field}")]);
        }
        let both = refused(json!({"phoneNumber": "1", "role": ""}));
        assert_eq!(both, ["#/phoneNumber", "#/role"]);
    }

    #[test]
    fn variables_are_bounded_in_number_name_and_size() {
        let many: BTreeMap<_, _> = (0..51).map(|n| (format!("v{n}"), "x")).collect();
        assert_eq!(refused(json!({"variables": many})), ["#/variables"]);
        let at = |name: &str, value: &str| refused(json!({"variables": {name: value}}));
        assert_eq!(at("a-b", "x"), ["#/variables"]);
        assert_eq!(at("1a", "x"), ["#/variables"]);
        assert_eq!(at("", "x"), ["#/variables"]);
        assert_eq!(at("candidate_name", "x"), ["#/variables/candidate_name"]);
        assert_eq!(at("notes", &"x".repeat(4_097)), ["#/variables/notes"]);
        let taken = request(json!({"variables": {"notes": "x".repeat(4_096)}})).ok().unwrap();
        assert_eq!((taken.values.len(), &*taken.values["phone"]), (5, "+919529117230"));
    }
}
