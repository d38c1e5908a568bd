//! The commands, one file each. The list is made from the folder when the crate is built.

include!(concat!(env!("OUT_DIR"), "/catalog.rs"));
