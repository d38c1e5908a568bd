//! How a row of the table is written.

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};
use surfaces::openapi::{Answer, Body, Method, Need, Operation, Parameter, Place};

use crate::{dispatch::Handler, problem};

/// One operation with its handler.
pub(crate) struct Route {
    pub(crate) operation: Operation,
    pub(crate) handler: Handler,
}

/// A row that is being written.
pub(crate) struct Row<'a> {
    operation: Operation,
    schemas: &'a mut SchemaGenerator,
}

/// Where rows are written.
pub(crate) struct Rows<'a> {
    pub(crate) schemas: &'a mut SchemaGenerator,
    pub(crate) group: &'static str,
}

impl Rows<'_> {
    pub(crate) fn get(&mut self, id: &'static str, path: &'static str) -> Row<'_> {
        self.row(Method::Get, id, path)
    }

    pub(crate) fn post(&mut self, id: &'static str, path: &'static str) -> Row<'_> {
        self.row(Method::Post, id, path)
    }

    pub(crate) fn put(&mut self, id: &'static str, path: &'static str) -> Row<'_> {
        self.row(Method::Put, id, path)
    }

    pub(crate) fn delete(&mut self, id: &'static str, path: &'static str) -> Row<'_> {
        self.row(Method::Delete, id, path)
    }

    fn row(&mut self, method: Method, id: &'static str, path: &'static str) -> Row<'_> {
        let parameters = path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .map(in_path)
            .collect();
        Row {
            operation: Operation {
                id,
                method,
                path,
                group: self.group,
                summary: "",
                about: "",
                need: Need::Nothing,
                audited: None,
                parameters,
                body: None,
                answers: Vec::new(),
            },
            schemas: self.schemas,
        }
    }
}

impl Row<'_> {
    /// What it does, in a line, and more about it.
    pub(crate) fn says(mut self, summary: &'static str, about: &'static str) -> Self {
        self.operation.summary = summary;
        self.operation.about = about;
        self
    }

    /// The scope that it needs.
    pub(crate) fn needs(mut self, scope: &'static str) -> Self {
        self.operation.need = Need::Scope(scope);
        self
    }

    /// It needs this scope, or a higher one where the effect of the command asks for it.
    pub(crate) fn needs_by_effect(mut self, scope: &'static str) -> Self {
        self.operation.need = Need::Effect(scope);
        self
    }

    /// As what it stands in the audit chain.
    pub(crate) fn audited(mut self, what: &'static str) -> Self {
        self.operation.audited = Some(what);
        self
    }

    /// A query parameter.
    pub(crate) fn query(mut self, name: &'static str, about: &'static str, schema: Value) -> Self {
        self.operation.parameters.push(Parameter {
            name,
            place: Place::Query,
            about,
            schema,
        });
        self
    }

    /// `cursor` and `limit`.
    pub(crate) fn paged(self) -> Self {
        self.query(
            "cursor",
            "Where the page begins: `next` of the page before.",
            json!({ "type": "string" }),
        )
        .query(
            "limit",
            "How many at most.",
            json!({ "type": "integer", "minimum": 1, "maximum": 500, "default": 50 }),
        )
    }

    /// `wait`.
    pub(crate) fn waits(self) -> Self {
        self.query(
            "wait",
            "Seconds to wait for the end of the run; when it comes in time the answer is the result.",
            json!({ "type": "integer", "minimum": 0, "maximum": 60 }),
        )
        .with_raw()
    }

    /// `raw`.
    pub(crate) fn with_raw(self) -> Self {
        self.query(
            "raw",
            "Give the service's rows in `raw_data`: needs the scope `raw`, and is audited as `raw_read`.",
            json!({ "type": "boolean", "default": false }),
        )
    }

    /// A header.
    pub(crate) fn header(mut self, name: &'static str, about: &'static str) -> Self {
        self.operation.parameters.push(Parameter {
            name,
            place: Place::Header,
            about,
            schema: json!({ "type": "string", "minLength": 1, "maxLength": 255 }),
        });
        self
    }

    /// `Idempotency-Key`.
    pub(crate) fn idempotent(self) -> Self {
        self.header(
            "Idempotency-Key",
            "The same key with the same input answers the same run; with other input it is a conflict.",
        )
    }

    /// A JSON body of that type.
    pub(crate) fn takes<T: JsonSchema>(mut self, required: bool) -> Self {
        let schema = self.schemas.subschema_for::<T>().to_value();
        self.operation.body = Some(Body {
            media: "application/json",
            schema,
            required,
        });
        self
    }

    /// A body of that media type and schema.
    pub(crate) fn takes_as(mut self, media: &'static str, schema: Value) -> Self {
        self.operation.body = Some(Body {
            media,
            schema,
            required: true,
        });
        self
    }

    /// Answers JSON of that type.
    pub(crate) fn gives<T: JsonSchema>(self, status: u16, about: &'static str) -> Self {
        let schema = self.schemas.subschema_for::<T>().to_value();
        self.gives_as(status, about, "application/json", schema)
    }

    /// Answers with that media type and schema.
    pub(crate) fn gives_as(
        mut self,
        status: u16,
        about: &'static str,
        media: &'static str,
        schema: Value,
    ) -> Self {
        self.operation.answers.push(Answer {
            status,
            about,
            media,
            schema,
        });
        self
    }

    /// Answers without a body.
    pub(crate) fn gives_nothing(self, about: &'static str) -> Self {
        self.gives_as(204, about, "", Value::Null)
    }

    /// The row, with its handler; besides what every operation may answer, these problems.
    pub(crate) fn by(mut self, handler: Handler, problems: &[u16]) -> Route {
        let mut all = vec![400, 408, 500, 503];
        if self.operation.need != Need::Nothing {
            all.extend([401, 403, 429]);
        }
        // A body may be compressed where none is taken, too.
        all.push(415);
        if self.operation.body.is_some() {
            all.push(413);
        }
        all.extend(problems);
        all.sort_unstable();
        all.dedup();
        let schema = self.schemas.subschema_for::<problem::Problem>().to_value();
        for status in all {
            self = self.gives_as(status, words(status), problem::MEDIA, schema.clone());
        }
        Route {
            operation: self.operation,
            handler,
        }
    }
}

fn in_path(name: &'static str) -> Parameter {
    let (about, schema) = match name {
        "run" => (
            "The id of the run.",
            json!({ "type": "string", "format": "uuid" }),
        ),
        "command" => (
            "The command: its id or its title, compared on letters and digits.",
            json!({ "type": "string" }),
        ),
        "connection" => ("The name of the connection.", json!({ "type": "string" })),
        "chain" => (
            "The chain: `installation`, or `connection:` and a name.",
            json!({ "type": "string" }),
        ),
        _ => ("The id.", json!({ "type": "string" })),
    };
    Parameter {
        name,
        place: Place::Path,
        about,
        schema,
    }
}

fn words(status: u16) -> &'static str {
    match status {
        400 => "The request breaks a rule.",
        401 => "There is no valid token.",
        403 => "The token does not grant it.",
        404 => "It is not there, or not for this token.",
        408 => "The request took too long.",
        409 => "The state of things forbids it.",
        413 => "The body is too large.",
        415 => "The body is compressed, or of another type.",
        429 => "Too many requests, or runs, with this token.",
        503 => "The store cannot be used just now.",
        _ => "A defect of the service.",
    }
}
