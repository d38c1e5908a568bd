use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::*;
use crate::{
    cmdlet::{Answer, Caller, Cell, Row},
    tenant::{
        Options, Tenant,
        company::PAYROLL,
        mailstore::{Folder, Item},
        testing::{caller, cell, data, options, run, run_as, start},
    },
};

const MEGAN: &str = "megan@northwind.example";

/// A tenant with a clock of its own.
struct Bench {
    tenant: Tenant,
    now: Timestamp,
    caller: Caller,
}

impl Bench {
    fn new() -> Self {
        Self::of(ComplianceMode::Legacy)
    }

    fn of(compliance: ComplianceMode) -> Self {
        Self::with(&Options {
            compliance,
            quarantine: 0,
            ..options()
        })
    }

    fn with(options: &Options) -> Self {
        Self {
            tenant: Tenant::new(options, start()),
            now: start(),
            caller: caller(),
        }
    }

    fn call(&mut self, cmdlet: &str, parameters: Value) -> Answer {
        run_as(&mut self.tenant, cmdlet, parameters, self.now, &self.caller)
    }

    fn row(&mut self, cmdlet: &str, parameters: Value) -> Row {
        let answer = self
            .call(cmdlet, parameters)
            .unwrap_or_else(|r| panic!("{}", r.text));
        answer.rows.into_iter().next().unwrap()
    }

    fn refused(&mut self, cmdlet: &str, parameters: Value) -> (u16, String) {
        let refusal = self.call(cmdlet, parameters).expect_err("a refusal");
        (refusal.status, refusal.text)
    }

    fn wait(&mut self, seconds: i64) {
        self.now = after(self.now, SignedDuration::from_secs(seconds));
        self.tenant.advance(self.now);
    }

    fn make(&mut self, name: &str, locations: &[&str], query: &str) {
        let parameters =
            json!({"Name": name, "ExchangeLocation": locations, "ContentMatchQuery": query});
        self.row("New-ComplianceSearch", parameters);
    }

    fn start(&mut self, name: &str) {
        self.call("Start-ComplianceSearch", json!({"Identity": name}))
            .unwrap();
    }

    /// Makes, runs and waits.
    fn ready(&mut self, name: &str, locations: &[&str], query: &str) {
        self.make(name, locations, query);
        self.start(name);
        self.wait(60);
    }

    fn search(&mut self, name: &str) -> Row {
        self.row("Get-ComplianceSearch", json!({"Identity": name}))
    }

    fn status(&mut self, name: &str) -> String {
        let row = self.search(name);
        cell(&row, "Status").as_str().unwrap().to_owned()
    }

    fn items(&mut self, name: &str) -> u64 {
        let row = self.search(name);
        cell(&row, "Items").as_u64().unwrap()
    }

    fn purge(&mut self, name: &str, kind: &str) -> Answer {
        let parameters = json!({"SearchName": [name], "Purge": true, "PurgeType": kind});
        self.call("New-ComplianceSearchAction", parameters)
    }

    fn action(&mut self, name: &str) -> Row {
        self.row("Get-ComplianceSearchAction", json!({"Identity": name}))
    }

    fn results(&mut self, name: &str) -> String {
        let row = self.action(name);
        cell(&row, "Results").as_str().unwrap().to_owned()
    }

    fn mail_of(&self, address: &str) -> Vec<Item> {
        let index = self.tenant.company.mailbox(address).unwrap();
        self.tenant.mail.items(index).to_vec()
    }
}

fn payroll() -> String {
    format!("from:{}", PAYROLL.sender)
}

mod actions;
mod searches;
mod vectors;
