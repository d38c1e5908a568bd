//! mailcordon.
fn main() {}
