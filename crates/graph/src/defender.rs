//! Defender for Office 365: where delivered mail lies, and moving it. For apps only, in the
//! worldwide cloud, with Plan 2.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::{
    Area, Call, Operation,
    call::quoted,
    decode::{self, Garbled, Page, Reply, text, time},
};

const EMAILS: &str = "/security/collaboration/analyzedEmails";

/// A delivered copy of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnalyzedEmail {
    /// The service's id.
    pub id: String,
    /// Defender's id of the message.
    pub network_message_id: String,
    /// Its message id.
    pub message_id: Option<String>,
    /// Whose copy it is.
    pub recipient: String,
    /// Its subject.
    pub subject: String,
    /// Who it is from, by its header.
    pub from: Option<String>,
    /// When Defender saw it.
    pub logged_at: Option<Timestamp>,
    /// Where it lies now: `inbox_folder`, `quarantine`, `deletedFolder`, ….
    pub location: String,
}

impl AnalyzedEmail {
    fn read(map: &Map<String, Value>) -> Option<Self> {
        let inner = |object: &str, name: &str| {
            let inner = map.get(object)?.as_object()?;
            text(inner, name).map(str::to_owned)
        };
        Some(Self {
            id: text(map, "id")?.to_owned(),
            network_message_id: text(map, "networkMessageId")?.to_owned(),
            message_id: text(map, "internetMessageId").map(str::to_owned),
            recipient: text(map, "recipientEmailAddress")?.to_owned(),
            subject: text(map, "subject").unwrap_or_default().to_owned(),
            from: inner("senderDetail", "fromAddress"),
            logged_at: time(map, "loggedDateTime"),
            location: inner("latestDelivery", "location").unwrap_or_default(),
        })
    }
}

/// Finds delivered copies within a window. The service has been seen to ignore window and filter,
/// so the rows are sieved here as well.
#[derive(Debug, Clone)]
pub struct FindAnalyzed {
    /// Begin of the window.
    pub from: Timestamp,
    /// End of the window.
    pub to: Timestamp,
    /// Defender's id of the message.
    pub network_message_id: Option<String>,
    /// Whose copy.
    pub recipient: Option<String>,
    /// The service is asked to filter; it has been seen to refuse that.
    pub filtered: bool,
}

impl Operation for FindAnalyzed {
    type Answer = Page<AnalyzedEmail>;

    fn call(&self) -> Call {
        let mut query = format!("startTime={}&endTime={}&$top=100", self.from, self.to);
        let filters: Vec<String> = [
            ("networkMessageId", &self.network_message_id),
            ("recipientEmailAddress", &self.recipient),
        ]
        .into_iter()
        .filter(|_| self.filtered)
        .filter_map(|(name, value)| Some(format!("{name}%20eq%20{}", quoted(value.as_ref()?))))
        .collect();
        if !filters.is_empty() {
            query.push_str("&$filter=");
            query.push_str(&filters.join("%20and%20"));
        }
        Call::get("find delivered mail", Area::Defender, EMAILS.to_owned()).query(query)
    }

    fn read(&self, reply: &Reply) -> Result<Page<AnalyzedEmail>, Garbled> {
        let mut page = decode::list(reply, AnalyzedEmail::read)?;
        let same = |wanted: &Option<String>, found: &str| {
            wanted
                .as_ref()
                .is_none_or(|one| one.eq_ignore_ascii_case(found))
        };
        page.rows.retain(|row| {
            same(&self.network_message_id, &row.network_message_id)
                && same(&self.recipient, &row.recipient)
        });
        Ok(page)
    }
}

/// What is done to delivered copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// To quarantine; can be taken back.
    Quarantine,
    /// To Recoverable Items; can be taken back.
    SoftDelete,
    /// For good.
    HardDelete,
    /// To Deleted Items.
    DeletedItems,
    /// Back to the inbox.
    Inbox,
}

impl Remedy {
    /// The service's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Quarantine => "moveToQuarantine",
            Self::SoftDelete => "softDelete",
            Self::HardDelete => "hardDelete",
            Self::DeletedItems => "moveToDeletedItems",
            Self::Inbox => "moveToInbox",
        }
    }
}

/// Moves or deletes delivered copies. Acceptance proves nothing: where the copies lie later does.
#[derive(Debug, Clone)]
pub struct Remediate {
    /// A name for the Action center.
    pub name: String,
    /// And a description.
    pub description: String,
    /// What is done.
    pub remedy: Remedy,
    /// The copies: Defender's id of the message, and whose copy.
    pub copies: Vec<(String, String)>,
}

impl Operation for Remediate {
    type Answer = ();

    fn call(&self) -> Call {
        let copies: Vec<Value> = self
            .copies
            .iter()
            .map(|(id, recipient)| {
                json!({ "networkMessageId": id, "recipientEmailAddress": recipient })
            })
            .collect();
        let body = json!({
            "displayName": self.name,
            "description": self.description,
            "severity": "medium",
            "action": self.remedy.word(),
            "remediateSendersCopy": false,
            "analyzedEmails": copies,
        });
        let path = format!("{EMAILS}/remediate");
        Call::post("remediate delivered mail", Area::Defender, path, Some(body))
    }

    fn read(&self, _: &Reply) -> Result<(), Garbled> {
        Ok(())
    }
}
