//! The engine's object of a call, as a webhook's body and as the answer to a pull.

use domain::interview::{CallReport, CallStatus, FailureReason, SaidTurn, TurnRole, Turns};
use domain::ports::{Evidence, EvidenceReader, Unusable};
use domain::{CallId, CostUsd, EntityId, IntentId, InvalidValue, Phone, Provider, Seconds};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::fields::{Fields, clean};
use super::mend::{self, Read};

/// Turns read of one report; a call of two hours has some hundreds.
const TURNS_MAX: usize = 10_000;
/// The longest event name that is used as a name, in bytes.
const EVENT_ID_BYTES_MAX: usize = 200;

/// Reads the engine's webhooks.
#[derive(Clone, Copy, Debug, Default)]
pub struct MrHireReader;

impl EvidenceReader for MrHireReader {
    fn read(&self, body: &[u8]) -> Result<Evidence, Unusable> {
        let unusable = |pointer, why: String| Unusable { pointer, why };
        let Read { value, is_mended } = mend::read(body)
            .map_err(|error| unusable("#", format!("the body is no JSON: {error}")))?;
        let Value::Object(object) = value else {
            return Err(unusable("#", "the body is no JSON object".to_owned()));
        };
        read_object(&Read { value: object, is_mended })
    }
}

/// Reads the object of a call.
pub(super) fn read_object(object: &Read<Map<String, Value>>) -> Result<Evidence, Unusable> {
    let mut fields = Fields::of(object);
    let call_id = match fields.value("callId") {
        Some(Value::String(text)) => CallId::parse(text)
            .map_err(|error| Unusable { pointer: "#/callId", why: error.to_string() })?,
        Some(_) => return Err(no_call_id("callId is not a text")),
        None => return Err(no_call_id("callId is missing")),
    };
    let report = CallReport {
        status: fields.parsed("status", CallStatus::parse),
        provider: fields.parsed("provider", Provider::parse),
        phone: fields.parsed("phoneNumber", Phone::parse),
        candidate_name: fields.text("candidateName"),
        duration: fields.number("duration", Seconds::parse),
        cost: fields.number("cost", CostUsd::parse),
        transcript: fields.text("transcript"),
        recording_url: fields.parsed("recordingUrl", web_address),
        summary: fields.text("summary"),
        application: fields.parsed("applicationId", uuid).map(EntityId),
        belongs_to: fields.parsed("belongsTo", uuid),
        messages: messages(&mut fields),
        failure_reason: fields.parsed("failureReason", FailureReason::parse_reported),
        intent: intent(&mut fields),
        occurred_at: fields.parsed("occurredAt", instant),
        call_id,
    };
    let event_id = fields.parsed("eventId", event_name);
    Ok(Evidence { report, event_id, remarks: fields.remarks() })
}

fn no_call_id(why: &str) -> Unusable {
    Unusable { pointer: "#/callId", why: why.to_owned() }
}

fn messages(fields: &mut Fields<'_>) -> Option<Turns> {
    let Value::Array(rows) = fields.value("messages")? else {
        fields.remark("messages", "is not a list");
        return None;
    };
    let mut said = Vec::with_capacity(rows.len().min(TURNS_MAX));
    let mut unread = rows.len().saturating_sub(TURNS_MAX);
    for row in rows.iter().take(TURNS_MAX) {
        match turn(row) {
            Some(turn) => {
                fields.remark_loss("messages", &turn.message);
                said.push(SaidTurn { message: clean(&turn.message), ..turn });
            }
            None => unread += 1,
        }
    }
    if unread > 0 {
        fields.remark("messages", format_args!("has {unread} turns that could not be read"));
    }
    Some(Turns::cleaned(said))
}

fn turn(row: &Value) -> Option<SaidTurn> {
    let message = match row.get("message") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(_) => return None,
    };
    Some(SaidTurn {
        role: TurnRole::read(row.get("role")?.as_str()?),
        message,
        sequence_order: row
            .get("sequenceOrder")
            .or_else(|| row.get("sequence_order"))
            .and_then(Value::as_i64),
    })
}

/// A name that tells deliveries apart. Of two that lost a character each could be the other one, and the
/// second would be taken for a repetition: the bytes tell such deliveries apart better.
fn event_name(text: &str) -> Result<String, InvalidValue> {
    let invalid = |why| Err(InvalidValue { what: "event id", why });
    if text.len() > EVENT_ID_BYTES_MAX {
        return invalid("is longer than 200 bytes");
    }
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return invalid("has lost characters");
    }
    Ok(text.to_owned())
}

/// Our intent, from the metadata that the engine echoes. Others' metadata is theirs.
fn intent(fields: &mut Fields<'_>) -> Option<IntentId> {
    let text = fields.value("metadata")?.get("intentId")?.as_str()?;
    match Uuid::parse_str(text) {
        Ok(id) => Some(IntentId(id)),
        Err(_) => {
            fields.remark("metadata/intentId", "is no UUID");
            None
        }
    }
}

fn uuid(text: &str) -> Result<Uuid, InvalidValue> {
    Uuid::parse_str(text).map_err(|_| InvalidValue { what: "id", why: "is no UUID" })
}

fn instant(text: &str) -> Result<chrono::DateTime<chrono::Utc>, InvalidValue> {
    chrono::DateTime::parse_from_rfc3339(text)
        .map(|at| at.to_utc())
        .map_err(|_| InvalidValue { what: "instant", why: "is not in RFC 3339" })
}

fn web_address(text: &str) -> Result<String, InvalidValue> {
    let why = "is no http or https address of at most 2,048 bytes";
    let is_web = text.starts_with("https://") || text.starts_with("http://");
    if is_web && text.len() <= 2_048 && !text.chars().any(char::is_whitespace) {
        Ok(text.to_owned())
    } else {
        Err(InvalidValue { what: "address", why })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Evidence, Unusable> {
        MrHireReader.read(body.as_bytes())
    }

    #[test]
    fn whole_webhook_is_read() {
        let evidence = read(
            r#"{"eventId":"evt_77","occurredAt":"2026-11-20T10:03:40Z","attempt":1,"callId":"call_1",
                "status":"ended","provider":"vapi","phoneNumber":"+919529117230","duration":214.6,
                "cost":0.38,"transcript":"assistant: Hello","summary":"fine",
                "applicationId":"8c1f0000-0000-4000-8000-000000000001","belongsTo":null,
                "messages":[{"role":"assistant","message":"Hello","sequenceOrder":0},
                            {"role":"tool","message":"  "}]}"#,
        )
        .unwrap();
        assert_eq!(evidence.event_id.as_deref(), Some("evt_77"));
        assert_eq!(evidence.remarks, None);
        assert_eq!(evidence.report.status, Some(CallStatus::Ended));
        assert_eq!(evidence.report.duration.map(Seconds::get), Some(214.6));
        assert_eq!(evidence.report.messages.unwrap().as_slice().len(), 1);
    }

    #[test]
    fn columns_of_the_seed_are_understood_too() {
        let evidence = read(r#"{"call_id":"c","phone_number":"+919529117230"}"#).unwrap();
        assert!(evidence.report.phone.is_some());
    }

    #[test]
    fn what_does_not_parse_is_dropped_and_named() {
        let evidence = read(
            r#"{"callId":"c","status":"exploded","duration":"long","cost":-1,
                "recordingUrl":"javascript:alert(1)","applicationId":"x","messages":{}}"#,
        )
        .unwrap();
        assert_eq!(evidence.report, CallReport::of(CallId::parse("c").unwrap()));
        let remarks = evidence.remarks.unwrap();
        for field in ["status", "duration", "cost", "recordingUrl", "applicationId", "messages"] {
            assert!(remarks.contains(field), "{field} is not named in: {remarks}");
        }
    }

    #[test]
    fn remark_names_its_field_once_and_says_what_is_wrong_with_it() {
        let evidence = read(
            r#"{"callId":"c","status":"exploded","duration":-1,"cost":"much","provider":7,
                "messages":[{"role":"user","message":"a\u0000"},{"role":"user","message":"b\u0000"}]}"#,
        );
        assert_eq!(
            evidence.unwrap().remarks.unwrap().split("; ").collect::<Vec<_>>(),
            [
                "status is none of queued, ringing, in-progress, ended, failed",
                "provider is a number and not a text",
                "duration is not between 0 s and a week",
                "cost is a text and not a number",
                "messages has characters that could not be read: they became U+FFFD",
            ]
        );
    }

    #[test]
    fn number_that_no_double_holds_costs_its_field_and_nothing_else() {
        let evidence = read(
            r#"{"callId":"c","status":"ended","duration":1e999,"cost":-1e999,"summary":1e999,
                "other":[1e999],"messages":[{"role":"user","message":"x","sequenceOrder":1e999}]}"#,
        )
        .unwrap();
        assert_eq!(evidence.report.status, Some(CallStatus::Ended));
        assert_eq!((evidence.report.duration, evidence.report.cost), (None, None));
        assert_eq!(evidence.report.messages.unwrap().as_slice().len(), 1);
        assert_eq!(
            evidence.remarks.as_deref(),
            Some(
                "duration is not between 0 s and a week; cost is not between 0 and 10,000 dollars; \
                 summary is a number and not a text"
            )
        );
    }

    #[test]
    fn call_id_that_lost_a_character_names_no_call() {
        for lost in [r"call_\ud800", r"call_\ud801", r"call_\ufffd"] {
            let refused = read(&format!(r#"{{"callId":"{lost}","status":"ended"}}"#)).unwrap_err();
            assert_eq!(
                (refused.pointer, refused.why.as_str()),
                ("#/callId", "call id has lost characters")
            );
        }
    }

    #[test]
    fn event_name_that_lost_a_character_does_not_name_its_event() {
        for (id, why) in [
            (r"\ud800".to_owned(), "has lost characters"),
            ("e".repeat(201), "is longer than 200 bytes"),
        ] {
            let evidence = read(&format!(r#"{{"callId":"c","eventId":"{id}"}}"#)).unwrap();
            assert_eq!(
                (evidence.event_id, evidence.remarks),
                (None, Some(format!("eventId {why}")))
            );
        }
    }

    #[test]
    fn bytes_without_a_usable_call_id_are_no_evidence() {
        for (body, pointer) in [
            ("", "#"),
            ("[]", "#"),
            ("nonsense", "#"),
            ("{}", "#/callId"),
            (r#"{"callId":7}"#, "#/callId"),
            (r#"{"callId":"  "}"#, "#/callId"),
            (r#"{"callId":"a\u0000b"}"#, "#/callId"),
        ] {
            assert_eq!(read(body).unwrap_err().pointer, pointer, "{body}");
        }
    }

    #[test]
    fn half_a_character_does_not_cost_the_whole_report() {
        let evidence =
            read(r#"{"callId":"c","status":"ended","summary":"cut \ud83d","transcript":"\ud83d\ude00 \\ud83d"}"#)
                .unwrap();
        assert_eq!(evidence.report.status, Some(CallStatus::Ended));
        assert_eq!(evidence.report.summary.as_deref(), Some("cut \u{fffd}"));
        assert_eq!(evidence.report.transcript.as_deref(), Some("\u{1f600} \\ud83d"));
        let said = "summary has characters that could not be read: they became U+FFFD";
        assert_eq!(evidence.remarks.as_deref(), Some(said));
    }

    #[test]
    fn nul_becomes_the_replacement_character() {
        let evidence = read(r#"{"callId":"c","summary":"a\u0000b"}"#).unwrap();
        assert_eq!(evidence.report.summary.as_deref(), Some("a\u{fffd}b"));
    }
}
