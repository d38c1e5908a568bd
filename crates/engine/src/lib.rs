//! A run from request to recorded result.
