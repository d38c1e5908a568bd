//! Mail of a mailbox, message by message: the exact path where message ids are known. A mailbox as a
//! whole shows its visible folders and Deleted Items; Recoverable Items\Deletions is asked for by
//! its name; Purges and archives are out of reach.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::{
    Area, Call, Operation,
    call::{encoded, quoted},
    decode::{self, Garbled, Page, Reply, text, time},
};

/// What is read of a message.
const SELECT: &str = "id,subject,from,receivedDateTime,parentFolderId,internetMessageId";

/// A message in a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The service's id of it; stays the same when it is moved.
    pub id: String,
    /// Its message id.
    pub message_id: Option<String>,
    /// Its subject.
    pub subject: String,
    /// Who it is from, by its header.
    pub from: Option<String>,
    /// When it was received.
    pub received_at: Option<Timestamp>,
    /// The folder it lies in.
    pub folder: Option<String>,
}

impl Message {
    fn read(map: &Map<String, Value>) -> Option<Self> {
        let from = map.get("from").and_then(|from| from.get("emailAddress"));
        let from = from.and_then(Value::as_object);
        Some(Self {
            id: text(map, "id")?.to_owned(),
            message_id: text(map, "internetMessageId").map(str::to_owned),
            subject: text(map, "subject").unwrap_or_default().to_owned(),
            from: from
                .and_then(|from| text(from, "address"))
                .map(str::to_owned),
            received_at: time(map, "receivedDateTime"),
            folder: text(map, "parentFolderId").map(str::to_owned),
        })
    }
}

fn messages(mailbox: &str, below: &str) -> String {
    format!("/users/{}/messages{below}", encoded(mailbox))
}

/// Finds the copies of a message in a mailbox by its message id, brackets included.
#[derive(Debug, Clone)]
pub struct FindMessages {
    /// The mailbox: its address or user principal name.
    pub mailbox: String,
    /// The message id, as its header has it.
    pub message_id: String,
}

impl Operation for FindMessages {
    type Answer = Page<Message>;

    fn call(&self) -> Call {
        let path = messages(&self.mailbox, "");
        Call::get("find the message", Area::Mail, path).query(by_message_id(&self.message_id))
    }

    fn read(&self, reply: &Reply) -> Result<Page<Message>, Garbled> {
        only(&self.message_id, reply)
    }
}

fn by_message_id(message_id: &str) -> String {
    let id = quoted(message_id);
    format!("$filter=internetMessageId%20eq%20{id}&$select={SELECT}&$top=50")
}

/// The messages of a list, if they are the one that was asked for.
fn only(message_id: &str, reply: &Reply) -> Result<Page<Message>, Garbled> {
    let page = decode::list(reply, Message::read)?;
    let other = |one: &Message| one.message_id.as_deref() != Some(message_id);
    if page.rows.iter().any(other) {
        // Whoever deletes or moves by this answer would do it to something else.
        return Err(Garbled::new(
            "it holds another message than was asked for",
            &reply.body,
        ));
    }
    Ok(page)
}

/// Finds the copies of a message in one folder of a mailbox by its message id, brackets included.
#[derive(Debug, Clone)]
pub struct FindInFolder {
    /// The mailbox: its address or user principal name.
    pub mailbox: String,
    /// The folder.
    pub folder: Folder,
    /// The message id, as its header has it.
    pub message_id: String,
}

impl Operation for FindInFolder {
    type Answer = Page<Message>;

    fn call(&self) -> Call {
        let (mailbox, folder) = (encoded(&self.mailbox), self.folder.word());
        let path = format!("/users/{mailbox}/mailFolders/{folder}/messages");
        let name = "find the message in a folder";
        Call::get(name, Area::Mail, path).query(by_message_id(&self.message_id))
    }

    fn read(&self, reply: &Reply) -> Result<Page<Message>, Garbled> {
        only(&self.message_id, reply)
    }
}

/// Reads one message, to see whether it is still there.
#[derive(Debug, Clone)]
pub struct GetMessage {
    /// The mailbox.
    pub mailbox: String,
    /// The service's id.
    pub id: String,
}

impl Operation for GetMessage {
    type Answer = Message;

    fn call(&self) -> Call {
        let path = messages(&self.mailbox, &format!("/{}", encoded(&self.id)));
        Call::get("read the message", Area::Mail, path).query(format!("$select={SELECT}"))
    }

    fn read(&self, reply: &Reply) -> Result<Message, Garbled> {
        let map = decode::object(reply)?;
        Message::read(&map).ok_or_else(|| Garbled::new("it names no message", &reply.body))
    }
}

/// Where a message is moved to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folder {
    /// Deleted Items, which the user sees.
    DeletedItems,
    /// Recoverable Items\Deletions: a soft delete.
    RecoverableDeletions,
    /// The inbox.
    Inbox,
}

impl Folder {
    /// The service's name for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::DeletedItems => "deleteditems",
            Self::RecoverableDeletions => "recoverableitemsdeletions",
            Self::Inbox => "inbox",
        }
    }
}

/// Moves a message.
#[derive(Debug, Clone)]
pub struct MoveMessage {
    /// The mailbox.
    pub mailbox: String,
    /// The service's id.
    pub id: String,
    /// Where to.
    pub folder: Folder,
}

impl Operation for MoveMessage {
    type Answer = Message;

    fn call(&self) -> Call {
        let path = messages(&self.mailbox, &format!("/{}/move", encoded(&self.id)));
        let body = json!({ "destinationId": self.folder.word() });
        Call::post("move the message", Area::Mail, path, Some(body))
    }

    fn read(&self, reply: &Reply) -> Result<Message, Garbled> {
        let map = decode::object(reply)?;
        Message::read(&map).ok_or_else(|| Garbled::new("it names no message", &reply.body))
    }
}

/// Deletes a message for good: to Purges, where only a hold keeps it. Not in every cloud.
#[derive(Debug, Clone)]
pub struct DeleteMessage {
    /// The mailbox.
    pub mailbox: String,
    /// The service's id.
    pub id: String,
}

impl Operation for DeleteMessage {
    type Answer = ();

    fn call(&self) -> Call {
        let path = messages(
            &self.mailbox,
            &format!("/{}/permanentDelete", encoded(&self.id)),
        );
        Call::post("delete the message for good", Area::Mail, path, None)
    }

    fn read(&self, _: &Reply) -> Result<(), Garbled> {
        Ok(())
    }
}
