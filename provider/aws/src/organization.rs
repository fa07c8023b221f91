//! Organizations: the accounts below units, read page by page.
//!
//! <https://docs.aws.amazon.com/organizations/latest/APIReference/>. AWS may answer any list with an empty page and a
//! token, so only a missing token ends a list. Nothing here changes anything.

use std::collections::BTreeMap;

use enigma_fleet::ids::{AccountId, Place};
use enigma_reconcile::ports::{AwsError, ErrorKind, OrganizationAccount, UnitId};
use futures::stream::{FuturesUnordered, StreamExt};
use tracing::warn;

use crate::errors::{local, translate};

/// Entries of a page: the most that AWS gives.
/// <https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccountsForParent.html>
const PAGE: i32 = 20;
/// Units read at once, with two lists each. Organizations is one service for the whole organization with low rates, which other
/// tools use too; with 4 a tree of a hundred units is still read within seconds. The others wait.
const UNITS_AT_ONCE: usize = 4;

/// One reader of the organization, with the credentials of `home`.
pub(crate) struct Tree<'a> {
    pub(crate) client: &'a aws_sdk_organizations::Client,
    pub(crate) home: &'a Place,
}

/// What stands directly in one unit.
struct Level {
    path: Vec<UnitId>,
    accounts: Vec<OrganizationAccount>,
    units: Vec<UnitId>,
}

impl Tree<'_> {
    /// See [`enigma_reconcile::ports::Cloud::organization_accounts`].
    pub(crate) async fn accounts_below(
        &self,
        units: &[UnitId],
    ) -> Result<Vec<OrganizationAccount>, AwsError> {
        let mut found: BTreeMap<AccountId, OrganizationAccount> = BTreeMap::new();
        let mut waiting: Vec<Vec<UnitId>> = units.iter().rev().map(|unit| vec![unit.clone()]).collect();
        let mut reading = FuturesUnordered::new();
        loop {
            while reading.len() < UNITS_AT_ONCE
                && let Some(path) = waiting.pop()
            {
                reading.push(self.level(path));
            }
            let Some(level) = reading.next().await else { break };
            let level = level?;
            for account in level.accounts {
                // Of two asked units, one within the other, the account shows the shorter way once.
                let known = found.entry(account.id.clone()).or_insert_with(|| account.clone());
                if account.units.len() < known.units.len() {
                    *known = account;
                }
            }
            waiting.extend(level.units.into_iter().map(|unit| {
                let mut path = level.path.clone();
                path.push(unit);
                path
            }));
        }
        Ok(found.into_values().collect())
    }

    async fn level(&self, path: Vec<UnitId>) -> Result<Level, AwsError> {
        let Some(unit) = path.last() else {
            return Ok(Level { path, accounts: Vec::new(), units: Vec::new() });
        };
        let (accounts, units) = futures::try_join!(self.accounts(unit, &path), self.units(unit))?;
        Ok(Level { accounts, units, path })
    }

    async fn accounts(&self, unit: &UnitId, path: &[UnitId]) -> Result<Vec<OrganizationAccount>, AwsError> {
        let operation = "ListAccountsForParent";
        let call = self.client.list_accounts_for_parent().parent_id(unit.as_str()).max_results(PAGE);
        let mut pages = call.into_paginator().send();
        let mut accounts = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.failed(operation, unit, &error))?;
            accounts.extend(page.accounts.unwrap_or_default());
        }
        let accounts = accounts.iter().filter_map(|account| {
            let Some(id) = account.id().and_then(|id| id.parse().ok()) else {
                warn!(account = ?account.id(), %unit, "left out an account whose id is not one");
                return None;
            };
            Some(OrganizationAccount {
                id,
                name: account.name().unwrap_or_default().to_owned(),
                status: status(account),
                units: path.to_vec(),
            })
        });
        Ok(accounts.collect())
    }

    async fn units(&self, unit: &UnitId) -> Result<Vec<UnitId>, AwsError> {
        let operation = "ListOrganizationalUnitsForParent";
        let call = self.client.list_organizational_units_for_parent().parent_id(unit.as_str());
        let mut pages = call.max_results(PAGE).into_paginator().send();
        let mut units = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.failed(operation, unit, &error))?;
            for below in page.organizational_units() {
                // A unit that is left out would make its accounts look as if they had left.
                let id = below.id().and_then(|id| id.parse().ok()).ok_or_else(|| {
                    let message = format!("AWS reported the unit {:?}, which is not one", below.id());
                    local(Some(self.home), operation, ErrorKind::Invalid, "(unreadable reply)", message)
                })?;
                units.push(id);
            }
        }
        Ok(units)
    }

    /// AWS's message about a parent does not say which.
    fn failed<E>(
        &self,
        operation: &'static str,
        unit: &UnitId,
        error: &aws_smithy_runtime_api::client::result::SdkError<
            E,
            aws_smithy_runtime_api::client::orchestrator::HttpResponse,
        >,
    ) -> AwsError
    where
        E: std::error::Error + aws_smithy_types::error::metadata::ProvideErrorMetadata + 'static,
    {
        let mut translated = translate(Some(self.home), operation, error);
        translated.message = format!("unit {unit}: {}", translated.message);
        translated
    }
}

/// AWS replaces `Status` by `State`; whichever is there counts.
fn status(account: &aws_sdk_organizations::types::Account) -> String {
    #[allow(deprecated, reason = "the only one that older endpoints give")]
    let status = account.status().map(|status| status.as_str().to_owned());
    account.state().map(|state| state.as_str().to_owned()).or(status).unwrap_or_default()
}
