//! Flags, schemas and reference pages, derived from a command's one definition.
