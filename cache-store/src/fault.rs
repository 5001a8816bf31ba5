//! A disk that can be full, for tests.

use redb::{DatabaseError, StorageBackend, backends::FileBackend};
use std::{cell::Cell, fs::File, io};

/// A file that refuses to be written to while [`set_disk_full`] says so.
#[derive(Debug)]
pub(crate) struct FaultyBackend(FileBackend);

impl FaultyBackend {
    pub(crate) fn new(file: File) -> Result<Self, DatabaseError> {
        FileBackend::new(file).map(Self)
    }
}

impl StorageBackend for FaultyBackend {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        refuse_if_full()?;
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        refuse_if_full()?;
        self.0.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }
}

/// Makes every write of this thread fail after the next `writes`; with `None`, no longer.
pub(crate) fn set_disk_full(after_writes: Option<u32>) {
    WRITES_LEFT.set(after_writes);
}

thread_local! {
    static WRITES_LEFT: Cell<Option<u32>> = const { Cell::new(None) };
}

fn refuse_if_full() -> io::Result<()> {
    match WRITES_LEFT.get() {
        Some(0) => Err(io::ErrorKind::StorageFull.into()),
        Some(left) => {
            WRITES_LEFT.set(Some(left - 1));
            Ok(())
        }
        None => Ok(()),
    }
}
