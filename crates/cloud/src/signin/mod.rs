//! Signing in.

pub mod aadsts;
