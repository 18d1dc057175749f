//! Schemas of single values that derives cannot tell.

use serde_json::Value;
use tidemark_domain::fault::FaultCode;
use tidemark_domain::outcome::Status;
use utoipa::openapi::Ref;
use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, Object, ObjectBuilder, Schema, SchemaType, Type,
};

use crate::api::errors::Code;

fn words(words: impl IntoIterator<Item = &'static str>) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words))
        .build()
}

pub(crate) fn null() -> Object {
    ObjectBuilder::new().schema_type(Type::Null).build()
}

/// Without `multipleOf: 0.01`: most validators divide in binary, and would refuse 19.99.
pub(crate) fn money() -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Number, Type::Null]))
        .build()
}

pub(crate) fn code() -> Object {
    words(Code::ALL.map(Code::as_str))
}

pub(crate) fn error_status() -> Object {
    words(["error"])
}

pub(crate) fn account_type() -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .enum_values(Some([
            Value::from("ACCOUNT_NUMBER"),
            Value::from("DEBIT_CARD"),
            Value::Null,
        ]))
        .build()
}

pub(crate) fn fault_code() -> Object {
    words(FaultCode::ALL.map(FaultCode::as_str))
}

pub(crate) fn batch_state() -> Object {
    words(["PENDING", "PROCESSING", "COMPLETED"])
}

pub(crate) fn result_code() -> Object {
    let codes = [0, 3000, 3001, 3100, 3200, 3300, 3310, 3400, 9000];
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .enum_values(Some(codes.map(Value::from)))
        .build()
}

pub(crate) fn statuses() -> Object {
    let count = || ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
    let all = Status::ALL.into_iter();
    all.fold(ObjectBuilder::new(), |object, status| {
        object.property(status.as_str(), count())
    })
    .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
    .build()
}

/// What more there is to say of an error.
pub(crate) fn details() -> Object {
    let rows = ArrayBuilder::new().items(Ref::from_schema_name("FailedAuthorizer"));
    ObjectBuilder::new().property("failed_authorizers", rows).build()
}
