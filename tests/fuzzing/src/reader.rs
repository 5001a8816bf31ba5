//! A reader of the wire format's primitives, written from the format's description alone.
//!
//! `bincode` 2, standard configuration. Integers of more than a byte: up to 250 as one byte; 251, 252 and 253
//! announce two, four and eight bytes, little-endian. 254 announces sixteen and 255 nothing, so that neither
//! begins an integer here. Longer forms of small numbers are read as well. Bytes are as they are; lengths are
//! 64-bit integers; an option is a byte 0 or 1 and perhaps a value; a variant is a 32-bit integer.

/// Takes values from the front of bytes; `None` is for whatever is wrong.
#[derive(Clone, Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Begins at the front of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// What was not taken yet.
    pub fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// The next byte, if there is one.
    pub fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// Exactly `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    /// An integer of 64 bits.
    pub fn u64(&mut self) -> Option<u64> {
        match self.byte()? {
            byte @ 0..=250 => Some(byte.into()),
            251 => Some(u16::from_le_bytes(self.array()?).into()),
            252 => Some(u32::from_le_bytes(self.array()?).into()),
            253 => Some(u64::from_le_bytes(self.array()?)),
            254.. => None,
        }
    }

    /// An integer of 32 bits, which knows no form of eight bytes.
    pub fn u32(&mut self) -> Option<u32> {
        if *self.0.first()? == 253 { None } else { u32::try_from(self.u64()?).ok() }
    }

    /// An integer of 16 bits, which knows no form of four bytes.
    pub fn u16(&mut self) -> Option<u16> {
        if matches!(*self.0.first()?, 252 | 253) { None } else { u16::try_from(self.u64()?).ok() }
    }

    /// The lowest bit of the next byte.
    pub fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            2.. => None,
        }
    }

    /// Something that may be absent.
    pub fn option<T>(&mut self, value: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        if self.flag()? { value(self).map(Some) } else { Some(None) }
    }

    /// Bytes behind their length.
    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u64()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    /// Text behind its length.
    pub fn text(&mut self) -> Option<&'a str> {
        str::from_utf8(self.bytes()?).ok()
    }

    /// Values behind their number. Each must take a byte at least, or a number alone would cost memory.
    pub fn list<T>(&mut self, mut value: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let length = self.u64()?;
        let mut list = Vec::new();
        for _ in 0..length {
            list.push(value(self)?);
        }
        Some(list)
    }
}
