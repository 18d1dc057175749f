//! The document holds together: every operation is described whole, and every code appears.

use std::collections::BTreeSet;

use super::*;
use crate::api::errors::Code;

/// Every operation as (method, path, operation).
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            all.push((method.clone(), path.clone(), operation.clone()));
        }
    }
    all
}

#[test]
fn every_operation_has_its_line_in_the_table_and_the_reverse() {
    let document = document("/");
    let ids = operations(&document)
        .iter()
        .map(|(.., operation)| operation["operationId"].as_str().unwrap().to_owned())
        .collect::<Vec<_>>();
    assert_eq!(ids.len(), OPERATIONS.len());
    let table: BTreeSet<_> = OPERATIONS
        .iter()
        .map(|operation| operation.id.to_owned())
        .collect();
    assert_eq!(ids.into_iter().collect::<BTreeSet<_>>(), table);
}

#[test]
fn every_request_and_every_response_has_an_example() {
    for (method, path, operation) in operations(&document("/")) {
        let name = format!("{method} {path}");
        assert!(operation["summary"].is_string(), "{name}");
        assert_eq!(operation.get("requestBody").is_some(), method == "post", "{name}");
        if let Some(content) = operation["requestBody"]["content"].as_object() {
            assert!(
                content.values().all(|content| !content["example"].is_null()),
                "{name}"
            );
        }
        for (status, response) in operation["responses"].as_object().unwrap() {
            if status == "304" {
                assert!(
                    response.get("content").is_none(),
                    "{name}: a body that never comes"
                );
                continue;
            }
            let content = response["content"].as_object().unwrap();
            assert!(!content.is_empty(), "{name} {status}");
            for content in content.values() {
                let has = !content["example"].is_null()
                    || content["examples"]
                        .as_object()
                        .is_some_and(|examples| !examples.is_empty());
                assert!(has, "{name} {status}");
            }
        }
    }
}

#[test]
fn every_code_appears_in_a_response() {
    let document = document("/");
    let used = document["paths"].to_string() + &document["components"]["responses"].to_string();
    for code in Code::ALL {
        assert!(
            used.contains(&format!("#/components/examples/{}\"", code.as_str())),
            "{code:?}"
        );
        let example = &document["components"]["examples"][code.as_str()]["value"];
        assert_eq!(example["status_code"], code.status().as_u16());
        assert!(
            !example["error"]["message"].as_str().unwrap().is_empty(),
            "{code:?}"
        );
    }
}

/// A validator of a schema that stands in the document.
fn validator(document: &Value, schema: &Value) -> jsonschema::Validator {
    let mut schema = schema.clone();
    schema["components"] = document["components"].clone();
    jsonschema::draft202012::new(&schema).unwrap()
}

#[test]
fn every_example_fits_its_schema() {
    let document = document("/");
    let check = |pointer: String, content: &Value| {
        let validator = validator(&document, &content["schema"]);
        let mut examples = vec![&content["example"]];
        if let Some(named) = content["examples"].as_object() {
            let component = |example: &Value| {
                document.pointer(&example["$ref"].as_str().unwrap()[1..]).unwrap()["value"].clone()
            };
            for example in named.values() {
                let value = component(example);
                assert!(validator.is_valid(&value), "{pointer}: {value}");
            }
            examples.clear();
        }
        for example in examples {
            let errors: Vec<String> = validator
                .iter_errors(example)
                .map(|error| error.to_string())
                .collect();
            assert!(errors.is_empty(), "{pointer}: {errors:?}");
        }
    };
    for (method, path, operation) in operations(&document) {
        let here = format!("{method} {path}");
        for (media_type, content) in operation["requestBody"]["content"]
            .as_object()
            .into_iter()
            .flatten()
        {
            check(format!("{here} {media_type}"), content);
        }
        for (status, response) in operation["responses"].as_object().unwrap() {
            for (media_type, content) in response["content"].as_object().into_iter().flatten() {
                check(format!("{here} {status} {media_type}"), content);
            }
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn look(value: &Value, document: &Value) {
        match value {
            Value::Object(map) => {
                if let Some(Value::String(to)) = map.get("$ref") {
                    assert!(document.pointer(&to[1..]).is_some(), "{to}");
                }
                map.values().for_each(|value| look(value, document));
            }
            Value::Array(list) => list.iter().for_each(|value| look(value, document)),
            _ => {}
        }
    }
    let document = document("/");
    look(&document, &document);
}
