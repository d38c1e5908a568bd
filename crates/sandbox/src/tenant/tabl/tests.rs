//! Tests of the allow/block list.
