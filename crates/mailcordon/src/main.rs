//! mailcordon.

#[expect(dead_code, reason = "the commands that use it come next")]
#[cfg_attr(
    not(test),
    expect(unused_imports, reason = "the commands that use it come next")
)]
mod config;

#[expect(
    clippy::print_stdout,
    reason = "the binary is where things are printed"
)]
fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if arguments == ["schema", "config"] {
        print!("{}", config::json_schema());
    }
}
