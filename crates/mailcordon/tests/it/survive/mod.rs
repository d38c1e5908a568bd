//! Runs that outlive the program that drove them.

mod judge;
mod leases;
