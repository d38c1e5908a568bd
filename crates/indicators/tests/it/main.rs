//! Integration tests.

// The condition always holds; it tells the lints that these are tests.
#[cfg(test)]
mod kql;
#[cfg(test)]
mod mail;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod url_rules;
#[cfg(test)]
mod vectors;
