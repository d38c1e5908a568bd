//! The indicators of many mails, on one core.

use std::{
    fmt::Write,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::ensure;
use kernel::{Random, SeededRandom};
use serde_json::Value;

use super::{
    Bench,
    place::{memory, shown},
};
use crate::{
    chore::output,
    measure::{peak_memory, wall},
    report::Row,
};

/// Reads a folder of mails.
pub fn mails(bench: &Bench<'_>) -> anyhow::Result<Vec<Row>> {
    let count: usize = if bench.smoke { 20 } else { 1000 };
    let folder = tempfile::tempdir()?;
    let files: Vec<_> = (0..count)
        .map(|number| folder.path().join(format!("{number}.eml")))
        .collect();
    for (number, file) in files.iter().enumerate() {
        std::fs::write(file, mail(number as u64))?;
    }
    let command = || {
        let mut command = Command::new("taskset");
        command.args(["-c", "0"]).arg(&bench.binary);
        command
            .args(["check", "mail", "--output", "json"])
            .args(&files);
        command
    };
    sound(&output(&mut command())?, count)?;
    let clock = bench.workspace.clock;
    let mut times = (0..bench.rounds(5))
        .map(|_| wall(&clock, &mut command()))
        .collect::<anyhow::Result<Vec<Duration>>>()?;
    times.sort();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    let peak = peak_memory(&command(), Stdio::null())?;
    let size = size(files.iter().map(std::path::PathBuf::as_path))? / count as u64 / 1024;
    let name = format!("indicators of {count} mails of {size} KB, one core, whole process");
    Ok(vec![
        Row {
            measure: name.clone(),
            found: shown(median),
            must: "≤ 1 s".to_owned(),
            met: median <= Duration::from_secs(1),
        },
        memory(&format!("{name}, peak memory"), peak, 64),
    ])
}

fn size<'a>(files: impl Iterator<Item = &'a Path>) -> anyhow::Result<u64> {
    files.map(crate::measure::file_size).sum()
}

/// Every mail gave what it holds.
fn sound(text: &str, count: usize) -> anyhow::Result<()> {
    let mails: Vec<Value> = match serde_json::from_str(text) {
        Ok(Value::Array(mails)) => mails,
        _ => text
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<_, _>>()?,
    };
    ensure!(
        mails.len() == count,
        "{} of {count} mails came out",
        mails.len()
    );
    for mail in &mails {
        let has = |name: &str, least: usize| {
            let list = mail.get(name).and_then(Value::as_array);
            list.is_some_and(|list| list.len() >= least)
        };
        ensure!(
            has("senders", 1) && has("urls", 10) && has("files", 1),
            "a mail lost something: {mail}"
        );
    }
    Ok(())
}

/// The letters of base64.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A phishing mail of about 40 KB: text, HTML with links of many kinds, an attachment.
fn mail(number: u64) -> String {
    let dice = SeededRandom::new(number);
    let mut text = format!(
        "From: \"Payroll\" <payroll@wave{number}.example>\r\nReply-To: back@drop{number}.example\r\n\
         To: user@victim.example\r\nSubject: =?utf-8?B?WW91ciBzYWxhcnk=?= {number}\r\n\
         Message-ID: <{number}.{:x}@wave.example>\r\nDate: Mon, 2 Mar 2026 09:00:00 +0000\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=outer\r\n\r\n\
         --outer\r\nContent-Type: text/html; charset=utf-8\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\n<html><body>\r\n",
        dice.next_u64()
    );
    for link in 0..40 {
        let _ = write!(
            text,
            "<p style=3D\"margin:0;font-family:Arial\">Please look at your statement at <a href=3D\"\
             https://portal{}.wave{number}.example/login/{:x}?user=3D{link}&amp;t=3D{:x}\">the =\r\n\
             portal</a> before {link} o'clock, or call us.<span class=3D\"c{link}\">&nbsp;</span></p>\r\n",
            dice.below(7),
            dice.next_u64(),
            dice.next_u64()
        );
    }
    text.push_str(
        "</body></html>\r\n--outer\r\nContent-Type: application/pdf; name=statement.pdf\r\n\
         Content-Disposition: attachment; filename=statement.pdf\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n",
    );
    while text.len() < 40 * 1024 - 80 {
        for _ in 0..76 {
            let at = usize::try_from(dice.below(64)).unwrap_or(0);
            text.push(LETTERS.get(at).map_or('A', |byte| char::from(*byte)));
        }
        text.push_str("\r\n");
    }
    text.push_str("--outer--\r\n");
    text
}
