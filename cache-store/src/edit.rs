//! The changes of one transaction over the tables of the file.
//!
//! Owns how a record and its row come and go together, and what that means for the totals and the catalog.
//! [`crate::entry_file`] decides when transactions are made.

use crate::{
    catalog::{Catalog, Shift},
    entry_file::{META, META_DOUBTS, ORDER, RECORDS, Totals, Trouble},
    matching::removes,
    record::{Name, PAGE_BYTES, RecordSeal, Row, SealedRecord, sequence_of},
};
use cache_core::{
    Doubts, Entry, Key,
    port::{Budget, Change},
};
use redb::{ReadableTable as _, Table, WriteTransaction};
use std::collections::BTreeSet;

/// The tables in a transaction.
pub(crate) struct Edit<'t> {
    write: &'t WriteTransaction,
    records: Table<'t, &'static Name, &'static [u8]>,
    order: Table<'t, u64, &'static [u8]>,
    seal: &'t RecordSeal,
    /// What was there before this transaction.
    catalog: &'t Catalog,
    /// What this transaction put there.
    added: BTreeSet<Key>,
    /// What the catalog is to be told once all is committed.
    shifts: Vec<Shift>,
    /// Bytes of the file that this transaction uses up, as far as can be told: what is changed in a page is written to
    /// another one.
    used_bytes: u64,
    totals: Totals,
    next_sequence: u64,
}

/// What a transaction changes once it is committed.
pub(crate) struct Outcome {
    /// What the catalog is to be told.
    pub(crate) shifts: Vec<Shift>,
    pub(crate) used_bytes: u64,
    pub(crate) totals: Totals,
    pub(crate) next_sequence: u64,
}

impl<'t> Edit<'t> {
    /// Opens the tables; `totals` and `next_sequence` are as of now.
    pub(crate) fn begin(
        write: &'t WriteTransaction,
        (seal, catalog): (&'t RecordSeal, &'t Catalog),
        totals: Totals,
        next_sequence: u64,
    ) -> Result<Self, Trouble> {
        Ok(Self {
            write,
            records: write.open_table(RECORDS)?,
            order: write.open_table(ORDER)?,
            seal,
            catalog,
            added: BTreeSet::new(),
            shifts: Vec::new(),
            used_bytes: 0,
            totals,
            next_sequence,
        })
    }

    /// Closes the tables and returns the outcome.
    pub(crate) fn end(self) -> Outcome {
        let Self { shifts, used_bytes, totals, next_sequence, .. } = self;
        Outcome { shifts, used_bytes, totals, next_sequence }
    }

    /// Makes `change`. A record that would count more than `record_bytes_max` is not put; what it was to replace goes.
    pub(crate) fn make(&mut self, change: &Change, record_bytes_max: u64) -> Result<u64, Trouble> {
        match change {
            Change::Doubt(doubted) => self.note_doubts(&doubted.all),
            Change::Put(entry) => self.put(entry, record_bytes_max),
            Change::Remove(key) => self.remove(key),
            Change::RemoveAll => self.remove_all(),
            Change::RemovePrefix { .. } => self.remove_prefix(change),
        }
    }

    fn note_doubts(&mut self, doubts: &Doubts) -> Result<u64, Trouble> {
        let sealed = self.seal.seal_doubts(doubts)?;
        self.used_bytes = self.used_bytes.saturating_add(PAGE_BYTES + sealed.len() as u64);
        self.write.open_table(META)?.insert(META_DOUBTS, sealed.as_slice())?;
        Ok(0)
    }

    fn put(&mut self, entry: &Entry, record_bytes_max: u64) -> Result<u64, Trouble> {
        let sealed = self.seal.seal(entry, self.next_sequence)?;
        let weight_bytes = Row::parse(&sealed.row).map_or(0, |row| row.weight_bytes());
        if weight_bytes > record_bytes_max {
            self.remove(entry.key())?;
            return Ok(0);
        }
        self.used_bytes = self.used_bytes.saturating_add(weight_bytes);
        self.take(&sealed.name)?;
        self.insert(self.next_sequence, &sealed)?;
        self.shifts.push(Shift::In(entry.key().clone(), self.next_sequence));
        self.added.insert(entry.key().clone());
        self.next_sequence += 1;
        Ok(0)
    }

    fn remove(&mut self, key: &Key) -> Result<u64, Trouble> {
        let is_there = self.take(&self.seal.name(key))?.is_some();
        self.shifts.push(Shift::Out(key.clone(), None));
        Ok(u64::from(is_there))
    }

    fn insert(&mut self, sequence: u64, sealed: &SealedRecord) -> Result<(), Trouble> {
        self.records.insert(&sealed.name, sealed.record.as_slice())?;
        self.order.insert(sequence, sealed.row.as_slice())?;
        self.totals.add(Row::parse(&sealed.row).map_or(0, |row| row.weight_bytes()));
        Ok(())
    }

    /// Removes the record under `name`, which could not be read.
    pub(crate) fn remove_named(&mut self, name: &Name) -> Result<(), Trouble> {
        let row = self.take(name)?.flatten();
        let key = row.as_deref().and_then(Row::parse).and_then(|row| self.seal.open_key(&row));
        self.shifts.extend(key.map(|key| Shift::Out(key, None)));
        Ok(())
    }

    /// Takes the record under `name` out, and its row, which is returned if it was there as well.
    fn take(&mut self, name: &Name) -> Result<Option<Option<Vec<u8>>>, Trouble> {
        self.used_bytes = self.used_bytes.saturating_add(PAGE_BYTES);
        let Some(record) = self.records.remove(name)? else {
            return Ok(None);
        };
        // A record of another version does not say which row is its own: restoring finds that one.
        let Some(sequence) = sequence_of(record.value()) else {
            return Ok(Some(None));
        };
        let row = self.order.remove(sequence)?.map(|row| row.value().to_vec());
        let weight = row.as_deref().map(|row| Row::parse(row).map_or(0, |row| row.weight_bytes()));
        weight.into_iter().for_each(|bytes| self.totals.subtract(bytes));
        Ok(Some(row))
    }

    pub(crate) fn remove_row(&mut self, sequence: u64) -> Result<(), Trouble> {
        self.used_bytes = self.used_bytes.saturating_add(PAGE_BYTES);
        let Some(row) = self.order.remove(sequence)? else {
            return Ok(());
        };
        let row = Row::parse(row.value());
        self.totals.subtract(row.map_or(0, |row| row.weight_bytes()));
        if let Some(row) = row {
            let own = match self.records.get(row.name)? {
                Some(record) => sequence_of(record.value()).is_none_or(|of| of == sequence),
                None => false,
            };
            if own {
                self.records.remove(row.name)?;
            }
            self.shifts.extend(self.seal.open_key(&row).map(|key| Shift::Out(key, Some(sequence))));
        }
        Ok(())
    }

    /// Removes the rows that `doomed` picks, and their records.
    pub(crate) fn remove_rows(
        &mut self,
        doomed: impl Fn(u64, Option<Row<'_>>) -> bool,
    ) -> Result<u64, Trouble> {
        let mut sequences = Vec::new();
        for line in self.order.iter()? {
            let (sequence, row) = line?;
            if doomed(sequence.value(), Row::parse(row.value())) {
                sequences.push(sequence.value());
            }
        }
        for sequence in &sequences {
            self.remove_row(*sequence)?;
        }
        Ok(sequences.len() as u64)
    }

    fn remove_prefix(&mut self, removal: &Change) -> Result<u64, Trouble> {
        let mut keys: BTreeSet<Key> = self.catalog.meant_by(removal).into_iter().collect();
        keys.extend(self.added.iter().filter(|key| removes(removal, key)).cloned());
        let mut removed = 0;
        for key in &keys {
            removed += self.remove(key)?;
        }
        Ok(removed)
    }

    fn remove_all(&mut self) -> Result<u64, Trouble> {
        let removed = self.totals.records;
        self.records.retain(|_, _| false)?;
        self.order.retain(|_, _| false)?;
        self.totals = Totals::default();
        self.added.clear();
        self.shifts.push(Shift::All);
        Ok(removed)
    }

    /// Removes the oldest stored records until both budgets are kept.
    pub(crate) fn evict(&mut self, budget: Budget) -> Result<u64, Trouble> {
        let mut evicted = 0;
        while self.totals.records > budget.entries_max as u64 || self.totals.bytes > budget.bytes_max as u64 {
            let Some(oldest) = self.order.first()?.map(|(sequence, _)| sequence.value()) else {
                // Totals that no row accounts for would be an error of ours: begin again from none.
                self.totals = Totals::default();
                break;
            };
            self.remove_row(oldest)?;
            evicted += 1;
        }
        Ok(evicted)
    }

    pub(crate) fn rename(&mut self, sequence: u64) -> Result<(), Trouble> {
        let Some(line) = self.order.get(sequence)?.map(|row| row.value().to_vec()) else {
            return Ok(());
        };
        let renewed = match Row::parse(&line) {
            Some(row) => match self.records.get(row.name)? {
                Some(record) => self.seal.renew(&row, record.value()).map(|renewed| (*row.name, renewed)),
                None => None,
            },
            None => None,
        };
        match renewed {
            Some((name, renewed)) if name == renewed.name => Ok(()),
            Some((_, renewed)) => {
                self.remove_row(sequence)?;
                self.insert(sequence, &renewed)
            }
            None => self.remove_row(sequence),
        }
    }
}
