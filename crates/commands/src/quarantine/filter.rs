//! What a listing of quarantine asks for.

use exchange::{
    Call, Cmdlet,
    cmdlet::{Direction, GetQuarantineMessage},
};

use super::Window;

/// What a listing asks for, the same on every page.
#[derive(Debug, Clone)]
pub struct Filter {
    /// Any of these senders; empty means any.
    pub senders: Vec<String>,
    /// Any of these recipients; empty means any.
    pub recipients: Vec<String>,
    /// The whole subject.
    pub subject: Option<String>,
    /// When it was received.
    pub window: Window,
    /// The message id.
    pub message_id: Option<String>,
    /// One way only.
    pub direction: Option<Direction>,
}

impl Filter {
    /// The call for one page.
    pub fn page(&self, page: u16, page_size: u16) -> Call {
        GetQuarantineMessage::List {
            senders: self.senders.clone(),
            recipients: self.recipients.clone(),
            subject: self.subject.clone(),
            start: Some(self.window.start),
            end: Some(self.window.end),
            message_id: self.message_id.clone(),
            direction: self.direction,
            page,
            page_size,
        }
        .call()
        .page_size(page_size)
    }
}
