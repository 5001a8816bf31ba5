//! The tables in the file, and the transactions over them: all that knows redb.
//!
//! Three tables: records by name, rows by sequence number (see [`crate::record`]), and what describes the file
//! itself, the doubts among it. A record and its row come and go in one transaction. What to do about a file that is damaged is for
//! [`crate::RedbStore`] to decide; here it is [`Trouble`].

use crate::{
    catalog::Catalog,
    edit::{Edit, Outcome},
    figures::StoreFigures,
    record::{Name, RecordSeal, Row, sequence_of},
    room::Room,
};
use cache_core::{
    Doubts, Entry, Key, Timestamp,
    port::{Budget, Change, Durability, SealError},
};
use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition, WriteTransaction};
use std::{collections::BTreeMap, error::Error, fs::File, sync::Arc};
use tracing::warn;

/// An open file of entries.
pub(crate) struct EntryFile {
    database: Database,
    catalog: Arc<Catalog>,
    figures: Arc<StoreFigures>,
    totals: Totals,
    next_sequence: u64,
    /// Bytes of the file used up since everything committed was durable; `None` while it is.
    unsynced_bytes: Option<u64>,
    room: Room,
}

impl EntryFile {
    /// Opens `file`, or lays it out if it is empty. Tells `catalog` what is in it, from here on.
    pub(crate) fn open(
        file: File,
        seal: &RecordSeal,
        catalog: Arc<Catalog>,
        figures: Arc<StoreFigures>,
    ) -> Result<Self, Trouble> {
        let mut builder = Database::builder();
        builder.set_cache_size(CACHE_BYTES);
        let room = Room::of(&file);
        #[cfg(not(test))]
        let database = builder.create_file(file)?;
        #[cfg(test)]
        let database = builder.create_with_backend(crate::fault::FaultyBackend::new(file)?)?;
        let totals = Totals::default();
        let mut opened =
            Self { database, catalog, figures, totals, next_sequence: 0, unsynced_bytes: None, room };
        if opened.is_empty()? {
            opened.lay_out(seal)?;
        } else {
            opened.check_key(seal)?;
        }
        opened.count(seal)?;
        Ok(opened)
    }

    /// Records and bytes held.
    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }

    /// The entry in `key`'s record.
    pub(crate) fn load(&self, seal: &RecordSeal, key: &Key) -> Result<Loaded, Trouble> {
        let name = seal.name(key);
        let records = self.database.begin_read()?.open_table(RECORDS)?;
        let Some(record) = records.get(&name)? else {
            return Ok(Loaded::Absent);
        };
        Ok(match seal.open(&name, record.value()) {
            Some(entry) if entry.key() == key => Loaded::Entry(Box::new(entry)),
            Some(_) | None => Loaded::Unreadable(name),
        })
    }

    /// The entries that are still of use at `now`, within `budget`, the most recently stored first; and the rows
    /// whose records cannot be read.
    pub(crate) fn restore(
        &self,
        seal: &RecordSeal,
        now: Timestamp,
        budget: Budget,
    ) -> Result<(Vec<Entry>, Vec<u64>), Trouble> {
        let read = self.database.begin_read()?;
        let records = read.open_table(RECORDS)?;
        let (mut entries, mut unreadable, mut bytes) = (Vec::new(), Vec::new(), 0);
        for line in read.open_table(ORDER)?.iter()?.rev() {
            if entries.len() >= budget.entries_max {
                break;
            }
            let (sequence, row) = line?;
            let row = Row::parse(row.value());
            if row.is_some_and(|row| row.useless_from <= now) {
                continue;
            }
            let record = row.map(|row| records.get(row.name)).transpose()?.flatten();
            let opened = row.zip(record).and_then(|(row, record)| {
                let is_of_row = sequence_of(record.value()) == Some(sequence.value());
                is_of_row.then(|| seal.open(row.name, record.value())).flatten()
            });
            let Some(entry) = opened else {
                unreadable.push(sequence.value());
                continue;
            };
            bytes += entry.weight_bytes();
            if bytes > budget.bytes_max {
                break;
            }
            entries.push(entry);
        }
        Ok((entries, unreadable))
    }

    /// What is in doubt, except doubts that mean no record. If the list cannot be read, everything from before `now`
    /// is in doubt.
    pub(crate) fn doubts(&self, seal: &RecordSeal, now: Timestamp) -> Result<Doubts, Trouble> {
        let meta = self.database.begin_read()?.open_table(META)?;
        let Some(sealed) = meta.get(META_DOUBTS)? else {
            return Ok(Doubts::default());
        };
        let mut doubts = seal.open_doubts(sealed.value()).unwrap_or_else(|| {
            warn!("what is in doubt cannot be read, so everything is");
            Doubts::of_everything(now)
        });
        doubts.retain(|scope| self.catalog.has_in(scope));
        Ok(doubts)
    }

    /// Makes all `changes` or none, keeps to `budget`, and returns how many records the changes removed.
    ///
    /// Removals that mean nothing need no transaction.
    pub(crate) fn apply(
        &mut self,
        seal: &RecordSeal,
        changes: &[Change],
        budget: Budget,
        durability: Durability,
    ) -> Result<u64, Trouble> {
        let is_void = !changes.is_empty() && !changes.iter().any(|change| self.catalog.concerns(change));
        if is_void && self.unsynced_bytes.is_none() {
            return Ok(0);
        }
        let (budget, churn_bytes) = (self.room.for_records(budget), self.room.for_churn(budget));
        // What is replaced is room again once that is durable.
        let is_much = self.unsynced_bytes.is_some_and(|bytes| bytes > churn_bytes);
        let durability = if is_much { Durability::Immediate } else { durability };
        self.edit(seal, durability, |edit| {
            let mut removed = 0;
            for change in changes {
                removed += edit.make(change, churn_bytes)?;
            }
            edit.evict(budget)?;
            Ok(removed)
        })
    }

    /// Removes what is useless at `now` or beyond `budget`.
    pub(crate) fn sweep(
        &mut self,
        seal: &RecordSeal,
        now: Timestamp,
        budget: Budget,
    ) -> Result<u64, Trouble> {
        let budget_of_records = self.room.for_records(budget);
        let removed = self.edit(seal, Durability::Eventual, |edit| {
            let removed = edit.remove_rows(|_, row| row.is_none_or(|row| row.useless_from <= now))?;
            Ok(removed + edit.evict(budget_of_records)?)
        })?;
        self.shrink(seal, budget)?;
        Ok(removed)
    }

    /// Makes the file shorter if it is longer than `budget` lets it be at rest.
    pub(crate) fn shrink(&mut self, seal: &RecordSeal, budget: Budget) -> Result<(), Trouble> {
        if !self.room.is_exceeded(budget) {
            return Ok(());
        }
        let budget = self.room.for_records(budget);
        self.edit(seal, Durability::Immediate, |edit| edit.evict(budget))?;
        self.database.compact()?;
        // What is packed is durable, but not yet quick to open after a crash.
        self.edit(seal, Durability::Immediate, |_| Ok(()))
    }

    /// Removes rows and records that were found unreadable.
    pub(crate) fn discard(
        &mut self,
        seal: &RecordSeal,
        names: &[Name],
        sequences: &[u64],
    ) -> Result<(), Trouble> {
        self.edit(seal, Durability::Eventual, |edit| {
            for name in names {
                edit.remove_named(name)?;
            }
            for sequence in sequences {
                edit.remove_row(*sequence)?;
            }
            Ok(())
        })
    }

    /// One transaction. What it changes counts once it is committed.
    fn edit<T>(
        &mut self,
        seal: &RecordSeal,
        durability: Durability,
        make: impl FnOnce(&mut Edit<'_>) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        self.figures.count_transaction();
        let mut write = self.database.begin_write()?;
        match durability {
            Durability::Eventual => write.set_durability(redb::Durability::None)?,
            // Saves the next start from reading the whole file after a crash.
            Durability::Immediate => write.set_quick_repair(true),
        }
        let mut edit = Edit::begin(&write, (seal, &self.catalog), self.totals, self.next_sequence)?;
        let made = make(&mut edit)?;
        let Outcome { shifts, used_bytes, totals, next_sequence } = edit.end();
        write.commit()?;
        self.totals = totals;
        self.next_sequence = next_sequence;
        self.unsynced_bytes = match durability {
            Durability::Eventual => Some(self.unsynced_bytes.unwrap_or_default().saturating_add(used_bytes)),
            Durability::Immediate => None,
        };
        self.catalog.commit(shifts, durability);
        Ok(made)
    }

    fn is_empty(&self) -> Result<bool, Trouble> {
        Ok(self.database.begin_read()?.list_tables()?.next().is_none())
    }

    fn lay_out(&self, seal: &RecordSeal) -> Result<(), Trouble> {
        let write = self.database.begin_write()?;
        write.open_table(RECORDS)?;
        write.open_table(ORDER)?;
        describe(&write, seal)?;
        Ok(write.commit()?)
    }

    /// Makes sure that the file is of this format and that its records open; files the records under the
    /// names of the current key if an older one sealed them.
    fn check_key(&mut self, seal: &RecordSeal) -> Result<(), Trouble> {
        let meta = self.database.begin_read()?.open_table(META)?;
        let value = |name| match meta.get(name) {
            Ok(value) => Ok(value.map(|value| value.value().to_vec())),
            Err(error) => Err(Trouble::from(error)),
        };
        match value(META_FORMAT)?.as_deref() {
            Some([FORMAT]) => {}
            Some([newer]) if *newer > FORMAT => return Err(Trouble::Newer),
            Some(_) | None => return Err(Trouble::Damaged("it names no format".into())),
        }
        if !value(META_CHECK)?.is_some_and(|check| seal.opens_check(&check)) {
            return Err(Trouble::ForeignKey);
        }
        if value(META_KEY)?.as_deref() == Some(&seal.key_name()) {
            return Ok(());
        }
        drop(meta);
        self.rename_all(seal)
    }

    /// Files every record under its name by the current key.
    ///
    /// In steps, the last of which says that it is done: a crash in between means that it begins again, and
    /// passes over what has its name already.
    fn rename_all(&mut self, seal: &RecordSeal) -> Result<(), Trouble> {
        let sequences: Vec<u64> = {
            let order = self.database.begin_read()?.open_table(ORDER)?;
            let lines = order.iter()?;
            lines.map(|line| Ok(line?.0.value())).collect::<Result<_, Trouble>>()?
        };
        for step in sequences.chunks(RENAME_STEP_RECORDS) {
            self.edit(seal, Durability::Immediate, |edit| {
                step.iter().try_for_each(|sequence| edit.rename(*sequence))
            })?;
        }
        let write = self.database.begin_write()?;
        let sealed = write.open_table(META)?.get(META_DOUBTS)?.map(|doubts| doubts.value().to_vec());
        // What does not open now will not open under the current key either, and says what it did before.
        if let Some(doubts) = sealed.and_then(|sealed| seal.open_doubts(&sealed)) {
            write.open_table(META)?.insert(META_DOUBTS, seal.seal_doubts(&doubts)?.as_slice())?;
        }
        describe(&write, seal)?;
        Ok(write.commit()?)
    }

    /// Counts and catalogs what is there. A row whose key does not open is of no use, and is dropped.
    fn count(&mut self, seal: &RecordSeal) -> Result<(), Trouble> {
        let order = self.database.begin_read()?.open_table(ORDER)?;
        let (mut totals, mut records, mut unopened) = (Totals::default(), BTreeMap::new(), Vec::new());
        for line in order.iter()? {
            let (sequence, row) = line?;
            let (sequence, row) = (sequence.value(), Row::parse(row.value()));
            totals.add(row.map_or(0, |row| row.weight_bytes()));
            match row.and_then(|row| seal.open_key(&row)) {
                Some(key) => drop(records.insert(key, sequence)),
                None => unopened.push(sequence),
            }
            self.next_sequence = sequence.saturating_add(1);
        }
        drop(order);
        self.totals = totals;
        self.catalog.replace(records);
        if !unopened.is_empty() {
            let count = unopened.len();
            self.figures.count_unreadable(count as u64);
            warn!(count, "records whose keys cannot be read are dropped");
            self.discard(seal, &[], &unopened)?;
        }
        Ok(())
    }
}

/// The outcome of looking a record up.
pub(crate) enum Loaded {
    Absent,
    Entry(Box<Entry>),
    Unreadable(Name),
}

/// Records held, and the bytes they count against the budget.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

impl Totals {
    pub(crate) fn add(&mut self, bytes: u64) {
        self.records += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }

    pub(crate) fn subtract(&mut self, bytes: u64) {
        self.records = self.records.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

/// Why the file could not be used.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It holds something that no version of this program wrote.
    Damaged(String),
    /// The system or redb did not do what was asked; the file may be fine.
    Failed(Box<dyn Error + Send + Sync>),
    /// Another key sealed it.
    ForeignKey,
    /// Another process has the file open.
    InUse,
    /// A newer version wrote it.
    Newer,
}

impl From<redb::Error> for Trouble {
    fn from(error: redb::Error) -> Self {
        use redb::Error as E;
        match error {
            E::DatabaseAlreadyOpen => Self::InUse,
            // Where the file contradicts itself, redb says so, or runs into its end.
            E::Io(error) if is_about_content(&error) => Self::Damaged(error.to_string()),
            E::Corrupted(_)
            | E::RepairAborted
            | E::TableDoesNotExist(_)
            | E::TableIsMultimap(_)
            | E::TableIsNotMultimap(_)
            | E::TableTypeMismatch { .. }
            | E::TypeDefinitionChanged { .. }
            | E::UpgradeRequired(_) => Self::Damaged(error.to_string()),
            failed => Self::Failed(failed.into()),
        }
    }
}

fn is_about_content(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof)
}

macro_rules! trouble_from {
    ($($error:ty),*) => {$(
        impl From<$error> for Trouble {
            fn from(error: $error) -> Self {
                Self::from(redb::Error::from(error))
            }
        }
    )*};
}

trouble_from!(
    redb::CommitError,
    redb::CompactionError,
    redb::DatabaseError,
    redb::SetDurabilityError,
    redb::StorageError,
    redb::TableError,
    redb::TransactionError
);

impl From<SealError> for Trouble {
    fn from(error: SealError) -> Self {
        Self::Failed(error.into())
    }
}

fn describe(write: &WriteTransaction, seal: &RecordSeal) -> Result<(), Trouble> {
    let mut meta = write.open_table(META)?;
    meta.insert(META_FORMAT, [FORMAT].as_slice())?;
    meta.insert(META_CHECK, seal.seal_check()?.as_slice())?;
    meta.insert(META_KEY, seal.key_name().as_slice())?;
    Ok(())
}

pub(crate) const RECORDS: TableDefinition<'_, &Name, &[u8]> = TableDefinition::new("records");
pub(crate) const ORDER: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("order");
pub(crate) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const META_FORMAT: &str = "format";
/// A value that opens with the key that sealed the records.
const META_CHECK: &str = "check";
/// A name by the key that the records are named with.
const META_KEY: &str = "key";
/// What is in doubt; absent in a file from before anything was.
pub(crate) const META_DOUBTS: &str = "doubts";

/// Version of the tables and their contents.
pub(crate) const FORMAT: u8 = 1;

/// Memory in which redb keeps pages. The entries in use are in memory already, so this serves writing and
/// restoring only; a node is to stay below 20 MiB in all.
const CACHE_BYTES: usize = 4 * 1024 * 1024;

/// Records that a change of key handles in one transaction.
const RENAME_STEP_RECORDS: usize = 64;
