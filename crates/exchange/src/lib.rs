//! The admin wire of Exchange Online and Security & Compliance.
//!
//! Everything goes through one request, `POST …/InvokeCommand`, which names a cmdlet and its
//! parameters. Building a request and reading an answer are pure functions of bytes ([`request`],
//! [`decode`]); sockets, tokens, clock and randomness come in from outside ([`wire::Wire`],
//! [`Options`]). [`Exchange`] puts them together: paging that proves a list whole, retries that
//! never repeat a change blindly, and a limiter that learns how much a tenant takes at once.
//!
//! Every text of the service that means something is matched in [`decode`] and [`texts`], and
//! nowhere else.

mod adapter;
pub mod call;
pub mod client;
pub mod cmdlet;
pub mod decode;
pub mod encode;
pub mod error;
pub mod paging;
pub mod reply;
pub mod request;
mod retry;
pub mod rights;
pub mod row;
pub mod texts;
mod throttle;
mod trip;
pub mod wire;

pub use adapter::CloudWire;
pub use call::{Call, Cmdlet, Identity, Repeat, Service, Values};
pub use client::{Exchange, Options};
pub use error::{CallError, Incomplete, Reason, Refusal};
pub use paging::Pages;
pub use reply::{Page, Reply, Warning};
pub use rights::AccessRights;
pub use row::Row;
pub use throttle::Learned;
pub use wire::{Bearer, Caller, Wire};
