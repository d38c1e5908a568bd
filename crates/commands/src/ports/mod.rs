//! A tenant as a command sees it: small ports, each with its adapter beside it.

mod classic;
mod cmdlets;
mod connection;
mod content_search;
mod seen;
mod tenant;

pub use classic::ClassicSearch;
pub use cmdlets::{Cmdlets, PageSource};
pub use connection::{CloudConnection, Connection, SignIn};
pub use content_search::{
    Action, ActionKind, ContentSearch, DeleteType, Locations, MailboxHits, NewSearch, Said, Search,
    SearchState,
};
pub use exchange::Learned;
pub use seen::Seen;
pub use tenant::Tenant;
