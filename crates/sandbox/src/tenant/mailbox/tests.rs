//! Tests of mailboxes and permissions.
