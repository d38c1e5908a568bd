//! The row of a message.

use serde_json::{Value, json};

use super::{super::Ask, id};
use crate::tenant::{
    compliance::folder_id,
    mailstore::{Item, Party},
};

fn party(party: &Party) -> Value {
    json!({"emailAddress": {"name": party.name, "address": party.address}})
}

fn time(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A message; `None` when there is no such mailbox.
pub(super) fn message(ask: &Ask<'_>, mailbox: usize, item: &Item) -> Option<Value> {
    let record = ask.tenant.company.record(mailbox)?;
    let message = &item.message;
    let parties = |list: &[Party]| -> Vec<Value> { list.iter().map(party).collect() };
    let preview: String = message.body.chars().take(255).collect();
    Some(json!({
        "@odata.etag": format!("W/\"{:x}\"", item.id),
        "id": id::write(record.guid, item, ask.immutable),
        "createdDateTime": time(message.received),
        "receivedDateTime": time(message.received),
        "sentDateTime": time(message.sent),
        "hasAttachments": !message.attachments.is_empty(),
        "internetMessageId": message.message_id,
        "subject": message.subject,
        "bodyPreview": preview,
        "importance": if message.importance.is_empty() { "normal" } else { message.importance },
        "parentFolderId": folder_id(record, item.folder),
        "isRead": item.read,
        "isDraft": false,
        "from": party(&message.from),
        "sender": party(&message.from),
        "toRecipients": parties(&message.to),
        "ccRecipients": parties(&message.cc),
    }))
}
