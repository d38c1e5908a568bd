//! The project's chores: `cargo xtask test|generate|bench|soak`.

mod bench;
mod chore;
mod generate;
mod measure;
mod report;
mod soak;
mod test;
mod tools;

use std::process::ExitCode;

use chore::{Workspace, say};

const USAGE: &str = "cargo xtask <chore>

  test                everything that a change must pass; the test runner's summary comes last
  generate [--check]  write the generated files, or fail when one is not what it would be
  generate --only NAME             write those of one maker; `outcomes`, `faults` and `cmdlets` only so, by tests
  bench [--smoke] [--only ID]...   measure speed and memory, write docs/bench.md
  soak [--smoke] [--only ID]...    the long counts, write docs/soak.md

--smoke only proves that the measuring works, on the debug build, and writes nothing.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> anyhow::Result<()> {
    let workspace = Workspace::here()?;
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["test"] => test::run_all(&workspace),
        ["generate"] => generate::write(&workspace, None),
        ["generate", "--only", name] => generate::write(&workspace, Some(name)),
        ["generate", "--check"] => generate::check(&workspace),
        ["bench", rest @ ..] => bench::run(&workspace, &measure::Options::parse(rest)?),
        ["soak", rest @ ..] => soak::run(&workspace, &measure::Options::parse(rest)?),
        [] | ["help" | "--help" | "-h"] => {
            say(USAGE);
            Ok(())
        }
        _ => anyhow::bail!("no such chore: {}\n\n{USAGE}", arguments.join(" ")),
    }
}
