//! A simulated Microsoft 365 tenant behind real HTTP.

pub mod cmdlet;
pub mod tenant;
