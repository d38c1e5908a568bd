//! The service over HTTP: the REST API with its OpenAPI document, the vendor-shaped door, metrics.
//!
//! All operations stand in one table, from which both the router and the document are
//! made, so that the two cannot differ.

mod access;
mod admin;
mod app;
mod body;
mod caps;
mod checks;
mod commands;
mod connections;
mod cursor;
mod dispatch;
mod docs;
mod health;
mod metered;
mod metrics;
mod options;
mod problem;
mod query;
mod rate;
mod record;
mod reply;
mod runs;
mod schemas;
mod serve;
mod table;
mod tls;
mod vendor;

pub use metered::Metered;
pub use metrics::Metrics;
pub use options::{Connection, Connections, Limits, ServerOptions, TlsFiles};
pub use serve::{ServeError, Server};

/// A run as the API shows it in a list.
pub fn run_view(row: &store::RunRow) -> serde_json::Value {
    serde_json::to_value(schemas::RunView::of(row)).unwrap_or_default()
}

/// A run as the API shows it by itself: with what was asked for.
pub fn run_detail(row: &store::RunRow) -> serde_json::Value {
    serde_json::to_value(schemas::RunDetail::of(row)).unwrap_or_default()
}

/// The OpenAPI document of the service, as it is served and checked in.
pub fn openapi() -> serde_json::Value {
    table::Table::new().document()
}
