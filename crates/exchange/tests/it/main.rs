//! The wire client against recorded bodies and against a scripted wire.

mod contract;
mod hostile;
mod paging;
mod requests;
mod script;
mod sending;
mod texts;
