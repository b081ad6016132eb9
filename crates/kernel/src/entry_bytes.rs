//! Entries as bytes, little-endian, which is how matrices are stored and travel.
//!
//! On processors that are little-endian themselves, nearly all, the two are the same memory: a view
//! costs nothing, and copies are what the machine copies fastest.

use alloc::borrow::Cow;
use alloc::vec::Vec;

/// Bytes of one entry.
pub const ENTRY_BYTES: usize = size_of::<f64>();

/// The entries that these bytes are; a last part of an entry is left out. Copied only where they
/// do not lie as the processor wants them.
#[must_use]
pub fn entries_of(bytes: &[u8]) -> Cow<'_, [f64]> {
    let (entries, _) = bytes.as_chunks::<ENTRY_BYTES>();
    if cfg!(target_endian = "little")
        && let Ok(entries) = bytemuck::try_cast_slice(entries)
    {
        return Cow::Borrowed(entries);
    }
    Cow::Owned(entries.iter().copied().map(f64::from_le_bytes).collect())
}

/// The bytes that these entries are.
#[must_use]
pub fn bytes_of(entries: &[f64]) -> Cow<'_, [u8]> {
    if cfg!(target_endian = "little") {
        return Cow::Borrowed(bytemuck::cast_slice(entries));
    }
    let bytes = entries.iter().flat_map(|entry| entry.to_le_bytes());
    Cow::Owned(bytes.collect())
}

/// Entries that are given away as their bytes, in the memory that they have.
#[derive(Clone, Debug, PartialEq)]
pub struct EntryBytes(Vec<f64>);

impl EntryBytes {
    /// The bytes of `entries`.
    #[must_use]
    pub fn new(mut entries: Vec<f64>) -> Self {
        if cfg!(target_endian = "big") {
            for entry in &mut entries {
                *entry = f64::from_bits(entry.to_bits().swap_bytes());
            }
        }
        Self(entries)
    }
}

impl AsRef<[u8]> for EntryBytes {
    fn as_ref(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::{EntryBytes, bytes_of, entries_of};

    const ENTRIES: [f64; 3] = [1.0, -0.0, f64::MIN_POSITIVE];

    fn plain_bytes() -> Vec<u8> {
        ENTRIES.iter().flat_map(|it| it.to_le_bytes()).collect()
    }

    #[test]
    fn entries_and_bytes_are_each_other() {
        assert_eq!(*bytes_of(&ENTRIES), plain_bytes());
        assert_eq!(EntryBytes::new(ENTRIES.to_vec()).as_ref(), plain_bytes());
        assert_eq!(*entries_of(&plain_bytes()), ENTRIES);
    }

    #[test]
    fn bytes_may_lie_anywhere() {
        for shift in 0..8 {
            let mut bytes = vec![0; shift];
            bytes.extend(plain_bytes());
            bytes.extend([1; 5]);
            let bits =
                |entries: &[f64]| -> Vec<u64> { entries.iter().map(|it| it.to_bits()).collect() };
            assert_eq!(bits(&entries_of(&bytes[shift..])), bits(&ENTRIES));
        }
    }
}
