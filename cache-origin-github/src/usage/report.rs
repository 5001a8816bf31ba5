//! What was counted, as people and programs read it.

use super::{ByResource, CLIENTS_MAX, Counts, OfPayer, PAYERS_MAX, ROUTES_MAX, Shard, Usage, resources};
use crate::{
    domain::Readers,
    rules::Rules,
    usage::{heavy::HeavyRows, label::looks_secret},
};
use serde::{Deserialize, Serialize};
use std::{cmp::Reverse, collections::BTreeMap, ops::AddAssign};

/// Counts by client, route and payer. The sums of all three tables are the same, and exact.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[non_exhaustive]
pub struct UsageReport {
    /// By what clients are called.
    pub by_client: Vec<UsageRow>,
    /// By route of the API.
    pub by_route: Vec<UsageRow>,
    /// By whose allowance calls draw on: `anonymous`, `anonymous-as`, or the first digits of a digest of the credential, behind
    /// the operator's name for its domain if there is one.
    pub by_payer: Vec<UsageRow>,
}

/// What was counted under one name.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[non_exhaustive]
pub struct UsageRow {
    /// The name; [`OTHERS`](Self::OTHERS) for all that have no row of their own.
    pub name: String,
    /// What was counted, of all resources.
    #[serde(flatten)]
    pub counts: Counts,
    /// The same by resource: `core`, `search`, `code_search`, `graphql`. Those of which there is nothing are left out.
    pub resources: BTreeMap<String, Counts>,
}

impl UsageRow {
    /// The name of the row for all that have none of their own.
    pub const OTHERS: &'static str = "(other)";

    fn new(name: String, counts: &ByResource) -> Self {
        let mut row = Self { name, ..Self::default() };
        for (resource, counts) in resources().into_iter().zip(counts.0) {
            if counts != Counts::default() {
                row.counts += counts;
                row.resources.insert(resource.to_owned(), counts);
            }
        }
        row
    }

    /// By what rows are sorted: calls, and then requests.
    fn weight(&self) -> (u64, u64) {
        (self.counts.calls, self.counts.requests)
    }
}

impl AddAssign<&Self> for UsageRow {
    fn add_assign(&mut self, other: &Self) {
        self.counts += other.counts;
        for (resource, counts) in &other.resources {
            if resources().contains(&resource.as_str()) {
                *self.resources.entry(resource.clone()).or_default() += *counts;
            }
        }
    }
}

impl UsageReport {
    pub(super) fn of(usage: &Usage, rules: &Rules) -> Self {
        let mut tables = <[Table; 3]>::default();
        for shard in &usage.shards {
            let Shard { clients, routes, payers } = &*shard.lock();
            tables[0].add(clients, ToString::to_string, |counts| counts);
            tables[1].add(routes, ToString::to_string, |counts| counts);
            tables[2].add_payers(payers, rules);
        }
        let [clients, routes, payers] = tables;
        Self {
            by_client: clients.rows(CLIENTS_MAX),
            by_route: routes.rows(ROUTES_MAX),
            by_payer: payers.rows(PAYERS_MAX),
        }
    }

    /// The same with at most the `most` heaviest rows of each table, and one for all others.
    #[must_use]
    pub fn heaviest(self, most: usize) -> Self {
        let cut = |rows: Vec<UsageRow>| {
            let mut table = Table::default();
            rows.iter().for_each(|row| table.add_row(row));
            table.rows(most)
        };
        Self { by_client: cut(self.by_client), by_route: cut(self.by_route), by_payer: cut(self.by_payer) }
    }

    /// Adds what another node counted. What it tells under a name that none of this node's own could be is added to the row
    /// for all others.
    pub fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.by_client, &other.by_client, CLIENTS_MAX),
            (&mut self.by_route, &other.by_route, ROUTES_MAX),
            (&mut self.by_payer, &other.by_payer, PAYERS_MAX),
        ];
        for (own, other, most) in pairs {
            let mut table = Table::default();
            own.iter().chain(other).for_each(|row| table.add_row(row));
            *own = table.rows(most);
        }
    }
}

/// The rows of one table, as they come together.
#[derive(Default)]
struct Table {
    rows: BTreeMap<String, UsageRow>,
    others: UsageRow,
}

impl Table {
    fn add<K, V>(
        &mut self,
        counted: &HeavyRows<K, V>,
        name: impl Fn(&K) -> String,
        counts: impl Fn(V) -> ByResource,
    ) where
        K: Clone + Eq + std::hash::Hash,
        V: AddAssign + Copy + Default,
    {
        for (key, value) in counted.rows() {
            self.add_row(&UsageRow::new(name(key), &counts(value)));
        }
        self.others += &UsageRow::new(UsageRow::OTHERS.to_owned(), &counts(counted.others()));
    }

    fn add_payers(&mut self, counted: &HeavyRows<cache_core::Payer, OfPayer>, rules: &Rules) {
        for (_payer, OfPayer { readers, counts }) in counted.rows() {
            let readers = readers.unwrap_or(Readers::ANONYMOUS);
            self.add_row(&UsageRow::new(rules.label(readers.domain, readers.payer), &counts));
        }
        self.others += &UsageRow::new(UsageRow::OTHERS.to_owned(), &counted.others().counts);
    }

    fn add_row(&mut self, row: &UsageRow) {
        if !is_name(&row.name) {
            self.others += row;
            return;
        }
        let own = self.rows.entry(row.name.clone());
        *own.or_insert_with(|| UsageRow { name: row.name.clone(), ..UsageRow::default() }) += row;
    }

    /// The `most` heaviest rows, those with the most calls first, and one for all others if there are any.
    fn rows(self, most: usize) -> Vec<UsageRow> {
        let mut rows: Vec<_> = self.rows.into_values().collect();
        rows.sort_by_key(|row| Reverse(row.weight()));
        let mut others = UsageRow { name: UsageRow::OTHERS.to_owned(), ..self.others };
        for row in rows.drain(most.min(rows.len())..) {
            others += &row;
        }
        if others.counts != Counts::default() {
            rows.push(others);
        }
        rows
    }
}

/// Whether a row of its own may be called so: by something short that is safe to print and looks like no token.
fn is_name(text: &str) -> bool {
    let is_printable = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    (1..=NAME_BYTES_MAX).contains(&text.len())
        && is_printable
        && !text.starts_with('(')
        && !looks_secret(text)
}

/// Longest name of a row, in bytes: the longest routes have about a hundred, as have the names of domains.
const NAME_BYTES_MAX: usize = 160;
