//! `mailcordon demo`: an attack contained, told in one go, with nothing to set up.

use clap::{Arg, ArgMatches, Command};
use kernel::Failure;

/// The grammar.
pub fn grammar() -> Command {
    Command::new("demo")
        .about("Shows an attack contained in a simulated tenant; needs nothing")
        .arg(
            Arg::new("mail")
                .long("mail")
                .value_name("FILE")
                .help("Begins with your mail instead of its own"),
        )
}

/// Tells the story.
pub fn demo(_: &ArgMatches) -> Result<u8, Failure> {
    Err(Failure::internal("the story is not written yet"))
}
