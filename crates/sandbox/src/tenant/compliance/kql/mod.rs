//! The query language of content searches: a reader of its own and an evaluator over the mail
//! store. It shares nothing with the client, so that one misreading cannot hide itself.

mod eval;
mod operand;
mod parse;
mod value;

pub use eval::Evaluator;
pub(crate) use eval::folder_id;
#[cfg(test)]
use parse::{MAX_DEPTH, MAX_LENGTH};

use value::{DateRange, NumberRange, Text};

/// A query that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    root: Node,
}

impl Query {
    /// Reads a query. An empty one matches every item.
    ///
    /// # Errors
    ///
    /// The service's sentence when the query names an unknown property or is malformed.
    pub fn parse(text: &str) -> Result<Self, KqlError> {
        Self::read(text, Dialect::default())
    }

    /// Reads a query in a dialect.
    ///
    /// # Errors
    ///
    /// As [`Query::parse`]; with `plain_quotes` also for typographic quotation marks.
    pub fn read(text: &str, dialect: Dialect) -> Result<Self, KqlError> {
        if dialect.plain_quotes && text.contains(['\u{201c}', '\u{201d}', '\u{201e}']) {
            return Err(KqlError(
                "Quotation marks must be straight ones.".to_owned(),
            ));
        }
        let root = parse::parse(text, dialect.space_is_or)?;
        Ok(Self {
            root: if dialect.blind_to_message_ids {
                root.without_message_ids()
            } else {
                root
            },
        })
    }
}

/// How the services that share this language differ; the default is the classic one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dialect {
    /// A space between two clauses means OR instead of AND.
    pub space_is_or: bool,
    /// `internetMessageId` is taken and finds nothing.
    pub blind_to_message_ids: bool,
    /// Typographic quotation marks are refused.
    pub plain_quotes: bool,
}

/// Why a query was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The property keyword isn't supported. {0}")]
pub struct KqlError(pub(crate) String);

/// A property of mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Property {
    AttachmentNames,
    Bcc,
    Category,
    Cc,
    FileType,
    FolderId,
    From,
    HasAttachment,
    Importance,
    InternetMessageId,
    IsRead,
    ItemClass,
    Kind,
    Participants,
    Received,
    Recipients,
    Sent,
    Size,
    Subject,
    To,
}

impl Property {
    /// The property of a name, in any case. Besides Microsoft's table these are the names that the
    /// portal's conditions write (`date`, `subjecttitle`, `senderauthor`, `filetype`) and
    /// `internetMessageId`, which works though the table lacks it.
    fn of(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "attachmentnames" => Self::AttachmentNames,
            "bcc" => Self::Bcc,
            "category" => Self::Category,
            "cc" => Self::Cc,
            "filetype" => Self::FileType,
            "folderid" => Self::FolderId,
            "from" | "senderauthor" => Self::From,
            "hasattachment" => Self::HasAttachment,
            "importance" => Self::Importance,
            "internetmessageid" => Self::InternetMessageId,
            "isread" => Self::IsRead,
            "itemclass" => Self::ItemClass,
            "kind" => Self::Kind,
            "participants" => Self::Participants,
            "received" | "date" => Self::Received,
            "recipients" => Self::Recipients,
            "sent" => Self::Sent,
            "size" => Self::Size,
            "subject" | "subjecttitle" => Self::Subject,
            "to" => Self::To,
            _ => return None,
        })
    }

    fn is_date(self) -> bool {
        matches!(self, Self::Received | Self::Sent)
    }
}

/// What a query is made of. Conjunctions and disjunctions are flat, so that the depth of the tree
/// is that of the brackets and negations, which is bounded.
#[derive(Debug, Clone, PartialEq)]
enum Node {
    /// Every item.
    All,
    /// No item.
    Nothing,
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    /// Two texts with at most so many words between them.
    Near(Text, Text, usize),
    /// A word or phrase anywhere.
    Text(Text),
    /// A property that has a text.
    Property(Property, Text),
    Date(Property, DateRange),
    Size(NumberRange),
}

impl Node {
    fn without_message_ids(self) -> Self {
        let all = |nodes: Vec<Self>| nodes.into_iter().map(Self::without_message_ids).collect();
        match self {
            Self::Property(Property::InternetMessageId, _) => Self::Nothing,
            Self::And(nodes) => Self::And(all(nodes)),
            Self::Or(nodes) => Self::Or(all(nodes)),
            Self::Not(node) => Self::Not(Box::new(node.without_message_ids())),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests;
