//! From tokens to a tree. OR binds weakest, then AND (written or not), then NEAR, then NOT.

use super::lexer::{Kind, Token};
use super::{DEEPEST, Findings, Node, Value};

struct Parser<'t, 'f> {
    tokens: &'t [Token],
    at: usize,
    findings: &'f mut Findings,
    /// Set when reading cannot go on.
    stopped: bool,
}

/// Parses a whole query. `None` when there is nothing in it, or no sense in going on.
pub(super) fn parse(tokens: &[Token], findings: &mut Findings) -> Option<Node> {
    let mut parser = Parser {
        tokens,
        at: 0,
        findings,
        stopped: false,
    };
    let mut parts = Vec::new();
    loop {
        parts.extend(parser.or(0));
        match parser.peek() {
            // Only a closing parenthesis without its opening one stops the reading early.
            Some(token) if !parser.stopped => {
                parser.findings.error(
                    token.at,
                    "unbalanced_parenthesis",
                    "closes a parenthesis that was never opened",
                );
                parser.at += 1;
            }
            _ => break,
        }
    }
    if parser.stopped {
        None
    } else {
        joined(parts, Node::And)
    }
}

fn joined(mut parts: Vec<Node>, join: fn(Vec<Node>) -> Node) -> Option<Node> {
    if parts.len() > 1 {
        Some(join(parts))
    } else {
        parts.pop()
    }
}

/// Whether the node is, or holds, a property with its value.
fn is_clause(node: &Node) -> bool {
    match node {
        Node::Clause { .. } | Node::Scoped { .. } => true,
        Node::Not(inner) => is_clause(inner),
        Node::And(parts) | Node::Or(parts) => parts.iter().any(is_clause),
        Node::Near { .. } | Node::Text(_) => false,
    }
}

/// What stood before the next operand of an AND.
#[derive(Default)]
struct Before {
    /// Where an AND stands that still wants its right side.
    and: Option<usize>,
    /// The last operand was a clause.
    clause: bool,
    /// The last operand was a clause with one word for a value.
    word: bool,
}

impl<'t> Parser<'t, '_> {
    fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.at).filter(|_| !self.stopped)
    }

    fn missing(&mut self, at: usize, what: &str) {
        self.findings.error(
            at,
            "missing_operand",
            format!("{what} stands without something to join"),
        );
    }

    fn or(&mut self, depth: usize) -> Option<Node> {
        let mut parts = Vec::new();
        let mut left = self.and(depth);
        while let Some(token) = self.peek().filter(|token| token.kind == Kind::Or) {
            self.at += 1;
            let right = self.and(depth);
            if left.is_none() || right.is_none() {
                self.missing(token.at, "OR");
            }
            parts.extend(left.take());
            // An empty right side has been reported; it must not be reported again as a left one.
            left = right.or(Some(Node::And(Vec::new())));
        }
        parts.extend(left);
        joined(parts, Node::Or)
    }

    fn and(&mut self, depth: usize) -> Option<Node> {
        let mut parts: Vec<Node> = Vec::new();
        let mut before = Before::default();
        while let Some(token) = self.peek() {
            match token.kind {
                Kind::Close | Kind::Or => break,
                Kind::And => {
                    self.at += 1;
                    if parts.is_empty() || before.and.is_some() {
                        self.missing(token.at, "AND");
                    }
                    before.and = Some(token.at);
                }
                Kind::Near(distance) => {
                    self.at += 1;
                    self.near(token.at, distance, &mut parts, depth);
                    before = Before::default();
                }
                _ => {
                    let Some(node) = self.unary(depth) else {
                        continue;
                    };
                    if before.and.is_none() && !parts.is_empty() {
                        self.adjacent(token, &node, &before);
                    }
                    let word = matches!(token.kind, Kind::Clause(_, _, Value::Word(_)));
                    before = Before {
                        and: None,
                        clause: is_clause(&node),
                        word,
                    };
                    parts.push(node);
                }
            }
        }
        if let Some(at) = before.and
            && !parts.is_empty()
        {
            self.missing(at, "AND");
        }
        joined(parts, Node::And)
    }

    /// What can be said about an operand that follows another without an operator. The manual of
    /// one service reads AND there; of the other it is told that it reads OR.
    fn adjacent(&mut self, token: &Token, node: &Node, before: &Before) {
        self.findings.unclear(
            token.at,
            "space_joined",
            "no operator joins this to what stands before it; one service reads that as AND, the other as OR: write AND or OR, or quotation marks around words that belong together",
        );
        if !token.spaced {
            return;
        }
        if before.word && matches!(token.kind, Kind::Text(_)) {
            let message = "the property before holds only its first word; put the words in quotation marks to keep them together";
            self.findings
                .warn(token.at, "only_first_word_bound", message);
        } else if before.clause || is_clause(node) {
            let message = "a property clause stands beside another part without an operator; write AND between them, some services refuse a bare space";
            self.findings
                .warn(token.at, "space_joined_clauses", message);
        }
    }

    fn near(&mut self, at: usize, distance: u32, parts: &mut Vec<Node>, depth: usize) {
        let right = match self.peek().map(|token| &token.kind) {
            None | Some(Kind::Close | Kind::Or | Kind::And | Kind::Near(_)) => None,
            Some(_) => self.unary(depth),
        };
        // In a row of NEARs each holds between two words; a tree of them would grow without bound.
        let left = match parts.pop() {
            Some(Node::Near {
                right: last,
                left,
                distance,
            }) => {
                let again = (*last).clone();
                parts.push(Node::Near {
                    left,
                    right: last,
                    distance,
                });
                Some(again)
            }
            other => other,
        };
        match (left, right) {
            (Some(left), Some(right)) => {
                if !matches!((&left, &right), (Node::Text(_), Node::Text(_))) {
                    self.findings
                        .error(at, "bad_near", "NEAR joins words and phrases only");
                }
                parts.push(Node::Near {
                    left: Box::new(left),
                    right: Box::new(right),
                    distance,
                });
            }
            (left, _) => {
                self.missing(at, "NEAR");
                parts.extend(left);
            }
        }
    }

    fn unary(&mut self, depth: usize) -> Option<Node> {
        let mut negated = false;
        let mut sign = None;
        while let Some(token) = self.peek() {
            match token.kind {
                Kind::Not => negated = !negated,
                Kind::Plus => {}
                _ => break,
            }
            sign = Some(token.at);
            self.at += 1;
        }
        let node = match self.peek().map(|token| &token.kind) {
            None | Some(Kind::And | Kind::Or | Kind::Close | Kind::Near(_)) => {
                if let Some(at) = sign {
                    self.missing(at, "NOT");
                }
                return None;
            }
            Some(_) => self.primary(depth)?,
        };
        Some(if negated {
            Node::Not(Box::new(node))
        } else {
            node
        })
    }

    fn primary(&mut self, depth: usize) -> Option<Node> {
        let token = self.peek()?;
        self.at += 1;
        match &token.kind {
            Kind::Open => self.group(token.at, depth),
            Kind::Scope(property) => {
                let open = self.peek()?.at;
                self.at += 1;
                let inner = Box::new(self.group(open, depth)?);
                Some(Node::Scoped {
                    property: property.clone(),
                    inner,
                })
            }
            Kind::Text(value) => Some(Node::Text(value.clone())),
            Kind::Clause(property, comparison, value) => Some(Node::Clause {
                property: property.clone(),
                comparison: *comparison,
                value: value.clone(),
            }),
            Kind::Hollow => self.hollow(token.at, depth),
            Kind::Close | Kind::And | Kind::Or | Kind::Not | Kind::Near(_) | Kind::Plus => None,
        }
    }

    /// A property whose operator is followed by a space: what follows is free text.
    fn hollow(&mut self, at: usize, depth: usize) -> Option<Node> {
        if matches!(
            self.peek(),
            Some(Token {
                kind: Kind::Text(_),
                ..
            })
        ) {
            let message = "a space follows the property's operator, so that what comes next is searched everywhere; remove the space";
            self.findings.warn(at, "space_after_operator", message);
            self.findings.unclear(at, "space_after_operator", message);
            return self.primary(depth);
        }
        self.findings
            .error(at, "missing_value", "the property has no value");
        None
    }

    fn group(&mut self, open: usize, depth: usize) -> Option<Node> {
        if depth >= DEEPEST {
            self.findings.error(
                open,
                "too_deep",
                format!("parentheses are nested deeper than {DEEPEST}"),
            );
            self.stopped = true;
            return None;
        }
        let before = self.findings.errors.len();
        let inner = self.or(depth + 1);
        if self.stopped {
            return None;
        }
        match self.peek() {
            Some(token) if token.kind == Kind::Close => self.at += 1,
            _ => self.findings.error(
                open,
                "unbalanced_parenthesis",
                "opens a parenthesis that is never closed",
            ),
        }
        if inner.is_none() && self.findings.errors.len() == before {
            self.findings.error(
                open,
                "empty_group",
                "nothing stands between these parentheses",
            );
        }
        inner
    }
}
