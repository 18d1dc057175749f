//! What a submission may hold, as JSON Schema: for the OpenAPI document. The reader and the rules of the domain decide;
//! a test holds the names here to those that are read. A schema never refuses what the server accepts.

use serde_json::{Value, json};

/// The characters that count as blank (Unicode's White_Space), inside a class.
const BLANK: &str = r"\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000";
/// The characters that are not printable, inside a class.
const HIDDEN: &str = r"\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff";

/// A string that fits, with or without blanks around it; or one that counts as absent.
fn padded(pattern: &str) -> String {
    format!("^[{BLANK}]*(?:{pattern})?[{BLANK}]*$")
}

/// A text field, which may be absent.
fn text(pattern: &str, description: &str) -> Value {
    json!({"type": ["string", "null"], "pattern": padded(pattern), "description": description})
}

fn any_text(description: &str) -> Value {
    json!({"type": ["string", "null"], "description": description})
}

/// A part of a date: a number, or digits in a string.
fn part(pattern: &str, (minimum, maximum): (u16, u16)) -> Value {
    json!({"type": ["integer", "string", "null"], "minimum": minimum, "maximum": maximum, "pattern": padded(pattern)})
}

/// What is as good as not sent.
fn absent() -> Value {
    json!({"type": ["string", "null"], "pattern": format!("^[{BLANK}]*$")})
}

/// Holds where all of `names` are sent, and no blanks.
fn given(names: &[&str]) -> Value {
    let each = names
        .iter()
        .map(|name| ((*name).to_owned(), json!({"not": absent()})));
    json!({"required": names, "properties": each.collect::<serde_json::Map<_, _>>()})
}

/// Holds where none of `names` is sent.
fn not_given(names: &[&str]) -> Value {
    let each = names.iter().map(|name| ((*name).to_owned(), absent()));
    json!({"properties": each.collect::<serde_json::Map<_, _>>()})
}

fn object_or_absent(name: &str, description: &str) -> Value {
    json!({"anyOf": [{"$ref": format!("#/components/schemas/{name}")}, absent()], "description": description})
}

/// The schemas by name.
pub(crate) fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        ("Submission", submission()),
        ("Authorizer", authorizer()),
        ("Address", address()),
        ("DateOfBirth", date_of_birth()),
        ("Metadata", metadata()),
    ]
}

fn submission() -> Value {
    json!({
        "type": "object",
        "required": ["authorizers"],
        "properties": {
            "authorizers": {"type": "array", "minItems": 1, "maxItems": 1000,
                "items": {"$ref": "#/components/schemas/Authorizer"}},
            "webhook_url": text(&format!("[hH][tT][tT][pP][sS]?:[^{BLANK}{HIDDEN}]+"),
                "Told when the batch is complete. An https URL of at most 2,048 characters; http is accepted with a warning."),
        },
    })
}

fn authorizer() -> Value {
    let bank =
        json!({"allOf": [given(&["account_number", "routing_number"]), not_given(&["debit_card_number"])]});
    let card_parts = json!({"properties": {
        "cvv": {"pattern": padded("[0-9]{3,4}")},
        "expiration_month": part("0?[1-9]|1[0-2]", (1, 12)),
        "expiration_year": part("[0-9]{4}", (1000, 9999)),
    }});
    let card = given(&["debit_card_number", "cvv", "expiration_month", "expiration_year"]);
    let card = json!({"allOf": [card, card_parts, not_given(&["account_number"])]});
    let discover = json!({"required": ["routing_number"],
        "properties": {"routing_number": {"type": "string", "pattern": format!("^[{BLANK}]*031100649[{BLANK}]*$")}}});
    let address_zip = json!({"required": ["address"],
        "properties": {"address": {"allOf": [{"type": "object"}, given(&["zip_code"])]}}});
    json!({
        "description": "An account holder who authorised debits, with a bank account or a debit card. Unknown fields are ignored.",
        "allOf": [
            {"type": "object", "required": ["authorizer_unique_id"], "properties": fields()},
            {"description": "`ssn` or `ein` is required.", "anyOf": [given(&["ssn"]), given(&["ein"])]},
            {"description": "Either a bank account or a debit card.", "oneOf": [bank, card]},
            {"description": "Routing number 031100649 requires a `zip_code`.",
                "anyOf": [{"not": discover}, given(&["zip_code"]), address_zip]},
        ],
    })
}

fn fields() -> Value {
    let zip = "[0-9]{5}(?:-[0-9]{4})?";
    json!({
        "authorizer_unique_id": {"type": "string", "minLength": 1, "maxLength": 255,
            "pattern": format!(r"^[^{BLANK}{HIDDEN}=+\-@](?:[^{HIDDEN}]*[^{BLANK}{HIDDEN}])?$"),
            "description": "Your id of the authorizer, unique in the batch: printable characters, none of them a space at \
                an edge, the first none of `= + - @`."},
        "first_name": any_text("The given name."),
        "last_name": any_text("The family name."),
        "address": object_or_absent("Address", "Where the authorizer lives."),
        "zip_code": text(zip, "`NNNNN` or `NNNNN-NNNN`. One in `address` wins. Required for routing number 031100649."),
        "phone_number": text(r"(?:\+1)?[0-9]{10}", "10 digits, or `+1` and 10 digits."),
        "date_of_birth": object_or_absent("DateOfBirth", "A real date, from 1900 on and not in the future."),
        "ssn": text("[0-9]{9}|[0-9]{3}-[0-9]{2}-[0-9]{4}", "Social Security number: 9 digits or `NNN-NN-NNNN`."),
        "ein": text("[0-9]{9,10}|[0-9]{2}-[0-9]{7}", "Employer Identification Number: 9 or 10 digits or `NN-NNNNNNN`."),
        "account_number": text(&format!(r"[^{BLANK}](?:[\s\S]{{0,32}}[^{BLANK}])?"), "1 to 34 characters. Needs `routing_number`."),
        "routing_number": text("[0-9]{9}", "9 digits. One with a wrong check digit is accepted with a warning."),
        "debit_card_number": text("[0-9]{13,19}", "13 to 19 digits, for requesters approved for cards. Needs `cvv`, \
            `expiration_month` and `expiration_year`."),
        "cvv": any_text("3 or 4 digits. Never stored."),
        "expiration_month": {"type": ["number", "string", "null"], "description": "1 to 12."},
        "expiration_year": {"type": ["number", "string", "null"], "description": "4 digits."},
        "metadata": object_or_absent("Metadata", "Yours, given back in exports."),
    })
}

fn address() -> Value {
    json!({
        "type": "object",
        "properties": {
            "street_address_line1": any_text("Street and number."),
            "street_address_line2": any_text("The rest of it."),
            "city": any_text("The city."),
            "state": any_text("The state."),
            "zip_code": text("[0-9]{5}(?:-[0-9]{4})?", "`NNNNN` or `NNNNN-NNNN`."),
            "country": any_text("The country."),
        },
    })
}

fn date_of_birth() -> Value {
    let parts = ["day", "month", "year"];
    json!({
        "description": "Numbers, or digits in strings; all three, or none.",
        "allOf": [
            {"type": "object", "properties": {
                "day": part("0?[1-9]|[12][0-9]|3[01]", (1, 31)),
                "month": part("0?[1-9]|1[0-2]", (1, 12)),
                "year": part("(?:19|[2-9][0-9])[0-9]{2}", (1900, 9999)),
            }},
            {"anyOf": [given(&parts), not_given(&parts)]},
        ],
    })
}

fn metadata() -> Value {
    json!({
        "type": "object",
        "description": "At most 50 keys, and 200 distinct ones in a batch. Numbers and booleans are kept as their text, \
            null is unset.",
        "propertyNames": {"minLength": 1, "maxLength": 100, "pattern": format!("^[^{HIDDEN}]+$")},
        "additionalProperties": {"type": ["string", "number", "boolean", "null"], "maxLength": 2000},
    })
}

#[cfg(test)]
mod tests;
