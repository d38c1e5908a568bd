//! What the story takes from a mail: the senders, links and files to block.

use indicators::mail::{self, LinkSource, MailReport, SenderHeader};
use sandbox::tenant::company::DOMAIN;

/// More than this of one kind would make a log, not a story.
const MOST: usize = 4;

/// A mail and what of it is worth blocking.
pub struct Letter {
    /// What `mailcordon check mail` says of it.
    pub report: MailReport,
    /// Entries for senders, in the order of the mail.
    pub senders: Vec<String>,
    /// The one of `senders` whose block is of least use, and whether it is a bounce address, which
    /// a mail service makes for one mail.
    pub spare: Option<(String, bool)>,
    /// Entries for links that somebody can click, without those that lead to the company itself.
    pub links: Vec<String>,
    /// Links that lead to the company itself.
    pub own_links: Vec<String>,
    /// SHA-256 of the files.
    pub files: Vec<String>,
    /// How many values of the mail the story leaves out.
    pub left_out: usize,
    /// Whether it was a mail inside another one, as people report them.
    pub reported: bool,
}

impl Letter {
    /// Reads a mail. Whatever it is, what is readable comes back.
    pub fn read(name: &str, bytes: &[u8]) -> Self {
        let report = mail::report(name, bytes);
        // Who reports a mail sends it on as an attachment: the reporter is no attacker.
        let reported = report.files.iter().any(|file| file.message.is_some());
        let attacker = report
            .senders
            .iter()
            .filter(|sender| !reported || !sender.part.is_empty());
        let bounce = attacker
            .clone()
            .find(|sender| sender.headers == [SenderHeader::ReturnPath])
            .and_then(|sender| sender.entry.clone());
        let mut senders = entries(attacker.map(|sender| &sender.entry));
        let is_own = |entry: &String| {
            let host = entry.split(['/', ':']).next().unwrap_or_default();
            host == DOMAIN || host.ends_with(&format!(".{DOMAIN}"))
        };
        let clickable = report
            .urls
            .iter()
            .filter(|url| url.source != LinkSource::Image);
        let (own_links, mut links): (Vec<_>, Vec<_>) = entries(clickable.map(|url| &url.entry))
            .into_iter()
            .partition(is_own);
        let files = report.files.iter().filter(|file| file.message.is_none());
        let mut files = entries(files.map(|file| &file.entry));
        let mut left_out = 0;
        for list in [&mut senders, &mut links, &mut files] {
            left_out += list.len().saturating_sub(MOST);
            list.truncate(MOST);
        }
        let bounce = bounce.filter(|entry| senders.contains(entry));
        let spare = match bounce {
            Some(entry) => Some((entry, true)),
            None => senders.last().map(|entry| (entry.clone(), false)),
        };
        Self {
            report,
            senders,
            spare,
            links,
            own_links,
            files,
            left_out,
            reported,
        }
    }
}

/// Each entry once.
fn entries<'a>(all: impl Iterator<Item = &'a Option<String>>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for entry in all.flatten() {
        if !kept.contains(entry) {
            kept.push(entry.clone());
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use sandbox::tenant::company::PAYROLL;

    use super::*;

    #[test]
    fn the_storys_own_mail_is_the_one_that_the_tenant_holds() {
        let letter = Letter::read("payroll.eml", super::super::PAYROLL);
        assert_eq!(
            letter.report.message_id.as_deref(),
            Some(PAYROLL.message_id)
        );
        assert!(letter.senders.iter().any(|sender| sender == PAYROLL.sender));
        assert!(letter.files.iter().any(|file| file == PAYROLL.sha256));
        assert!(!letter.reported && letter.left_out == 0);
        let (spare, bounce) = letter.spare.unwrap();
        assert!(bounce && spare.starts_with("bounce-"), "{spare}");
        let link = PAYROLL.url.trim_start_matches("https://");
        assert!(
            letter.links.iter().any(|entry| entry == link),
            "{:?}",
            letter.links
        );
        assert!(letter.own_links.iter().all(|entry| entry.contains(DOMAIN)));
    }

    #[test]
    fn a_link_to_the_company_itself_is_set_apart() {
        let mail = b"From: a@evil.test\n\nhttps://hr.northwind.example/x https://northwind.example.evil.test/y\n";
        let letter = Letter::read("a.eml", mail);
        assert_eq!(letter.own_links, ["hr.northwind.example/x"]);
        assert_eq!(letter.links, ["northwind.example.evil.test/y"]);
    }

    #[test]
    fn whoever_reports_a_mail_is_not_blocked() {
        let reported = include_bytes!("../../../../tests/data/mail/reported.eml");
        let letter = Letter::read("reported.eml", reported);
        assert!(letter.reported);
        assert!(!letter.senders.is_empty());
        let outer = letter
            .report
            .senders
            .iter()
            .filter(|sender| sender.part.is_empty());
        for reporter in outer {
            assert!(
                !letter.senders.contains(&reporter.value),
                "{}",
                reporter.value
            );
        }
    }
}
