//! The one table of operations. The router and the OpenAPI document are both made from it.

mod parts;
mod rows;

use std::sync::Arc;

use axum::{
    Router,
    routing::{MethodFilter, MethodRouter, on},
};
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};
use store::Scope;
use surfaces::openapi::{self, Method, Operation};

use crate::{app::App, dispatch, problem};

pub(crate) use parts::Route;

/// Every operation with its handler, and the schemas that they refer to.
pub(crate) struct Table {
    routes: Vec<Route>,
    schemas: Map<String, Value>,
}

impl Table {
    pub(crate) fn new() -> Self {
        let mut settings = SchemaSettings::draft2020_12();
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
        let mut schemas = SchemaGenerator::new(settings);
        let routes = rows::all(&mut schemas);
        let mut schemas = schemas.take_definitions(true);
        inputs(&mut schemas);
        Self { routes, schemas }
    }

    /// The OpenAPI document.
    pub(crate) fn document(&self) -> Value {
        let operations: Vec<Operation> = self
            .routes
            .iter()
            .map(|route| route.operation.clone())
            .collect();
        let about = json!({
            "title": "mailcordon",
            "version": "1",
            "summary": "Contains an e-mail attack in Microsoft 365.",
            "description": "Every error is a problem detail (RFC 9457) with `kind` and `code`. \
                Lists have cursors. See docs/api.md.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        });
        openapi::document(&about, &operations, &self.schemas)
    }

    /// The router.
    pub(crate) fn router(self, app: &Arc<App>) -> Router {
        let mut paths: Vec<(&'static str, MethodRouter)> = Vec::new();
        for route in self.routes {
            let path = route.operation.path;
            let one = method(app, route);
            match paths.iter_mut().find(|(known, _)| *known == path) {
                Some((_, router)) => *router = std::mem::take(router).merge(one),
                None => paths.push((path, one)),
            }
        }
        let mut router = Router::new();
        for (path, methods) in paths {
            router = router.route(path, methods);
        }
        let (missing, wrong) = (Arc::clone(app), Arc::clone(app));
        router
            .fallback(move |request: axum::extract::Request| async move {
                dispatch::refuse(&missing, &request, problem::no_route())
            })
            .method_not_allowed_fallback(move |request: axum::extract::Request| async move {
                dispatch::refuse(&wrong, &request, problem::no_method())
            })
    }
}

/// Names the schema of each command's input, and lets the bodies that start a run refer to them.
fn inputs(schemas: &mut Map<String, Value>) {
    let mut any = Vec::new();
    for definition in commands::catalog::all() {
        let name = format!("{}Input", definition.meta.title.replace(' ', ""));
        let mut schema = definition.schema.clone();
        if let Some(members) = schema.as_object_mut() {
            members.remove("$schema");
        }
        any.push(json!({ "$ref": format!("#/components/schemas/{name}") }));
        schemas.insert(name, schema);
    }
    for body in ["StartBody", "DryRunBody"] {
        let input = schemas
            .get_mut(body)
            .and_then(|body| body.pointer_mut("/properties/input"))
            .and_then(Value::as_object_mut);
        if let Some(input) = input {
            input.remove("additionalProperties");
            input.insert("anyOf".to_owned(), Value::Array(any.clone()));
        }
    }
}

fn method(app: &Arc<App>, route: Route) -> MethodRouter {
    let filter = match route.operation.method {
        Method::Get => MethodFilter::GET,
        Method::Post => MethodFilter::POST,
        Method::Put => MethodFilter::PUT,
        Method::Delete => MethodFilter::DELETE,
    };
    let app = Arc::clone(app);
    let operation = Arc::new(route.operation);
    let handler = route.handler;
    on(filter, move |request: axum::extract::Request| {
        dispatch::answer(Arc::clone(&app), Arc::clone(&operation), handler, request)
    })
}

/// The scope of a row.
pub(crate) fn scope(name: &str) -> Scope {
    match name {
        "read" => Scope::Read,
        "write" => Scope::Write,
        "destructive" => Scope::Destructive,
        "raw" => Scope::Raw,
        // A row with a typing error must not open a door.
        _ => Scope::Admin,
    }
}
