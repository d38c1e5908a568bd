//! Integration tests.

mod mail;
