//! A run as it is listed.

use std::collections::BTreeMap;

use engine::{LedgerError, Origin, RunRequest, Way, ledger::Waiting};
use jiff::Timestamp;
use kernel::{Effect, Failure, ids::RunId};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    codec,
    conn::Conn,
    error::{Result, damaged, unknown_run},
    sql,
    value::Row,
};

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nobody drives it yet.
    Queued,
    /// Somebody drives it.
    Running,
    /// It waits for a time or for the service.
    Waiting,
    /// It waits for a person to do something about what is in [`RunRow::parked`].
    Parked,
    /// Somebody asked it to stop, and it has not ended yet.
    Cancelling,
    /// It is over.
    Finished,
}

/// A run as it is listed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a column that a list shows, none depends on another"
)]
pub struct RunRow {
    /// Its id.
    pub id: RunId,
    /// The command's id.
    pub command: String,
    /// The name of the connection.
    pub connection: String,
    /// Only says what would be done.
    pub dry_run: bool,
    /// What was asked for; nothing when a newer program wrote it in a form unknown to this one.
    pub request: Option<RunRequest>,
    /// The run that it takes back.
    pub undo_of: Option<RunId>,
    /// The run of which it tries the rest again.
    pub retry_of: Option<RunId>,
    /// The effect of its command.
    pub effect: Effect,
    /// Who asked.
    pub origin: Origin,
    /// Where it stands.
    pub state: State,
    /// Who drives it, or did last.
    pub holder: Option<String>,
    /// How often it was claimed.
    pub fence: i64,
    /// The end of its lease.
    pub lease_end: Option<Timestamp>,
    /// Not before this instant.
    pub due: Option<Timestamp>,
    /// In the urgent lane.
    pub urgent: bool,
    /// Somebody asked it to stop.
    pub cancel_asked: bool,
    /// `Successful`, `Partially Successful` or `Failed`, once it is over.
    pub return_data: Option<String>,
    /// It ended because somebody asked it to.
    pub cancelled: bool,
    /// Settled items by outcome, once it is over.
    pub counts: BTreeMap<String, u64>,
    /// Items that it set out to change.
    pub planned: u64,
    /// Mailboxes that its plan touches, where that is known.
    pub mailboxes: u64,
    /// The hash of the plan that a dry run showed.
    pub shown_hash: Option<String>,
    /// What it waits for.
    pub waiting: Option<Waiting>,
    /// Why it is parked.
    pub parked: Option<Failure>,
    /// When it was recorded.
    pub created: Timestamp,
    /// When anything of it was written last.
    pub updated: Timestamp,
    /// When it ended.
    pub finished: Option<Timestamp>,
}

/// The text of a unit variant as it is stored.
pub(crate) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        _ => String::new(),
    }
}

/// The unit variant of a stored text.
pub(crate) fn of_word<T: DeserializeOwned>(what: &str, text: String) -> Result<T> {
    serde_json::from_value(serde_json::Value::String(text))
        .map_err(|_| damaged(&format!("{what} is none that this program knows")))
}

/// An instant from microseconds.
pub(crate) fn instant(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(if micros < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

/// A run's id from its text.
pub(crate) fn id(text: &str) -> Result<RunId> {
    text.parse()
        .map_err(|_| damaged("the id of a run cannot be read"))
}

/// A number that is never negative.
pub(crate) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Reads the columns that `sql::run_columns` names.
pub(crate) fn from_row(mut row: Row) -> Result<RunRow> {
    let row = &mut row;
    let id = id(&row.text(0)?)?;
    let counts = match row.maybe_text(21)? {
        Some(counts) => serde_json::from_str(&counts)
            .map_err(|_| damaged("the counts of a run cannot be read"))?,
        None => BTreeMap::new(),
    };
    let request = match codec::decode(&format!("the request of run {id}"), &row.bytes(18)?) {
        Ok(request) => Some(request),
        Err(LedgerError::UnknownVersion { .. }) => None,
        Err(error) => return Err(error),
    };
    let waiting = row.maybe_bytes(28)?;
    let parked = row.maybe_bytes(29)?;
    Ok(RunRow {
        id,
        created: instant(row.int(1)?),
        updated: instant(row.int(2)?),
        finished: row.maybe_int(3)?.map(instant),
        effect: of_word("an effect", row.text(6)?)?,
        state: of_word("a state", row.text(8)?)?,
        holder: row.maybe_text(9)?,
        fence: row.int(10)?,
        lease_end: row.maybe_int(11)?.map(instant),
        due: row.maybe_int(12)?.map(instant),
        urgent: row.flag(13)?,
        cancel_asked: row.flag(14)?,
        origin: Origin {
            way: of_word::<Way>("a way in", row.text(15)?)?,
            actor: row.text(16)?,
            named: row.maybe_text(17)?,
        },
        connection: row.text(4)?,
        command: row.text(5)?,
        dry_run: row.flag(7)?,
        request,
        undo_of: row.maybe_text(24)?.map(|run| self::id(&run)).transpose()?,
        retry_of: row.maybe_text(25)?.map(|run| self::id(&run)).transpose()?,
        return_data: row.maybe_text(19)?,
        cancelled: row.flag(20)?,
        counts,
        planned: count(row.int(22)?),
        mailboxes: count(row.int(23)?),
        shown_hash: row.maybe_text(27)?,
        waiting: waiting
            .map(|body| codec::decode("what a run waits for", &body))
            .transpose()?,
        parked: parked
            .map(|body| codec::decode("why a run is parked", &body))
            .transpose()?,
    })
}

/// The run of that id.
pub(crate) async fn find(conn: &mut Conn, run: RunId) -> Result<RunRow> {
    let row = conn.one(sql::RUN, &[run.to_string().into()]).await?;
    from_row(row.ok_or_else(|| unknown_run(run))?)
}

impl RunRow {
    /// What was asked for, if this program can read it.
    pub(crate) fn readable(self) -> Result<RunRequest> {
        let what = || format!("the request of run {}", self.id);
        // The version itself is of no use to anybody here: it is not this program's.
        self.request.ok_or_else(|| LedgerError::UnknownVersion {
            what: what(),
            version: i64::from(codec::VERSION) + 1,
        })
    }
}
