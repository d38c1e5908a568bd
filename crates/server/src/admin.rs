//! What administrators look at and switch.

mod audit;
mod freeze;
mod reach;
mod tokens;

pub(crate) use audit::{ChainView, EntryView, chains, entries, export, verify};
pub(crate) use freeze::{FreezeBody, FreezeView, freeze, frozen, unfreeze};
pub(crate) use tokens::{NewTokenBody, NewTokenView, TokenView, create, list, revoke};
