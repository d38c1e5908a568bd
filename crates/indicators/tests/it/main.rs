//! Integration tests.

mod kql;
mod mail;
mod properties;
mod url_rules;
mod vectors;
