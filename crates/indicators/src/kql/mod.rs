//! The query language of content searches, as far as mail is concerned: enough to say offline
//! what the service would refuse, and what it would read otherwise than meant.

pub mod build;
mod judge;
mod lexer;
mod parser;
mod particular;
mod value;

use std::fmt;

use serde::Serialize;

/// Longest query for mailboxes, in characters (limits for content search).
pub const LONGEST: usize = 10_000;

/// Deepest nesting of parentheses that is read.
pub const DEEPEST: usize = 100;

/// At most this many errors, and as many warnings, are listed.
const LISTED: usize = 100;

/// A place in the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Position {
    /// Offset in bytes from 0.
    pub byte: usize,
    /// Column in characters from 1.
    pub column: usize,
}

/// Something to say about a query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Where it begins.
    pub position: Position,
    /// Stable name (`unknown_property`, `lower_case_operator`, …).
    pub code: &'static str,
    /// One line for a person; safe for a terminal.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.position.column, self.message)
    }
}

/// How a property and its value are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// `:`
    Contains,
    /// `=`
    Equal,
    /// `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

/// The value of a property, or a text on its own, as typed and without its quotation marks.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// One word.
    Word(String),
    /// Words in double quotation marks.
    Phrase(String),
    /// `a..b`
    Range(String, String),
}

/// A query, parsed. Flat where the language is flat, so that its depth is that of the
/// parentheses, which is bounded.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Node {
    /// All of them: AND, a space, or the portal's `(c:c)`.
    And(Vec<Node>),
    /// One of them.
    Or(Vec<Node>),
    /// NOT, or a hyphen in front.
    Not(Box<Node>),
    /// Words close to each other.
    Near {
        /// The left word or phrase.
        left: Box<Node>,
        /// The right one.
        right: Box<Node>,
        /// At most this many words between.
        distance: u32,
    },
    /// A property and its value.
    Clause {
        /// In lower case.
        property: String,
        /// How they are joined.
        comparison: Comparison,
        /// The value.
        value: Value,
    },
    /// A property before parentheses: it holds for each text inside.
    Scoped {
        /// In lower case.
        property: String,
        /// What stands in the parentheses.
        inner: Box<Node>,
    },
    /// A word or phrase that may stand anywhere in the item.
    Text(Value),
}

/// Everything there is to say about a query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lint {
    /// Why it is refused, in order of position; empty when it is valid.
    pub errors: Vec<Finding>,
    /// What is probably not meant, in order of position.
    pub warnings: Vec<Finding>,
    /// What the two services that search mail read differently, in order of position: it is
    /// refused on Microsoft Graph and wherever a purge follows by itself.
    pub ambiguous: Vec<Finding>,
    /// The query parsed, when there were no errors.
    #[serde(skip)]
    pub ast: Option<Node>,
}

impl Lint {
    /// Whether the query may be sent.
    pub fn is_valid(&self) -> bool {
        self.errors.is_empty()
    }

    /// Whether the query means the same wherever it is sent.
    pub fn is_clear(&self) -> bool {
        self.is_valid() && self.ambiguous.is_empty()
    }
}

/// A query that the service reads and that does not match everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KqlQuery {
    typed: String,
    warnings: Vec<Finding>,
    ambiguous: Vec<Finding>,
    ast: Node,
}

impl KqlQuery {
    /// Reads a query, or says everything that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, KqlProblem> {
        let Lint {
            errors,
            warnings,
            ambiguous,
            ast,
        } = lint(text);
        match ast {
            Some(ast) if errors.is_empty() => Ok(Self {
                typed: text.to_owned(),
                warnings,
                ambiguous,
                ast,
            }),
            _ => Err(KqlProblem { errors, warnings }),
        }
    }

    /// The same, and refused as well where the services would read it differently: two parts with
    /// nothing but a space between them, a space after a property's operator.
    pub fn parse_clear(text: &str) -> Result<Self, KqlProblem> {
        let query = Self::parse(text)?;
        if query.ambiguous.is_empty() {
            Ok(query)
        } else {
            Err(KqlProblem {
                errors: query.ambiguous,
                warnings: query.warnings,
            })
        }
    }

    /// As typed: this is what is sent.
    pub fn as_str(&self) -> &str {
        &self.typed
    }

    /// What is probably not meant.
    pub fn warnings(&self) -> &[Finding] {
        &self.warnings
    }

    /// The query parsed.
    pub fn ast(&self) -> &Node {
        &self.ast
    }

    /// The text without white space around it: two searches with it are the same search.
    pub fn canonical(&self) -> String {
        self.typed.trim().to_owned()
    }
}

impl fmt::Display for KqlQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed)
    }
}

/// Why a query is refused; at least one error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KqlProblem {
    errors: Vec<Finding>,
    warnings: Vec<Finding>,
}

impl KqlProblem {
    /// The errors in order of position.
    pub fn errors(&self) -> &[Finding] {
        &self.errors
    }

    /// The warnings beside them.
    pub fn warnings(&self) -> &[Finding] {
        &self.warnings
    }
}

impl fmt::Display for KqlProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut errors = self.errors.iter();
        match errors.next() {
            Some(first) => write!(f, "the query is refused at {first}")?,
            None => f.write_str("the query is refused")?,
        }
        match errors.count() {
            0 => Ok(()),
            more => write!(f, " (and {more} more)"),
        }
    }
}

impl std::error::Error for KqlProblem {}

/// Collects findings by byte offset.
#[derive(Default)]
struct Findings {
    errors: Vec<(usize, &'static str, String)>,
    warnings: Vec<(usize, &'static str, String)>,
    ambiguous: Vec<(usize, &'static str, String)>,
}

impl Findings {
    fn error(&mut self, at: usize, code: &'static str, message: impl Into<String>) {
        self.errors.push((at, code, message.into()));
    }

    fn warn(&mut self, at: usize, code: &'static str, message: impl Into<String>) {
        self.warnings.push((at, code, message.into()));
    }

    fn unclear(&mut self, at: usize, code: &'static str, message: impl Into<String>) {
        self.ambiguous.push((at, code, message.into()));
    }
}

/// Judges a query. Never fails and never panics; nesting and length are bounded.
pub fn lint(text: &str) -> Lint {
    let mut findings = Findings::default();
    let mut ast = None;
    let length = text.chars().count();
    if text.trim().is_empty() {
        findings.error(
            0,
            "empty",
            "is empty; an empty query would match every item",
        );
    } else if length > LONGEST {
        let message = format!("has {length} characters; a query has at most {LONGEST}");
        findings.error(0, "too_long", message);
    } else {
        let tokens = lexer::tokens(text, &mut findings);
        ast = parser::parse(&tokens, &mut findings);
        if let Some(node) = ast.as_ref().filter(|_| findings.errors.is_empty()) {
            judge::whole(node, &mut findings);
        }
        if ast.is_none() && findings.errors.is_empty() {
            findings.error(0, "empty", "holds nothing to search for");
        }
    }
    let errors = placed(text, findings.errors);
    let warnings = placed(text, findings.warnings);
    let ambiguous = placed(text, findings.ambiguous);
    let ast = ast.filter(|_| errors.is_empty());
    Lint {
        errors,
        warnings,
        ambiguous,
        ast,
    }
}

fn placed(text: &str, mut found: Vec<(usize, &'static str, String)>) -> Vec<Finding> {
    found.sort_by_key(|(at, ..)| *at);
    found.dedup();
    found.truncate(LISTED);
    found
        .into_iter()
        .map(|(byte, code, message)| {
            let column = text.get(..byte).map_or(0, |front| front.chars().count()) + 1;
            Finding {
                position: Position { byte, column },
                code,
                message,
            }
        })
        .collect()
}
