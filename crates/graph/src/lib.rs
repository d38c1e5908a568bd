//! Microsoft Graph: eDiscovery cases, searches, purges and reports; mail by message id; Defender's
//! view of delivered mail.
//!
//! Building a request and reading an answer are pure functions of bytes ([`request`], [`decode`],
//! and the operations in [`ediscovery`], [`mail`] and [`defender`]); sockets, tokens, clock and
//! randomness come in from outside ([`wire::Wire`], [`Options`]). [`Graph`] puts them together: the
//! budget of requests a minute that eDiscovery grants an app in a tenant, retries that never repeat
//! a change, and reports that are read without being held.
//!
//! Every text of the service that means something is matched in [`decode`], and nowhere else.

mod adapter;
mod budget;
pub mod call;
pub mod client;
pub mod decode;
pub mod defender;
mod download;
pub mod ediscovery;
pub mod error;
pub mod mail;
pub mod report;
pub mod request;
pub mod wire;

pub use adapter::CloudWire;
pub use budget::{Budget, PER_MINUTE, Shared, Taken};
pub use call::{Area, Call, CaseId, Operation, OperationId, SearchId, SourceId};
pub use client::{Answer, Graph, Options};
pub use error::{CallError, Reason, Refusal};
pub use wire::{Audience, Bearer, Wire};
