//! `mailcordon demo`: an attack contained, told in one go, with nothing to set up. It runs the
//! commands through the same engine as `mailcordon run`, against a simulated tenant of its own.

mod blocking;
mod finding;
mod letter;
mod pace;
mod show;
mod stage;
mod story;

use clap::{Arg, ArgMatches, Command};
use kernel::Failure;

use self::{letter::Letter, stage::Stage};
use crate::{files, setup, terminal};

/// The mail that the story begins with, unless another is given.
const PAYROLL: &[u8] = include_bytes!("../../../../tests/data/mail/payroll.eml");
/// Its name in the story.
const PAYROLL_FILE: &str = "payroll.eml";
/// The largest mail that is read.
const MOST_MAIL: u64 = 64 * 1024 * 1024;

/// The exit status when the story did not go as it says.
const BROKEN: u8 = 1;

/// The grammar.
pub fn grammar() -> Command {
    Command::new("demo")
        .about("Shows an attack contained in a simulated tenant; needs nothing")
        .after_help(
            "It starts a simulated tenant inside this process and runs all commands against it \
             over real HTTP. Nothing leaves this machine and nothing is left behind.",
        )
        .arg(
            Arg::new("mail")
                .long("mail")
                .value_name("FILE")
                .help("Blocks what your own mail (.eml, `-` is standard input) holds, instead of its own mail's"),
        )
}

/// Tells the story. The exit status is 1 where a step turned out otherwise than the story says.
pub fn demo(matches: &ArgMatches) -> Result<u8, Failure> {
    // Before anything is started: whoever watches sees at once that it runs.
    for line in story::OPENING {
        terminal::data(line);
    }
    let own = Letter::read(PAYROLL_FILE, PAYROLL);
    let theirs = match matches.get_one::<String>("mail") {
        Some(path) => Some(Letter::read(path, &files::read(path, MOST_MAIL)?)),
        None => None,
    };
    setup::wide_runtime()?.block_on(async {
        let mut stage = Stage::start().await?;
        let told = story::tell(&mut stage, &own, theirs.as_ref()).await;
        stage.end().await;
        Ok(match told {
            Ok(()) => 0,
            Err(what) => {
                terminal::note(&format!("the story ends early: {what}"));
                BROKEN
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::{finding::Wanted, *};

    async fn told(mail: Option<&[u8]>) -> Result<(), String> {
        let mut stage = Stage::start().await.unwrap();
        let own = Letter::read(PAYROLL_FILE, PAYROLL);
        let theirs = mail.map(|mail| Letter::read("theirs.eml", mail));
        let told = story::tell(&mut stage, &own, theirs.as_ref()).await;
        stage.end().await;
        told
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_story_ends_in_a_contained_attack() {
        assert_eq!(told(None).await, Ok(()));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_mail_that_somebody_reported_is_taken_too() {
        let mail: &[u8] = include_bytes!("../../../../tests/data/mail/reported.eml");
        assert_eq!(told(Some(mail)).await, Ok(()));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_a_mail_lacks_comes_from_the_storys_own() {
        assert_eq!(
            told(Some(b"Subject: nothing in it\n\nhello\n")).await,
            Ok(())
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_the_tenant_does_not_hold_is_not_called_contained() {
        let mut stage = Stage::start().await.unwrap();
        let wanted = Wanted {
            senders: vec!["payroll@n0rthwind.example".to_owned()],
            ..Wanted::default()
        };
        let judged = finding::judge(&mut stage, &wanted);
        assert!(judged.unwrap_err().contains("0 of 1 entries"));
        stage.end().await;
    }
}
