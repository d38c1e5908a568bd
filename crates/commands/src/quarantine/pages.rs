//! The numbered pages of a listing, read ahead of their use.
//!
//! There is no total and no link: page after page is asked for until one is short. Several pages
//! are on their way at once, and handed out in order; how many grows only while pages are full, so
//! that a short list costs no reads beyond its end.

use exchange::{CallError, Row, cmdlet::GetQuarantineMessage};
use futures::{StreamExt, future::BoxFuture, stream::FuturesOrdered};

use super::Filter;
use crate::Tenant;

/// Pages after which fewer are on their way at once.
const LONG: u16 = 200;

/// One page.
#[derive(Debug)]
pub struct Page {
    /// Its rows.
    pub rows: Vec<Row>,
    /// The service's warnings.
    pub warnings: Vec<String>,
    /// It has fewer rows than were asked for: the last.
    pub short: bool,
    /// The service says that it left rows off.
    pub cut: bool,
}

/// How a listing is read.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Rows a page.
    pub size: u16,
    /// Pages on their way at once, at first.
    pub first: usize,
    /// And at most.
    pub most: usize,
    /// Ask for these fields only; empty means all.
    pub select: &'static [&'static str],
}

/// The pages of one listing, in order.
pub struct Pages<'a> {
    tenant: &'a Tenant,
    filter: &'a Filter,
    pace: Pace,
    ahead: usize,
    next: u16,
    under_way: FuturesOrdered<BoxFuture<'a, Result<Page, CallError>>>,
    ended: bool,
}

impl<'a> Pages<'a> {
    /// Whole rows. Few pages at once: each may weigh some megabytes until it is handed out.
    pub fn rows(tenant: &'a Tenant, filter: &'a Filter, size: u16) -> Self {
        Self::new(
            tenant,
            filter,
            Pace {
                size,
                first: 1,
                most: 7,
                select: &[],
            },
        )
    }

    /// Identities alone, of a list that had `pages` pages a moment ago.
    pub fn identities(tenant: &'a Tenant, filter: &'a Filter, size: u16, pages: u16) -> Self {
        let first = usize::from(pages).clamp(1, 16);
        Self::new(
            tenant,
            filter,
            Pace {
                size,
                first,
                most: 16,
                select: &["Identity"],
            },
        )
    }

    fn new(tenant: &'a Tenant, filter: &'a Filter, pace: Pace) -> Self {
        Self {
            tenant,
            filter,
            pace,
            ahead: pace.first,
            next: 1,
            under_way: FuturesOrdered::new(),
            ended: false,
        }
    }

    /// The next page; none after a short one, after an error, and after the last that can be asked
    /// for.
    pub async fn next(&mut self) -> Option<Result<Page, CallError>> {
        if self.ended {
            return None;
        }
        while self.under_way.len() < self.ahead && self.next <= GetQuarantineMessage::MAX_PAGE {
            let call = self
                .filter
                .page(self.next, self.pace.size)
                .selecting(self.pace.select);
            self.next += 1;
            let (tenant, size) = (self.tenant, usize::from(self.pace.size));
            self.under_way.push_back(Box::pin(async move {
                let reply = tenant.cmdlets.call(&call).await?;
                Ok(Page {
                    short: reply.rows.len() < size,
                    cut: reply.more,
                    rows: reply.rows,
                    warnings: reply.warnings,
                })
            }));
        }
        let page = self.under_way.next().await?;
        // The identities of a very long list want the room that pages would take.
        let most = if self.next > LONG {
            self.pace.most.min(4)
        } else {
            self.pace.most
        };
        self.ahead = (self.ahead * 2).min(most);
        if page.as_ref().map_or(true, |page| page.short || page.cut) {
            self.ended = true;
            // Pages beyond the end hold nothing.
            self.under_way.clear();
        }
        Some(page)
    }
}
