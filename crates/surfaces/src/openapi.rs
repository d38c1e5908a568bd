//! The OpenAPI 3.1 document of the service, from its one table of operations. Pure: data in, JSON
//! out.

use serde_json::{Map, Value, json};

/// The method of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// Reads.
    Get,
    /// Starts or asks.
    Post,
    /// Sets.
    Put,
    /// Takes away.
    Delete,
}

impl Method {
    /// Its name in a document.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
            Self::Put => "put",
            Self::Delete => "delete",
        }
    }
}

/// What a caller must have to use an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Need {
    /// Nothing, not even a token.
    Nothing,
    /// A valid token with this scope.
    Scope(&'static str),
    /// A valid token with the scope that the effect of the command asks for; at least this one.
    Effect(&'static str),
}

/// Where a parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// In the path.
    Path,
    /// In the query.
    Query,
    /// In a header.
    Header,
}

/// A parameter of an operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Where it stands.
    pub place: Place,
    /// What it means.
    pub about: &'static str,
    /// The schema of its value.
    pub schema: Value,
}

/// The body that an operation takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    /// The media type.
    pub media: &'static str,
    /// Its schema.
    pub schema: Value,
    /// Whether it must be there.
    pub required: bool,
}

/// One answer of an operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// What it means.
    pub about: &'static str,
    /// The media type; empty for an answer without a body.
    pub media: &'static str,
    /// The schema of the body.
    pub schema: Value,
}

/// An operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// Its id.
    pub id: &'static str,
    /// Its method.
    pub method: Method,
    /// Its path, with parameters in braces.
    pub path: &'static str,
    /// The group under which it is listed.
    pub group: &'static str,
    /// What it does, in a line.
    pub summary: &'static str,
    /// More about it.
    pub about: &'static str,
    /// What it needs.
    pub need: Need,
    /// As what it stands in the audit chain; none when it leaves no entry.
    pub audited: Option<&'static str>,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// The body that it takes.
    pub body: Option<Body>,
    /// Its answers, problems included.
    pub answers: Vec<Answer>,
}

/// The document: operations in the order of the table, schemas that they refer to by name.
pub fn document(about: &Value, operations: &[Operation], schemas: &Map<String, Value>) -> Value {
    let mut paths = Map::new();
    for operation in operations {
        let item = paths
            .entry(operation.path.to_owned())
            .or_insert_with(|| json!({}));
        if let Some(item) = item.as_object_mut() {
            item.insert(operation.method.as_str().to_owned(), entry(operation));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": about,
        "servers": [{ "url": "/" }],
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of `mailcordon token create`, never in a query string."
                }
            },
            "schemas": schemas,
        },
    })
}

fn entry(operation: &Operation) -> Value {
    let mut out = json!({
        "operationId": operation.id,
        "tags": [operation.group],
        "summary": operation.summary,
        "description": operation.about,
        "x-audited": operation.audited,
    });
    let (scope, by_effect) = match operation.need {
        Need::Nothing => (None, false),
        Need::Scope(scope) => (Some(scope), false),
        Need::Effect(scope) => (Some(scope), true),
    };
    let Some(members) = out.as_object_mut() else {
        return out;
    };
    match scope {
        Some(scope) => members.insert("x-scope".to_owned(), scope.into()),
        None => members.insert("security".to_owned(), json!([])),
    };
    if by_effect {
        members.insert("x-scope-by-effect".to_owned(), true.into());
    }
    let parameters: Vec<Value> = operation.parameters.iter().map(parameter).collect();
    if !parameters.is_empty() {
        members.insert("parameters".to_owned(), parameters.into());
    }
    if let Some(body) = &operation.body {
        let body = json!({
            "required": body.required,
            "content": { body.media: { "schema": body.schema } },
        });
        members.insert("requestBody".to_owned(), body);
    }
    let answers: Map<String, Value> = operation
        .answers
        .iter()
        .map(|answer| (answer.status.to_string(), response(answer)))
        .collect();
    members.insert("responses".to_owned(), answers.into());
    out
}

fn parameter(parameter: &Parameter) -> Value {
    let place = match parameter.place {
        Place::Path => "path",
        Place::Query => "query",
        Place::Header => "header",
    };
    json!({
        "name": parameter.name,
        "in": place,
        "required": parameter.place == Place::Path,
        "description": parameter.about,
        "schema": parameter.schema,
    })
}

fn response(answer: &Answer) -> Value {
    if answer.media.is_empty() {
        return json!({ "description": answer.about });
    }
    json!({
        "description": answer.about,
        "content": { answer.media: { "schema": answer.schema } },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_methods_of_a_path_stand_side_by_side_and_say_what_they_need() {
        let one = Operation {
            id: "list",
            method: Method::Get,
            path: "/things/{id}",
            group: "things",
            summary: "A thing",
            about: "",
            need: Need::Nothing,
            audited: None,
            parameters: vec![Parameter {
                name: "id",
                place: Place::Path,
                about: "Which.",
                schema: json!({ "type": "string" }),
            }],
            body: None,
            answers: vec![Answer {
                status: 204,
                about: "Nothing.",
                media: "",
                schema: Value::Null,
            }],
        };
        let other = Operation {
            id: "drop",
            method: Method::Delete,
            need: Need::Effect("write"),
            audited: Some("dropped"),
            ..one.clone()
        };
        let document = document(&json!({}), &[one, other], &Map::new());
        let item = &document["paths"]["/things/{id}"];
        assert_eq!(item["get"]["security"], json!([]));
        assert_eq!(item["delete"]["x-scope"], "write");
        assert_eq!(item["delete"]["x-scope-by-effect"], true);
        assert_eq!(item["delete"]["x-audited"], "dropped");
        assert_eq!(item["get"]["parameters"][0]["required"], true);
        assert!(item["get"]["responses"]["204"].get("content").is_none());
    }
}
