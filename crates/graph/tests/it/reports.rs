//! Reports: fetched with their own token, read row by row, and never from a stranger.

use graph::{
    CallError,
    ediscovery::ReportFile,
    report::{ItemRow, Items, LocationRow, Locations},
};
use kernel::Failure;
use url::Url;

use crate::{
    pack::{Form, zip},
    script::{Play, Script, ok, sample, status, with},
};

const HOST: &str = "https://apc.proxyservice.ediscovery.svc.cloud.microsoft";

fn file() -> ReportFile {
    ReportFile {
        name: "Reports.zip".to_owned(),
        url: Url::parse(&format!(
            "{HOST}/ediscovery/api/proxy/x?downloadType=Report"
        ))
        .unwrap(),
        size: 4096,
    }
}

fn report(csv: &[u8]) -> Vec<u8> {
    zip(&[
        (
            "Summary-2026-10-02_06-19-06.csv",
            b"\"ItemCount\",\"2385\"\n",
            Form::Deflated,
        ),
        ("Locations-2026-10-02_06-19-06.csv", csv, Form::Streamed),
    ])
}

type Row = (String, u64, Option<u64>);

async fn locations(plays: Vec<Play>) -> (Result<Vec<Row>, CallError>, std::sync::Arc<Script>) {
    let (graph, script) = Script::new(plays).client();
    let mut rows = Vec::new();
    let mut each = |row: LocationRow<'_>| {
        assert!(row.is_mailbox());
        rows.push((row.location.to_owned(), row.items, row.size));
    };
    let told = graph.fetch(&file(), &mut Locations::new(&mut each)).await;
    (told.map(|()| rows), script)
}

#[tokio::test]
async fn counts_by_mailbox_are_read_out_of_the_report() {
    let (rows, script) = locations(vec![ok(report(&sample("locations.csv")))]).await;
    let row = |name: &str, items, size| (name.to_owned(), items, Some(size));
    assert_eq!(
        rows.unwrap(),
        [
            row("anna@contoso.com", 4, 1000),
            row("bob@contoso.com", 0, 0),
            row("carol@contoso.com", 1202, 900)
        ]
    );
    let sent = script.sent.lock().unwrap();
    assert_eq!(sent[0].token.expose(), "Reports");
    assert_eq!(sent[0].headers["x-allowwithaadtoken"], "true");
}

#[tokio::test]
async fn columns_are_found_by_name_in_any_order_and_encoding() {
    let text = "\u{feff}SIZE;x,Item Count,location\r\n9,\"7\",a@x\r\n";
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for csv in [text.as_bytes().to_vec(), wide] {
        let (rows, _) = locations(vec![ok(report(&csv))]).await;
        assert_eq!(rows.unwrap(), [("a@x".to_owned(), 7, None)]);
    }
    let (rows, _) = locations(vec![ok(report(b"Place,Count\na,1\n"))]).await;
    let failure: Failure = rows.unwrap_err().into();
    assert_eq!(failure.code.as_str(), "unparsed_rows");
    assert!(
        failure
            .message
            .contains("no column `Location`; its columns are `Place`, `Count`")
    );
    let other = zip(&[("Summary.csv", b"x", Form::Stored)]);
    let (rows, _) = locations(vec![ok(other)]).await;
    let failure: Failure = rows.unwrap_err().into();
    assert!(
        failure
            .message
            .contains("no file of locations; its files are `Summary.csv`")
    );
}

#[tokio::test]
async fn a_count_that_is_none_is_told_and_not_taken_for_zero() {
    let mut rows = 0;
    let mut each = |_: LocationRow<'_>| rows += 1;
    let mut reader = Locations::new(&mut each);
    let csv = b"Location,Count\na@x,1\nb@x,many\n,3\nc@x\n";
    let (graph, _) = Script::new(vec![ok(report(csv))]).client();
    graph.fetch(&file(), &mut reader).await.unwrap();
    let told = reader.told().clone();
    assert_eq!((told.rows, told.unread), (4, 3));
    assert_eq!(told.first_unread.as_deref(), Some("b@x,many"));
    assert_eq!(rows, 1);
}

#[tokio::test]
async fn items_are_read_with_whatever_columns_there_are() {
    let archive = zip(&[
        (
            "Reports/Unindexed items.csv",
            b"Subject\nno\n",
            Form::Deflated,
        ),
        (
            "Reports/Items_0-2026.csv",
            &sample("items.csv"),
            Form::Deflated,
        ),
    ]);
    let (graph, _) = Script::new(vec![ok(archive)]).client();
    let mut rows: Vec<ItemRow> = Vec::new();
    let mut each = |row: ItemRow| rows.push(row);
    let mut reader = Items::new(&mut each);
    graph.fetch(&file(), &mut reader).await.unwrap();
    assert_eq!(reader.told().columns[2], "Subject/Title");
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].subject, "Invoice, overdue");
    assert_eq!(rows[0].size, Some(12_345));
    assert_eq!(rows[0].mailbox.as_deref(), Some("anna@contoso.com"));
    assert_eq!(rows[1].subject, "say \"hi\"");
    assert_eq!(rows[1].mailbox.as_deref(), Some("bob@contoso.com"));
    assert_eq!(rows[1].message_id.as_deref(), Some("<2@evil.example>"));
}

#[tokio::test]
async fn a_sign_in_page_instead_of_a_report_names_the_grant() {
    let page = || {
        with(
            ok("<html>sign in</html>"),
            "content-type",
            "text/html; charset=utf-8",
        )
    };
    let away = "https://login.microsoftonline.com/common/oauth2/authorize?x";
    let sent_away = || with(status(302, ""), "location", away);
    // A token that is not taken once may be an old one.
    for first in [page(), sent_away(), status(401, "")] {
        let again = ok(report(&sample("locations.csv")));
        let (rows, script) = locations(vec![first.clone(), again]).await;
        assert_eq!(rows.unwrap().len(), 3, "{first:?}");
        let sent = script.sent.lock().unwrap();
        let tokens = [sent[0].token.expose(), sent[1].token.expose()];
        assert_eq!(tokens, ["Reports", "second"], "{first:?}");
        assert_eq!(sent[0].url, sent[1].url, "{first:?}");
    }
    for plays in [
        vec![page(), page()],
        vec![sent_away(), sent_away()],
        vec![status(401, ""), status(401, "Mise failed")],
        vec![status(403, "")],
    ] {
        let (rows, script) = locations(plays.clone()).await;
        let failure: Failure = rows.unwrap_err().into();
        assert_eq!(failure.code.as_str(), "download_refused", "{plays:?}");
        assert!(failure.hint.unwrap().contains("eDiscovery.Download.Read"));
        assert!(script.lines().len() <= 2);
    }
    let mut script = Script::new(Vec::new());
    script.no_reports = true;
    let (graph, _) = script.client();
    let mut each = |_: LocationRow<'_>| ();
    let refused = graph.fetch(&file(), &mut Locations::new(&mut each)).await;
    let failure = refused.unwrap_err().failure();
    assert_eq!(failure.code.as_str(), "download_refused");
    assert!(
        failure.message.contains("AADSTS500011"),
        "{}",
        failure.message
    );
}

#[tokio::test]
async fn a_link_is_followed_to_storage_and_to_nobody_else() {
    let storage = "https://store1.blob.core.windows.net/c/x.zip?sig=s";
    let there = with(status(302, ""), "location", storage);
    let (rows, script) = locations(vec![there, ok(report(&sample("locations.csv")))]).await;
    assert_eq!(rows.unwrap().len(), 3);
    assert_eq!(script.sent.lock().unwrap()[1].url.as_str(), storage);
    for stray in [
        "https://evil.example/x.zip",
        "http://127.0.0.1/x.zip",
        "//evil.example/x",
    ] {
        let (rows, script) = locations(vec![with(status(302, ""), "location", stray)]).await;
        let failure: Failure = rows.unwrap_err().into();
        assert_eq!(failure.code.as_str(), "untrusted_url", "{stray}");
        assert_eq!(script.sent.lock().unwrap().len(), 1, "{stray}");
    }
    let circle: Vec<Play> = vec![with(status(302, ""), "location", storage); 9];
    let (rows, script) = locations(circle).await;
    let circle = rows.unwrap_err().failure();
    assert!(circle.message.contains("circle"), "{circle:?}");
    // No grant changes that.
    assert_eq!(circle.code.as_str(), "unreadable_answer");
    assert_eq!(script.sent.lock().unwrap().len(), 5);
}

#[tokio::test]
async fn a_report_that_ends_early_is_none() {
    let whole = report(&sample("locations.csv"));
    let (rows, _) = locations(vec![ok(&whole[..whole.len() - 30])]).await;
    let failure: Failure = rows.unwrap_err().into();
    assert!(
        failure.message.contains("ends early"),
        "{}",
        failure.message
    );
    let (rows, _) = locations(vec![status(410, "gone")]).await;
    let failure: Failure = rows.unwrap_err().into();
    assert!(failure.message.contains("14 days"), "{}", failure.message);
}
