//! Reading answers: pure functions of status, headers and bytes. Every text of the service that
//! means something is matched here and nowhere else.

mod body;
mod headers;
mod hints;
mod location;
mod problem;

pub use body::{Garbled, Page, Reply, file_list, list, object, start_of, text, time};
pub use cloud::headers::{is_simulated, retry_after};
pub use headers::request_id;
pub use location::{Place, place};
pub use problem::{Problem, garbled, problem, reason, refusal};
