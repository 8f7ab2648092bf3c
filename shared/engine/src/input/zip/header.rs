//! The parts of an archive around the bytes of its members.

use std::io::{self, Read};

use super::error::{corrupt, unsupported};

pub(super) const LOCAL_HEADER: [u8; 4] = *b"PK\x03\x04";
const DESCRIPTOR: [u8; 4] = *b"PK\x07\x08";
const IS_ENCRYPTED: u16 = 1;
const HAS_DESCRIPTOR: u16 = 1 << 3;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
const ZIP64_FIELD: u16 = 1;
/// Stands where the zip64 field has the size.
const SIZE_ELSEWHERE: u32 = u32::MAX;
/// Signature, checksum and two sizes of 8 bytes, then the signature of what follows.
pub(super) const MAX_TAIL_BYTES: u64 = 4 + 4 + 8 + 8 + 4;

/// Checksum, compressed and uncompressed size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Promise {
    pub(super) crc: u32,
    pub(super) compressed: u64,
    pub(super) uncompressed: u64,
}

/// A local header without its signature.
pub(super) struct LocalHeader {
    pub(super) name: String,
    /// Bytes of the member; their checksum. Not known where a data descriptor after the member has them.
    pub(super) promised: Option<Promise>,
    /// Files that an operating system adds, and folders.
    pub(super) is_junk: bool,
    flags: u16,
    method: u16,
}

/// How the bytes of a member are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// As they are; how many.
    Stored(u64),
    Deflated,
}

impl LocalHeader {
    /// Reads what follows the signature of a local header.
    pub(super) fn read(inner: &mut impl Read) -> io::Result<Self> {
        let mut fixed = [0; 26];
        inner.read_exact(&mut fixed)?;
        let short = |at: usize| u16::from_le_bytes(part(&fixed, at));
        let long = |at: usize| u32::from_le_bytes(part(&fixed, at));
        let mut name = vec![0; usize::from(short(22))];
        inner.read_exact(&mut name)?;
        let mut extra = vec![0; usize::from(short(24))];
        inner.read_exact(&mut extra)?;
        let (compressed, uncompressed) = sizes(long(14), long(18), &extra);
        let promised = Promise { crc: long(10), compressed, uncompressed };
        let flags = short(2);
        Ok(Self {
            is_junk: is_junk(&name),
            name: String::from_utf8_lossy(&name).chars().take(MAX_NAME_CHARS).collect(),
            promised: (flags & HAS_DESCRIPTOR == 0).then_some(promised),
            flags,
            method: short(4),
        })
    }

    /// How the member is read.
    ///
    /// # Errors
    /// When it cannot be.
    pub(super) fn method(&self) -> io::Result<Method> {
        let name = &self.name;
        if self.flags & IS_ENCRYPTED != 0 {
            return Err(unsupported("the archive is encrypted; deliver it without a password"));
        }
        match (self.method, self.promised) {
            (DEFLATED, _) => Ok(Method::Deflated),
            (STORED, Some(promised)) => Ok(Method::Stored(promised.compressed)),
            (STORED, None) if self.is_junk && self.name.ends_with(FOLDER_ENDS) => Ok(Method::Stored(0)),
            (STORED, None) => Err(unsupported(format!(
                "the member `{name}` is stored without its size, so that its end cannot be found; compress it with deflate"
            ))),
            (method, _) => Err(unsupported(format!(
                "the member `{name}` is compressed by method {method}; deflate (8) and stored (0) are read"
            ))),
        }
    }

    /// How the member is skipped: by its size, if that is known.
    pub(super) fn skip_method(&self) -> io::Result<Method> {
        self.promised.map_or_else(|| self.method(), |promised| Ok(Method::Stored(promised.compressed)))
    }
}

const MAX_NAME_CHARS: usize = 80;
const FOLDER_ENDS: [char; 2] = ['/', '\\'];

/// True for folders and for the files that macOS and Windows add to them.
fn is_junk(name: &[u8]) -> bool {
    let mut parts = name.split(|byte| matches!(byte, b'/' | b'\\')).rev();
    let file = parts.next().unwrap_or_default();
    let is_added = [&b".DS_Store"[..], b"Thumbs.db", b"desktop.ini"]
        .iter()
        .any(|added| file.eq_ignore_ascii_case(added));
    file.is_empty() || is_added || file.starts_with(b"._") || parts.any(|part| part == b"__MACOSX")
}

/// The `N` bytes from a place on, which lie within the header.
fn part<const N: usize>(header: &[u8], at: usize) -> [u8; N] {
    header.get(at..).and_then(<[u8]>::first_chunk::<N>).copied().unwrap_or([0; N])
}

/// The compressed and the uncompressed size: in the zip64 field, uncompressed first, where the header has no room.
fn sizes(compressed: u32, uncompressed: u32, mut extra: &[u8]) -> (u64, u64) {
    let mut sizes = (u64::from(compressed), u64::from(uncompressed));
    while let Some((head, rest)) = extra.split_first_chunk::<4>() {
        let kind = u16::from_le_bytes([head[0], head[1]]);
        let length = usize::from(u16::from_le_bytes([head[2], head[3]])).min(rest.len());
        let (mut field, after) = rest.split_at(length);
        extra = after;
        if kind != ZIP64_FIELD {
            continue;
        }
        for (short, size) in [(uncompressed, &mut sizes.1), (compressed, &mut sizes.0)] {
            if short == SIZE_ELSEWHERE
                && let Some((value, rest)) = field.split_first_chunk()
            {
                *size = u64::from_le_bytes(*value);
                field = rest;
            }
        }
    }
    sizes
}

/// What follows the data descriptor, which may lack its signature and whose sizes may have 4 or 8 bytes: the layout is
/// the one that agrees with what was read, and of two the one that a signature follows.
pub(super) fn after_descriptor(tail: &[u8], found: Promise) -> io::Result<&[u8]> {
    let mut agrees = Vec::new();
    for signature in [&DESCRIPTOR[..], &[]] {
        for is_long in [false, true] {
            let mut bytes = signature.to_vec();
            bytes.extend_from_slice(&found.crc.to_le_bytes());
            for size in [found.compressed, found.uncompressed] {
                let width = if is_long { 8 } else { 4 };
                bytes.extend(size.to_le_bytes().iter().take(width));
            }
            agrees.extend(tail.strip_prefix(&bytes[..]));
        }
    }
    if let Some(next) = agrees.iter().find(|next| next.starts_with(b"PK")).or(agrees.first()) {
        return Ok(next);
    }
    if tail.len() < 16 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Err(corrupt("the member's checksum or size is not the one after it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_files_that_systems_add_are_not_members() {
        for (name, expected) in [
            ("folder/", true),
            ("folder\\", true),
            ("__MACOSX/._prices.csv", true),
            ("__MACOSX/export/._prices.csv", true),
            ("export/__MACOSX/x", true),
            ("._prices.csv", true),
            (".DS_Store", true),
            ("export/.DS_Store", true),
            ("export\\Thumbs.db", true),
            ("thumbs.db", true),
            ("Desktop.ini", true),
            ("prices.csv", false),
            (".prices.csv", false),
            ("__MACOSX", false),
            ("export/prices._csv", false),
            ("DS_Store", false),
        ] {
            assert_eq!(is_junk(name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn of_two_layouts_of_a_descriptor_the_one_before_a_signature_counts() {
        let found = Promise { crc: 0, compressed: 2, uncompressed: 0 };
        let short = [&DESCRIPTOR[..], &[0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]].concat();
        let long = [&short[..], &[0; 8]].concat();
        for descriptor in [short, long] {
            let tail = [&descriptor[..], b"PK\x01\x02"].concat();
            assert_eq!(after_descriptor(&tail, found).unwrap(), b"PK\x01\x02");
        }
    }
}
