//! What goes to the terminal beside the data: notes, warnings, failures. All on standard error,
//! all escaped.

use std::{
    io::{Error, ErrorKind, IsTerminal, Write},
    sync::OnceLock,
};

use kernel::{Failure, escape, failure::code};

/// Why data could not be written to standard output, once that has happened.
static UNWRITTEN: OnceLock<String> = OnceLock::new();

/// Prints one line of data to standard output; a reader that is gone is no error.
pub fn data(text: &str) {
    let mut out = std::io::stdout().lock();
    let written = out
        .write_all(text.as_bytes())
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush());
    if let Err(error) = written {
        not_written(&error);
    }
}

/// Takes note that standard output did not take data. A reader that has seen enough and is gone is
/// no error; a full disk is.
pub fn not_written(error: &Error) {
    if error.kind() != ErrorKind::BrokenPipe {
        let _ = UNWRITTEN.set(error.to_string());
    }
}

/// The failure to write to standard output, if there was one.
pub fn unwritten() -> Option<Failure> {
    let why = UNWRITTEN.get()?;
    let failure = Failure::new(
        kernel::ErrorKind::Internal,
        code::OUTPUT_LOST,
        format!("standard output could not be written, so what stands there is not whole: {why}"),
    );
    Some(failure.hint("what was done in the tenant stands; make room and look at it again"))
}

/// Prints a note.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", escape::line(text));
}

/// Prints a warning.
pub fn warning(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "warning: {}", escape::line(text));
}

/// Prints a failure: what happened, and what to do.
pub fn failure(failure: &Failure) {
    let mut out = std::io::stderr().lock();
    let _ = writeln!(
        out,
        "error: {} [{}]",
        escape::line(&failure.message),
        failure.code
    );
    if let Some(hint) = &failure.hint {
        let _ = writeln!(out, "hint: {}", escape::line(hint));
    }
}

/// Whether a person is at both ends: can be asked, and sees the question.
pub fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Whether standard output is a terminal.
pub fn shows_data() -> bool {
    std::io::stdout().is_terminal()
}

/// Whether progress may be drawn.
pub fn shows_progress() -> bool {
    std::io::stderr().is_terminal()
}

/// Asks a question that is answered by typing a word. False on anything else.
pub fn ask(question: &str, word: &str) -> bool {
    let mut out = std::io::stderr().lock();
    let _ = write!(out, "{} ", escape::line(question));
    let _ = out.flush();
    drop(out);
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).is_ok() && answer.trim().eq_ignore_ascii_case(word)
}
