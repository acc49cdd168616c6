//! Schemas of values that come from closed sets or have a form that their type does not show.

use domain::interview::{AnswerClass, CallStatus, FailureReason};
use domain::prompt::Platform;
use domain::{Kind, Provider, Role};
use serde_json::Value;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{
    AnyOfBuilder, Array, ArrayBuilder, KnownFormat, Object, ObjectBuilder, Schema, SchemaFormat,
    SchemaType, Type,
};
use utoipa::{PartialSchema, ToSchema};

use crate::problem::Code;
use crate::routes::calling::settings::KEYS;

/// One of these names.
pub(crate) fn one_of(names: impl IntoIterator<Item = &'static str>) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).build()
}

/// One of these names, or null.
fn one_of_or_null(names: impl IntoIterator<Item = &'static str>) -> Object {
    let names = names.into_iter().map(Value::from).chain([Value::Null]);
    let kinds = SchemaType::from_iter([Type::String, Type::Null]);
    ObjectBuilder::new().schema_type(kinds).enum_values(Some(names)).build()
}

/// What `success` says of a good answer.
pub(crate) fn yes() -> Object {
    ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([true])).build()
}

/// What `success` says of a failure.
pub(crate) fn no() -> Object {
    ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([false])).build()
}

/// A stable name of what went wrong.
pub(crate) fn code() -> Object {
    one_of(Code::all().iter().map(|code| code.name()))
}

/// How far a call got.
pub(crate) fn call_status() -> Object {
    one_of(CallStatus::ALL.map(CallStatus::as_str))
}

/// Who took a call.
pub(crate) fn answer_class() -> Object {
    one_of(AnswerClass::ALL.map(AnswerClass::as_str))
}

/// The platform that carried a call, where that is known.
pub(crate) fn provider() -> Object {
    one_of_or_null(Provider::ALL.map(Provider::as_str))
}

/// A platform that can carry calls.
pub(crate) fn provider_name() -> Object {
    one_of(Provider::ALL.map(Provider::as_str))
}

/// At least one platform that can carry calls, each once.
pub(crate) fn providers() -> Array {
    distinct().min_items(Some(1)).description(Some("At least one, each once.")).build()
}

fn distinct() -> ArrayBuilder {
    ArrayBuilder::new().items(provider_name()).unique_items(true)
}

/// What a prompt is for, where it is not for everything.
pub(crate) fn platform() -> Object {
    one_of_or_null(Platform::ALL.map(Platform::as_str))
}

/// What somebody may do.
pub(crate) fn role() -> Object {
    one_of(Role::ALL.map(Role::as_str))
}

/// What a setting may be.
pub(crate) fn setting() -> Schema {
    let said =
        "A provider or null for `CALL_PROVIDER`, a list of providers for `ENABLED_CALL_PROVIDERS`.";
    AnyOfBuilder::new().item(provider()).item(distinct()).description(Some(said)).build().into()
}

/// A telephone number.
pub(crate) fn phone() -> Object {
    phone_of(Type::String.into())
}

/// A telephone number, where there is one.
pub(crate) fn phone_or_null() -> Object {
    phone_of(SchemaType::from_iter([Type::String, Type::Null]))
}

fn phone_of(kinds: SchemaType) -> Object {
    ObjectBuilder::new()
        .schema_type(kinds)
        .pattern(Some(r"^[ ().-]*\+[ ().-]*[1-9]([ ().-]*[0-9]){7,14}[ ().-]*$"))
        .description(Some("E.164; spaces, hyphens, dots and brackets are overlooked."))
        .examples([Value::from("+919529117230")])
        .build()
}

/// Why there was no conversation, where there was none.
pub(crate) fn failure_reason() -> Object {
    let ours = [FailureReason::Cancelled, FailureReason::OutcomeUnknown];
    one_of_or_null(FailureReason::REPORTED.into_iter().chain(ours).map(FailureReason::as_str))
}

/// A kind of supervised thing.
pub(crate) fn kind() -> Object {
    one_of(Kind::ALL.map(Kind::as_str))
}

/// A day, or an instant.
fn day_or_instant() -> RefOr<Schema> {
    let text = |format| {
        let format = Some(SchemaFormat::KnownFormat(format));
        ObjectBuilder::new().schema_type(Type::String).format(format)
    };
    AnyOfBuilder::new().item(text(KnownFormat::Date)).item(text(KnownFormat::DateTime)).into()
}

/// The form of a header's value, by the header's name.
pub(super) fn header(name: &str) -> Option<&'static str> {
    match name {
        "If-Match" => Some(r#"^ *(\*|(W/)?"[!#-+\--~]*"( *, *(W/)?"[!#-+\--~]*"){0,31}) *$"#),
        "Idempotency-Key" => Some("^[!-~]{1,255}$"),
        _ => None,
    }
}

/// Makes types that stand for the values of a set where a parameter is described.
macro_rules! stands_for {
    ($($name:ty: $schema:expr;)*) => {$(
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                $schema.into()
            }
        }

        impl ToSchema for $name {}
    )*};
}

/// The name of a [`CallStatus`].
pub(crate) struct StatusName;
/// The name of a [`Provider`].
pub(crate) struct ProviderName;
/// The name of a [`Platform`].
pub(crate) struct PlatformName;
/// The name of a tenant's setting.
pub(crate) struct SettingName;
/// The name of a [`Kind`].
pub(crate) struct KindName;
/// A day, or an instant.
pub(crate) struct DayOrInstant;

stands_for! {
    StatusName: call_status();
    ProviderName: provider_name();
    PlatformName: one_of(Platform::ALL.map(Platform::as_str));
    SettingName: one_of(KEYS);
    KindName: kind();
    DayOrInstant: day_or_instant();
    Code: code();
}
