//! The sandbox seen from outside: a raw HTTP client over loopback.

mod compliance;
mod control;
mod door;
mod faults;
mod intercept;
mod lab;
mod sign_in;
mod strangers;
