//! A tenant as a command sees it: small ports, each with its adapter beside it.

mod choice;
mod classic;
mod cmdlets;
mod connection;
mod content_search;
mod deleted_mail;
mod graph_mail;
mod graph_search;
mod seen;
mod tenant;

pub use choice::EitherSearch;
pub use classic::ClassicSearch;
pub use cmdlets::{Cmdlets, PageSource};
pub use connection::{CloudConnection, Connection, SignIn};
pub use content_search::{
    Accepted, Action, ActionKind, Claim, ContentSearch, DeleteType, GraphStanding, Locations,
    MailboxHits, Manner, NewSearch, Preparation, PurgeOrder, Recount, Said, Search, SearchState,
    Shown, ShownItem, Standing,
};
pub(crate) use content_search::{RECORD_PURGE, search_changed};
pub use deleted_mail::{
    Copies, DeletedMail, MailCopy, MailStanding, NoDeletedMail, Place, Way as MailWay,
};
pub use exchange::Learned;
pub use graph_mail::GraphMail;
pub use graph_search::{CASE as EDISCOVERY_CASE, GraphSearch};
pub use seen::Seen;
pub use tenant::Tenant;
