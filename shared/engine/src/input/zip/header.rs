//! Local headers and data descriptors, which surround the content of a member.

use std::io::{self, Read};

use super::error::{corrupt, unsupported};

pub(super) const LOCAL_HEADER: [u8; 4] = *b"PK\x03\x04";
const DESCRIPTOR: [u8; 4] = *b"PK\x07\x08";
const IS_ENCRYPTED: u16 = 1;
const HAS_DESCRIPTOR: u16 = 1 << 3;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
const ZIP64_FIELD: u16 = 1;
/// The value of a size that is stored in the zip64 field instead.
const SIZE_IN_ZIP64: u32 = u32::MAX;
/// Largest data descriptor (signature, checksum and two sizes of 8 bytes) and the signature of the next record.
pub(super) const MAX_TAIL_BYTES: u64 = 4 + 4 + 8 + 8 + 4;

/// The checksum and sizes of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MemberDigest {
    pub(super) crc: u32,
    pub(super) compressed: u64,
    pub(super) uncompressed: u64,
}

/// A local header without its signature.
pub(super) struct LocalHeader {
    pub(super) name: String,
    /// The declared checksum and sizes; `None` if a data descriptor after the member contains them.
    pub(super) declared: Option<MemberDigest>,
    /// Whether it is a folder or a file that an operating system adds.
    pub(super) is_junk: bool,
    flags: u16,
    method: u16,
}

/// The compression method of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// Uncompressed, with the number of bytes.
    Stored(u64),
    Deflated,
}

impl LocalHeader {
    /// Reads a local header after its signature.
    pub(super) fn read(inner: &mut impl Read) -> io::Result<Self> {
        let mut fixed = [0; 26];
        inner.read_exact(&mut fixed)?;
        let short = |at: usize| u16::from_le_bytes(bytes_at(&fixed, at));
        let long = |at: usize| u32::from_le_bytes(bytes_at(&fixed, at));
        let mut name = vec![0; usize::from(short(22))];
        inner.read_exact(&mut name)?;
        let mut extra = vec![0; usize::from(short(24))];
        inner.read_exact(&mut extra)?;
        let (compressed, uncompressed) = sizes(long(14), long(18), &extra);
        let declared = MemberDigest { crc: long(10), compressed, uncompressed };
        let flags = short(2);
        Ok(Self {
            is_junk: is_junk(&name),
            name: String::from_utf8_lossy(&name).chars().take(MAX_NAME_CHARS).collect(),
            declared: (flags & HAS_DESCRIPTOR == 0).then_some(declared),
            flags,
            method: short(4),
        })
    }

    /// Returns the compression method of a member that is to be read.
    ///
    /// # Errors
    /// Returns an error if the member is encrypted or its method is not supported.
    pub(super) fn method(&self) -> io::Result<Method> {
        let name = &self.name;
        if self.flags & IS_ENCRYPTED != 0 {
            return Err(unsupported("the archive is encrypted; deliver it without a password"));
        }
        match (self.method, self.declared) {
            (DEFLATED, _) => Ok(Method::Deflated),
            (STORED, Some(declared)) => Ok(Method::Stored(declared.compressed)),
            (STORED, None) if self.is_junk && self.name.ends_with(FOLDER_ENDS) => Ok(Method::Stored(0)),
            (STORED, None) => Err(unsupported(format!(
                "the member `{name}` is stored uncompressed and without a size, so its end is unknown; compress it with deflate"
            ))),
            (method, _) => Err(unsupported(format!(
                "the member `{name}` uses compression method {method}, which is not supported; use deflate (8) or stored (0)"
            ))),
        }
    }

    /// Returns the method for skipping the member: by its size, if that is declared.
    pub(super) fn skip_method(&self) -> io::Result<Method> {
        self.declared.map_or_else(|| self.method(), |declared| Ok(Method::Stored(declared.compressed)))
    }
}

const MAX_NAME_CHARS: usize = 80;
const FOLDER_ENDS: [char; 2] = ['/', '\\'];

/// Returns whether a member is a folder or a file that macOS or Windows adds to folders.
fn is_junk(name: &[u8]) -> bool {
    let mut parts = name.split(|byte| matches!(byte, b'/' | b'\\')).rev();
    let file = parts.next().expect("a split has at least one part");
    let is_added = [&b".DS_Store"[..], b"Thumbs.db", b"desktop.ini"]
        .iter()
        .any(|added| file.eq_ignore_ascii_case(added));
    file.is_empty() || is_added || file.starts_with(b"._") || parts.any(|part| part == b"__MACOSX")
}

/// Returns the `N` bytes of a header at a fixed offset.
fn bytes_at<const N: usize>(header: &[u8; 26], at: usize) -> [u8; N] {
    let bytes = header.get(at..).and_then(<[u8]>::first_chunk::<N>);
    *bytes.expect("the fields are within the fixed part of the header")
}

/// Returns the compressed and the uncompressed size. Sizes of more than 32 bits are in the zip64 field, uncompressed
/// first.
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
            if short == SIZE_IN_ZIP64
                && let Some((value, rest)) = field.split_first_chunk()
            {
                *size = u64::from_le_bytes(*value);
                field = rest;
            }
        }
    }
    sizes
}

/// Returns the bytes after the data descriptor.
///
/// The descriptor may lack its signature, and its sizes may have 4 or 8 bytes. The layout is the one that matches the
/// content that was read; if two match, the one that is followed by a signature.
pub(super) fn after_descriptor(tail: &[u8], actual: MemberDigest) -> io::Result<&[u8]> {
    let mut matching = Vec::new();
    for signature in [&DESCRIPTOR[..], &[]] {
        for is_long in [false, true] {
            let mut bytes = signature.to_vec();
            bytes.extend_from_slice(&actual.crc.to_le_bytes());
            for size in [actual.compressed, actual.uncompressed] {
                let width = if is_long { 8 } else { 4 };
                bytes.extend(size.to_le_bytes().iter().take(width));
            }
            matching.extend(tail.strip_prefix(&bytes[..]));
        }
    }
    if let Some(next) = matching.iter().find(|next| next.starts_with(b"PK")).or(matching.first()) {
        return Ok(next);
    }
    if tail.len() < 16 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Err(corrupt("the member does not match the checksum and sizes after it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_files_that_systems_add_are_ignored() {
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
    fn if_two_layouts_of_a_descriptor_match_the_one_before_a_signature_is_used() {
        let actual = MemberDigest { crc: 0, compressed: 2, uncompressed: 0 };
        let short = [&DESCRIPTOR[..], &[0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]].concat();
        let long = [&short[..], &[0; 8]].concat();
        for descriptor in [short, long] {
            let tail = [&descriptor[..], b"PK\x01\x02"].concat();
            assert_eq!(after_descriptor(&tail, actual).unwrap(), b"PK\x01\x02");
        }
    }
}
