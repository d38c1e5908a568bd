//! From text to a tree.

use super::{
    KqlError, Node, Property,
    operand::{Operand, text, value},
    value::Compare,
};

/// Brackets and negations may nest this deep.
pub(super) const MAX_DEPTH: usize = 64;
/// The longest query, in characters (limits of content search, mailboxes).
pub(super) const MAX_LENGTH: usize = 10_000;
/// Words between the two sides of `NEAR` without a number.
const NEAR: usize = 8;

pub(super) type Read<T> = Result<T, KqlError>;

pub(super) fn parse(text: &str, space_is_or: bool) -> Read<Node> {
    if text.chars().count() > MAX_LENGTH {
        return fail(format!("The query is longer than {MAX_LENGTH} characters."));
    }
    if text.trim().is_empty() {
        return Ok(Node::All);
    }
    let mut parser = Parser {
        text: text.chars().collect(),
        at: 0,
        space_is_or,
    };
    let node = parser.alternatives(0, None)?;
    parser.space();
    if parser.at < parser.text.len() {
        return fail(format!("Unexpected ')' at position {}.", parser.at));
    }
    node.map_or_else(|| fail("The query has nothing to search for."), Ok)
}

pub(super) fn fail<T>(text: impl Into<String>) -> Read<T> {
    Err(KqlError(text.into()))
}

/// The one node, or several under a head; nothing when there is none.
fn one(mut nodes: Vec<Node>, head: impl FnOnce(Vec<Node>) -> Node) -> Option<Node> {
    if nodes.len() < 2 {
        nodes.pop()
    } else {
        Some(head(nodes))
    }
}

struct Parser {
    text: Vec<char>,
    at: usize,
    /// What stands between two clauses that no operator joins.
    space_is_or: bool,
}

impl Parser {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.text.get(self.at + ahead).copied()
    }

    fn space(&mut self) {
        while self.peek(0).is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    /// An operator in capitals that stands alone. `NEAR` may have its number in brackets.
    fn operator(&mut self, word: &str) -> bool {
        let length = word.len();
        let matches = word
            .chars()
            .enumerate()
            .all(|(i, c)| self.peek(i) == Some(c));
        let ends = self
            .peek(length)
            .is_none_or(|c| c.is_whitespace() || "()\"".contains(c));
        if matches && ends {
            self.at += length;
        }
        matches && ends
    }

    fn sees(&self, word: &str) -> bool {
        let mut probe = Self {
            text: Vec::new(),
            at: 0,
            space_is_or: self.space_is_or,
        };
        probe.text = self
            .text
            .get(self.at..self.text.len().min(self.at + word.len() + 1))
            .unwrap_or(&[])
            .to_vec();
        probe.operator(word)
    }

    /// The mark that joins the portal's conditions.
    fn condition_mark(&mut self) -> bool {
        let seen = "(c:c)".chars().enumerate().all(|(i, c)| {
            self.peek(i)
                .is_some_and(|found| found.eq_ignore_ascii_case(&c))
        });
        if seen {
            self.at += 5;
        }
        seen
    }

    fn alternatives(&mut self, depth: usize, of: Option<Property>) -> Read<Option<Node>> {
        if depth > MAX_DEPTH {
            return fail(format!("Brackets are nested more than {MAX_DEPTH} deep."));
        }
        let mut nodes = Vec::new();
        loop {
            let side = self.conjunction(depth, of)?;
            let more = self.sees("OR");
            if more || !nodes.is_empty() {
                match side {
                    Some(node) => nodes.push(node),
                    None => return fail("OR has nothing on one side."),
                }
            } else {
                return Ok(side);
            }
            if !self.operator("OR") {
                return Ok(Some(Node::Or(nodes)));
            }
        }
    }

    fn conjunction(&mut self, depth: usize, of: Option<Property>) -> Read<Option<Node>> {
        let mut groups: Vec<Vec<Node>> = Vec::new();
        // Whether what comes next is joined to what came before by more than a space.
        let mut joined = false;
        let mut wanted = false;
        loop {
            self.space();
            if self.condition_mark() {
                joined = true;
                continue;
            }
            if self.peek(0).is_none_or(|c| c == ')') || self.sees("OR") {
                if wanted {
                    return fail("AND has nothing on its right.");
                }
                break;
            }
            if self.sees("AND") {
                if groups.is_empty() || wanted {
                    return fail("AND has nothing on its left.");
                }
                self.operator("AND");
                (joined, wanted) = (true, true);
                continue;
            }
            if let Some(node) = self.unary(depth, of)? {
                match groups.last_mut() {
                    Some(group) if joined || !self.space_is_or => group.push(node),
                    _ => groups.push(vec![node]),
                }
                (joined, wanted) = (false, false);
            }
        }
        let sides = groups.into_iter().filter_map(|group| one(group, Node::And));
        Ok(one(sides.collect(), Node::Or))
    }

    fn unary(&mut self, depth: usize, of: Option<Property>) -> Read<Option<Node>> {
        if depth > MAX_DEPTH {
            return fail(format!("Negations are nested more than {MAX_DEPTH} deep."));
        }
        self.space();
        let follows =
            |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '"' || c == '(');
        if self.operator("NOT") {
            self.space();
            let inner = self.unary(depth + 1, of)?;
            return inner.map_or_else(
                || fail("NOT has nothing on its right."),
                |node| Ok(Some(Node::Not(Box::new(node)))),
            );
        }
        if self.peek(0) == Some('-') && follows(self.peek(1)) {
            self.at += 1;
            let inner = self.unary(depth + 1, of)?;
            return Ok(inner.map(|node| Node::Not(Box::new(node))));
        }
        if self.peek(0) == Some('+') && follows(self.peek(1)) {
            self.at += 1;
            return self.unary(depth + 1, of);
        }
        if self.sees("NEAR") {
            return fail("NEAR has nothing on its left.");
        }
        let mut node = self.primary(depth, of)?;
        loop {
            self.space();
            let Some(distance) = self.near()? else {
                return Ok(node);
            };
            self.space();
            let right = self.primary(depth, of)?;
            node = match (node, right) {
                (Some(Node::Text(left)), Some(Node::Text(right))) => {
                    Some(Node::Near(left, right, distance))
                }
                // Between anything else than words NEAR asks no more than AND.
                (Some(left), Some(right)) => Some(Node::And(vec![left, right])),
                _ => return fail("NEAR has nothing on one side."),
            };
        }
    }

    fn near(&mut self) -> Read<Option<usize>> {
        if !self.operator("NEAR") {
            return Ok(None);
        }
        let digits: String = self
            .text
            .iter()
            .skip(self.at + 1)
            .take_while(|c| c.is_ascii_digit())
            .collect();
        if self.peek(0) != Some('(') || self.peek(1 + digits.len()) != Some(')') {
            return Ok(Some(NEAR));
        }
        self.at += digits.len() + 2;
        if digits.is_empty() {
            return Ok(Some(NEAR));
        }
        digits
            .parse()
            .map(Some)
            .or_else(|_| fail("The number of NEAR is too big."))
    }

    fn primary(&mut self, depth: usize, of: Option<Property>) -> Read<Option<Node>> {
        match self.peek(0) {
            None | Some(')') => fail("Something is missing before the end."),
            Some('(') => self.group(depth, of),
            Some('"') => {
                let operand = self.quoted()?;
                Self::plain(of, &operand)
            }
            Some(_) => {
                if let Some((property, compare)) = self.property()? {
                    return self.compared(depth, property, compare);
                }
                let operand = self.bare();
                Self::plain(of, &operand)
            }
        }
    }

    fn group(&mut self, depth: usize, of: Option<Property>) -> Read<Option<Node>> {
        let open = self.at;
        self.at += 1;
        let inner = self.alternatives(depth + 1, of)?;
        self.space();
        if self.peek(0) != Some(')') {
            return fail(format!("The bracket at position {open} isn't closed."));
        }
        self.at += 1;
        match inner {
            None => fail(format!("The brackets at position {open} are empty.")),
            some => Ok(some),
        }
    }

    /// `name` and an operator, when the next word begins so.
    fn property(&mut self) -> Read<Option<(Property, Compare)>> {
        let letters = self
            .text
            .iter()
            .skip(self.at)
            .take_while(|c| c.is_ascii_alphabetic())
            .count();
        if letters == 0 {
            return Ok(None);
        }
        let (compare, length) = match (self.peek(letters), self.peek(letters + 1)) {
            (Some('<'), Some('>')) => (Compare::Not, 2),
            (Some('<'), Some('=')) => (Compare::AtMost, 2),
            (Some('>'), Some('=')) => (Compare::AtLeast, 2),
            (Some('<'), _) => (Compare::Less, 1),
            (Some('>'), _) => (Compare::More, 1),
            (Some(':' | '='), _) => (Compare::Is, 1),
            _ => return Ok(None),
        };
        let name: String = self.text.iter().skip(self.at).take(letters).collect();
        let Some(property) = Property::of(&name) else {
            return fail(format!("Property: {name}."));
        };
        self.at += letters + length;
        Ok(Some((property, compare)))
    }

    fn compared(
        &mut self,
        depth: usize,
        property: Property,
        compare: Compare,
    ) -> Read<Option<Node>> {
        let operand = match self.peek(0) {
            Some('"') => self.quoted()?,
            Some('(') if compare == Compare::Is => return self.group(depth, Some(property)),
            // A space after the operator: the property has no value, and what follows is a word.
            None => return Ok(None),
            Some(c) if c.is_whitespace() || c == ')' => return Ok(None),
            Some(_) => self.bare(),
        };
        value(property, compare, &operand).map(Some)
    }

    fn quoted(&mut self) -> Read<Operand> {
        let open = self.at;
        let inside: String = self
            .text
            .iter()
            .skip(open + 1)
            .take_while(|c| **c != '"')
            .collect();
        self.at += inside.chars().count() + 1;
        if self.peek(0) != Some('"') {
            return fail(format!(
                "The quotation mark at position {open} isn't closed."
            ));
        }
        self.at += 1;
        let mut star = false;
        if self.peek(0) == Some('*') {
            self.at += 1;
            star = true;
        }
        Ok(Operand {
            text: inside,
            quoted: true,
            star,
        })
    }

    fn bare(&mut self) -> Operand {
        let ends = |c: char| c.is_whitespace() || "()\"".contains(c);
        let text: String = self
            .text
            .iter()
            .skip(self.at)
            .take_while(|c| !ends(**c))
            .collect();
        self.at += text.chars().count();
        Operand {
            text,
            quoted: false,
            star: false,
        }
    }

    /// A word or phrase without a property of its own; `None` when nothing of it is a word.
    fn plain(of: Option<Property>, operand: &Operand) -> Read<Option<Node>> {
        if let Some(property) = of {
            return value(property, Compare::Is, operand).map(Some);
        }
        let quoted = operand.quoted;
        let text = text(operand)?;
        Ok(match (text.words.is_empty(), quoted) {
            (false, _) => Some(Node::Text(text)),
            (true, true) => Some(Node::Nothing),
            (true, false) => None,
        })
    }
}
