//! Recognition of unsupported and unexpected files by their first bytes, for messages that name the format and a fix.
//!
//! A text may begin with the letters of a magic number (`ORCID`, `PAR1`). A magic number that consists of letters is
//! therefore recognised only if a control character follows that does not occur in text.

use penstock_contract::Compression;

use super::source::{compression_name, compression_of};
use crate::error::{ReadError, UnreadableCode};

/// Number of bytes that [`recognise`] examines.
pub(crate) const HEAD_BYTES: usize = 512;
const TAR_HEADER_BYTES: usize = 512;
const TAR_CHECKSUM: std::ops::Range<usize> = 148..156;
/// Largest size in an `lzma` header.
const MAX_LZMA_BYTES: u64 = 1 << 40;

/// A format that is not supported, or not the one that the contract declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecognisedFormat {
    code: UnreadableCode,
    /// The name with its article.
    pub(crate) name: &'static str,
    advice: &'static str,
}

const PARQUET_NAME: &str = "a Parquet file";
const AS_CSV: &str = "save the sheet as CSV and deliver the CSV file";
const AS_TABLE: &str = "deliver the table itself, for example as CSV";
const EACH_BY_ITSELF: &str = "deliver each file separately, for example compressed with gzip or zstd";
const OTHER_COMPRESSION: &str = "compress it with gzip, zstd, bzip2 or xz";
const OTHER_FORMAT: &str =
    "deliver the format that the contract declares, or correct `format` in the contract";
const EXPORT: &str = "export it as CSV, Parquet or Avro";

const fn document(name: &'static str, advice: &'static str) -> RecognisedFormat {
    RecognisedFormat { code: UnreadableCode::WrongFormat, name, advice }
}

const fn archive(name: &'static str) -> RecognisedFormat {
    RecognisedFormat { code: UnreadableCode::UnsupportedArchive, name, advice: EACH_BY_ITSELF }
}

const fn compression(name: &'static str) -> RecognisedFormat {
    RecognisedFormat { code: UnreadableCode::WrongCompression, name, advice: OTHER_COMPRESSION }
}

/// Magic numbers with a byte that does not occur in text.
const BINARY: &[(&[u8], RecognisedFormat)] = &[
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        document("an Excel workbook (xls) or another OLE document", AS_CSV),
    ),
    // Workbooks of Excel 2 to 8 without an OLE container: the type and length of the first record.
    (b"\x09\x08\x08\0\0\x05", document("an Excel workbook (xls)", AS_CSV)),
    (b"\x09\x08\x10\0\0\x06", document("an Excel workbook (xls)", AS_CSV)),
    (b"\x09\x04\x06\0", document("an Excel workbook (xls)", AS_CSV)),
    (b"\x09\x02\x06\0", document("an Excel workbook (xls)", AS_CSV)),
    (b"\x09\0\x04\0", document("an Excel workbook (xls)", AS_CSV)),
    (b"\x89PNG\r\n\x1a\n", document("an image (PNG)", AS_TABLE)),
    (b"\xff\xd8\xff", document("an image (JPEG)", AS_TABLE)),
    (b"II*\0", document("an image (TIFF)", AS_TABLE)),
    (b"MM\0*", document("an image (TIFF)", AS_TABLE)),
    (b"Obj\x01", document("an Avro file", OTHER_FORMAT)),
    (b"ARROW1\0\0", document("an Arrow IPC file (Feather)", EXPORT)),
    (b"SQLite format 3\0", document("a SQLite database", EXPORT)),
    (b"\0\x01\0\0Standard ", document("an Access database", EXPORT)),
    (b"\x89HDF\r\n\x1a\n", document("an HDF5 file", EXPORT)),
    (b"\x93NUMPY", document("a NumPy array", EXPORT)),
    (b"7z\xbc\xaf\x27\x1c", archive("a 7z archive")),
    (b"Rar!\x1a\x07", archive("a RAR archive")),
    (b"\x04\x22\x4d\x18", compression("compressed with lz4")),
    (b"\x02\x21\x4c\x18", compression("compressed with lz4")),
    (b"\xff\x06\0\0sNaPpY", compression("compressed with snappy")),
    (b"\x1f\x9d", compression("compressed with compress (.Z)")),
    (b"\x1f\xa0", compression("compressed with compress (.Z)")),
    (b"LZIP\x01", compression("compressed with lzip")),
    (b"\x89LZO\0\r\n\x1a\n", compression("compressed with lzop")),
];

/// Magic numbers that consist of letters.
const LETTERS: &[(&[u8], RecognisedFormat)] = &[
    (b"PAR1", document(PARQUET_NAME, OTHER_FORMAT)),
    (b"PARE", document("an encrypted Parquet file", "write it without encryption")),
    (b"ORC", document("an ORC file", "write it as Parquet")),
    (b"FEA1", document("a Feather file", EXPORT)),
    (b"GIF87a", document("an image (GIF)", AS_TABLE)),
    (b"GIF89a", document("an image (GIF)", AS_TABLE)),
];

const PDF: RecognisedFormat = document("a PDF document", AS_TABLE);
const BMP: RecognisedFormat = document("an image (BMP)", AS_TABLE);
const ICO: RecognisedFormat = document("an image (ICO)", AS_TABLE);
const ZLIB: RecognisedFormat = compression("compressed with zlib");
const WEBP: RecognisedFormat = document("an image (WebP)", AS_TABLE);
const HTML: RecognisedFormat =
    document("an HTML page, such as a login or error page of the server", AS_TABLE);
const XML: RecognisedFormat = document("an XML document", "deliver CSV, JSON, Parquet or Avro");
const HTML_ELEMENTS: [&str; 16] = [
    "html", "head", "body", "title", "meta", "style", "script", "h1", "h2", "h3", "p", "pre", "div",
    "center", "table", "font",
];
const TAR: RecognisedFormat = archive("a tar archive");
const LZMA: RecognisedFormat = compression("compressed with lzma");
const OFFICE: RecognisedFormat = document("an Excel workbook (xlsx) or another Office document", AS_CSV);
const OPEN_DOCUMENT: RecognisedFormat =
    document("an OpenDocument spreadsheet (ods) or another OpenDocument", AS_CSV);

/// Returns the format of a file that is neither text nor compressed in a supported way; `None` if it is not recognised.
pub(crate) fn recognise(head: &[u8]) -> Option<RecognisedFormat> {
    let head = head.get(..HEAD_BYTES).unwrap_or(head);
    let lookup = |table: &[(&[u8], RecognisedFormat)]| {
        table.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, recognised)| *recognised)
    };
    if let Some(recognised) = lookup(BINARY) {
        return Some(recognised);
    }
    if is_tar(head) {
        return Some(TAR);
    }
    if is_lzma(head) {
        return Some(LZMA);
    }
    if is_bmp(head) {
        return Some(BMP);
    }
    if is_ico(head) {
        return Some(ICO);
    }
    if is_zlib(head) {
        return Some(ZLIB);
    }
    if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP") {
        return Some(WEBP);
    }
    if head.starts_with(b"%PDF-") {
        return Some(PDF);
    }
    if let Some(office) = zip_member(head).and_then(office) {
        return Some(office);
    }
    lookup(LETTERS).filter(|_| has_control(head)).or_else(|| markup(head))
}

/// Refuses a file that is not text. `outer`: the compression from which `head` was decompressed.
///
/// # Errors
/// Returns an error that names the actual format and a fix.
pub(crate) fn check_text(head: &[u8], outer: Compression) -> Result<(), ReadError> {
    check_compressed_twice(head, outer)?;
    recognise(head).map_or(Ok(()), |recognised| Err(recognised.error(outer)))
}

/// Refuses a file that is compressed twice.
///
/// # Errors
/// Returns an error that names both compressions.
pub(crate) fn check_compressed_twice(head: &[u8], outer: Compression) -> Result<(), ReadError> {
    let inner = compression_of(head);
    if outer == Compression::Plain || inner == Compression::Plain {
        return Ok(());
    }
    let message = format!(
        "the file is compressed twice: {} inside {}; compress it once",
        zip_member(head).and_then(office).map_or(compression_name(inner), |office| office.name),
        compression_name(outer)
    );
    Err(ReadError::Unreadable { code: UnreadableCode::WrongCompression, byte_offset: 0, message })
}

impl RecognisedFormat {
    pub(crate) fn is_parquet(self) -> bool {
        self.name == PARQUET_NAME
    }

    /// Returns the error for such a file. `outer`: the compression from which it was decompressed.
    pub(crate) fn error(self, outer: Compression) -> ReadError {
        let Self { code, name: recognised, advice } = self;
        let inside = if outer == Compression::Plain {
            String::new()
        } else {
            format!(" inside {}", compression_name(outer))
        };
        let message = format!("the file{inside} is {recognised}; {advice}");
        ReadError::Unreadable { code, byte_offset: 0, message }
    }
}

/// Returns the document format of an archive that has a member with this name.
pub(super) fn office(member: &[u8]) -> Option<RecognisedFormat> {
    const FOLDERS: [&[u8]; 4] = [b"xl/", b"word/", b"ppt/", b"docProps/"];
    const ENDS: [&[u8]; 4] = [b".xml", b".rels", b".bin", b"/"];
    if member == b"mimetype" {
        return Some(OPEN_DOCUMENT);
    }
    let is_part = FOLDERS.iter().any(|folder| member.starts_with(folder))
        && ENDS.iter().any(|end| member.ends_with(end));
    (is_part || member == b"[Content_Types].xml" || member.starts_with(b"_rels/")).then_some(OFFICE)
}

/// Returns the name of the first member of a zip archive.
fn zip_member(head: &[u8]) -> Option<&[u8]> {
    const NAME: usize = 30;
    let header = head.strip_prefix(b"PK\x03\x04").map(|_| head)?;
    let length = usize::from(u16::from_le_bytes(*header.get(26..)?.first_chunk()?));
    header.get(NAME..)?.get(..length)
}

/// Returns whether the bytes are a tar header with a correct checksum: the sum of its bytes, with the checksum field
/// counted as blanks.
fn is_tar(head: &[u8]) -> bool {
    let Some(header) = head.get(..TAR_HEADER_BYTES) else { return false };
    let digits = header.get(TAR_CHECKSUM).expect("the field is within the header");
    let Ok(digits) = str::from_utf8(digits) else { return false };
    let Ok(declared) = u32::from_str_radix(digits.trim_matches([' ', '\0']), 8) else { return false };
    let bytes = header.iter().enumerate();
    let sum = bytes.fold(0_u32, |sum, (at, byte)| {
        let byte = if TAR_CHECKSUM.contains(&at) { b' ' } else { *byte };
        sum.saturating_add(u32::from(byte))
    });
    declared == sum
}

/// Returns whether the bytes are an `lzma` header. It has no magic number, but common properties, the size of the
/// dictionary, and the size of the content or all ones.
fn is_lzma(head: &[u8]) -> bool {
    let Some(([0x5d, 0, 0, _, _], rest)) = head.split_first_chunk::<5>() else { return false };
    let size = rest.first_chunk::<8>().map(|size| u64::from_le_bytes(*size));
    size.is_some_and(|size| size == u64::MAX || size < MAX_LZMA_BYTES)
}

/// Returns whether the bytes are the header of a bitmap: its size, four zeros, and the offset of its pixels, which
/// follow a header of at least 26 bytes.
fn is_bmp(head: &[u8]) -> bool {
    let offset = head.strip_prefix(b"BM").and_then(|rest| rest.get(8..12)?.first_chunk());
    head.get(6..10) == Some(&[0; 4])
        && offset.is_some_and(|offset| (26..4096).contains(&u32::from_le_bytes(*offset)))
}

/// Returns whether the bytes are the header of an icon: at most 64 images, each described by 16 bytes, of which the
/// fourth is 0.
fn is_ico(head: &[u8]) -> bool {
    let count = head.strip_prefix(b"\0\0\x01\0").and_then(|rest| rest.first_chunk());
    count.is_some_and(|count| (1..=64).contains(&u16::from_le_bytes(*count))) && head.get(9) == Some(&0)
}

/// Returns whether the bytes begin a zlib stream. It has no magic number, but two bytes with a check value, and the
/// following bytes can be decompressed.
fn is_zlib(head: &[u8]) -> bool {
    let [0x78, flags, ..] = head else { return false };
    if (0x7800 | u16::from(*flags)) % 31 != 0 || head.is_ascii() && !has_control(head) {
        return false;
    }
    let mut room = [0; 1024];
    let mut decompress = flate2::Decompress::new(true);
    let is_valid = decompress.decompress(head, &mut room, flate2::FlushDecompress::None).is_ok();
    is_valid && decompress.total_out() > 0
}

/// Returns whether there is a control character, other than white space.
fn has_control(head: &[u8]) -> bool {
    head.iter().any(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace())
}

/// Returns whether the bytes are not text in an ASCII-compatible encoding: at least four, and more than 5 %, are
/// control characters that do not occur in text. Control characters that delimit fields in some files are not counted.
pub(crate) fn is_binary(head: &[u8]) -> bool {
    const MIN_CONTROLS: usize = 4;
    let is_control = |byte: &&u8| matches!(byte, 0 | 4..=8 | 14..=26 | 127);
    let controls = head.iter().filter(is_control).count();
    controls >= MIN_CONTROLS && controls.saturating_mul(20) > head.len()
}

/// Recognises HTML and XML by a declaration or by an element with which pages begin. A table may also begin with `<`.
fn markup(head: &[u8]) -> Option<RecognisedFormat> {
    let text = as_ascii(head);
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text).trim_ascii_start();
    let begins = |start: &str| {
        text.get(..start.len()).is_some_and(|bytes| bytes.eq_ignore_ascii_case(start.as_bytes()))
    };
    if begins("<?xml") || begins("<svg") && !is_table(text) {
        return Some(XML);
    }
    if begins("<!doctype") {
        return Some(HTML);
    }
    if is_xml_without_declaration(text) && !is_table(text) {
        return Some(XML);
    }
    let is_element = |name: &str| {
        let end = text.get(name.len().saturating_add(1));
        begins(&format!("<{name}")) && end.is_some_and(|end| *end == b'>' || end.is_ascii_whitespace())
    };
    (HTML_ELEMENTS.iter().any(|name| is_element(name)) && !is_table(text)).then_some(HTML)
}

/// Returns whether the text begins with an element that directly contains another one, followed by an end tag, as in
/// `<Error><Code>NoSuchKey</Code>`. The first element must not be one of HTML, which [`markup`] recognises separately.
/// Column names in angle brackets are no markup.
fn is_xml_without_declaration(text: &[u8]) -> bool {
    let tag = |text: &[u8]| -> Option<(usize, bool)> {
        let inside = text.strip_prefix(b"<")?;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b':' | b'.');
        let name = inside.iter().take_while(|byte| is_name(**byte)).count();
        let begins = inside.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_');
        let after = inside.get(name)?;
        let end = memchr::memchr(b'>', inside)?;
        let is_html = inside.get(..name).is_some_and(|name| {
            HTML_ELEMENTS.iter().any(|element| name.eq_ignore_ascii_case(element.as_bytes()))
        });
        let is_tag = begins && (after.is_ascii_whitespace() || matches!(after, b'>' | b'/'));
        is_tag.then_some((end.saturating_add(2), is_html))
    };
    let Some((end, false)) = tag(text) else { return false };
    let (_, rest) = text.split_at(end);
    let rest = rest.trim_ascii_start();
    tag(rest).is_some() && memchr::memmem::find(rest, b"</").is_some()
}

/// Returns UTF-16 text without its zero bytes, and other text unchanged.
fn as_ascii(head: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    let unmarked = head.strip_prefix(b"\xff\xfe").or_else(|| head.strip_prefix(b"\xfe\xff"));
    match unmarked.unwrap_or(head) {
        text @ ([0, _, ..] | [_, 0, ..]) => text.iter().copied().filter(|byte| *byte != 0).collect(),
        _ => head.into(),
    }
}

/// Returns whether the first two lines have the same number of a delimiter: a table whose values are markup.
fn is_table(text: &[u8]) -> bool {
    let mut lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let (Some(first), Some(second)) = (lines.next(), lines.next()) else { return false };
    let count = |line: &[u8], delimiter: u8| line.iter().filter(|byte| **byte == delimiter).count();
    b",;\t|".iter().any(|delimiter| {
        let of_first = count(first, *delimiter);
        of_first > 0 && of_first == count(second, *delimiter)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tar(magic: &[u8]) -> Vec<u8> {
        let mut header = vec![0; 512];
        header[..8].copy_from_slice(b"file.csv");
        header[257..257 + magic.len()].copy_from_slice(magic);
        header[148..156].copy_from_slice(b"        ");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        header
    }

    fn zip(member: &str) -> Vec<u8> {
        let mut zip = b"PK\x03\x04".to_vec();
        zip.extend([0; 22]);
        zip.extend(u16::try_from(member.len()).unwrap().to_le_bytes());
        zip.extend([0, 0]);
        zip.extend(member.as_bytes());
        zip
    }

    fn utf_16(text: &str, is_marked: bool) -> Vec<u8> {
        let mark = if is_marked { "\u{feff}" } else { "" };
        [mark, text].concat().encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut encoder, bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn files_that_are_not_text_are_recognised() {
        let lzma = [&[0x5d, 0, 0, 0x80, 0][..], &[0xff; 8], b"rest"].concat();
        let table: Vec<(Vec<u8>, &str)> = vec![
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 rest".to_vec(), "xls"),
            (zip("[Content_Types].xml"), "xlsx"),
            (zip("xl/workbook.xml"), "xlsx"),
            (zip("docProps/app.xml"), "xlsx"),
            (zip("_rels/.rels"), "xlsx"),
            (zip("mimetype"), "ods"),
            (b"%PDF-1.7\n".to_vec(), "PDF"),
            (b"\xef\xbb\xbf \n<!DOCTYPE html><html>".to_vec(), "HTML"),
            (b"<html lang=\"en\">".to_vec(), "HTML"),
            (b"<?xml version=\"1.0\"?>".to_vec(), "XML"),
            (
                b"<Error><Code>NoSuchKey</Code><Message>The key, a b, is not there.</Message></Error>"
                    .to_vec(),
                "XML",
            ),
            (b"<rss version=\"2.0\">\n  <channel>\n    <title>News</title>\n".to_vec(), "XML"),
            (utf_16("<ns:rows xmlns:ns=\"x\"><ns:row id=\"1\"/></ns:rows>", true), "XML"),
            (utf_16("<!DOCTYPE html>\r\n<html>", true), "HTML"),
            (utf_16("<h1>502 Bad Gateway</h1>", false), "HTML"),
            (b"<h1>404</h1>, see below\n".to_vec(), "HTML"),
            (b"<TABLE border=1><tr><td>a</td></tr>\n</table>".to_vec(), "HTML"),
            (b"<!doctype HTML PUBLIC \"x\">".to_vec(), "HTML"),
            (b"<svg xmlns=\"http://www.w3.org/2000/svg\">".to_vec(), "XML"),
            (b"BM\x36\x10\0\0\0\0\0\0\x36\0\0\0(\0\0\0".to_vec(), "BMP"),
            (b"\0\0\x01\0\x01\0\x10\x10\0\0\x01\0".to_vec(), "ICO"),
            (b"\x09\x08\x08\0\0\x05\x10\0".to_vec(), "xls"),
            (b"\x09\x04\x06\0\0\0\x10\0".to_vec(), "xls"),
            (zlib(b"id,name\n1,a\n"), "zlib"),
            (b"\x89PNG\r\n\x1a\n\0".to_vec(), "PNG"),
            (b"\xff\xd8\xff\xe0\0".to_vec(), "JPEG"),
            (b"GIF89a\x01\0".to_vec(), "GIF"),
            (b"RIFF\x10\0\0\0WEBPVP8 ".to_vec(), "WebP"),
            (b"II*\0\x08".to_vec(), "TIFF"),
            (tar(b"ustar"), "tar"),
            (tar(b""), "tar"),
            (b"7z\xbc\xaf\x27\x1c\0".to_vec(), "7z"),
            (b"Rar!\x1a\x07\x01\0".to_vec(), "RAR"),
            (b"\x04\x22\x4d\x18\x64".to_vec(), "lz4"),
            (b"\xff\x06\0\0sNaPpY\0".to_vec(), "snappy"),
            (b"\x1f\x9d\x90".to_vec(), ".Z"),
            (b"LZIP\x01\x0c".to_vec(), "lzip"),
            (lzma, "lzma"),
            (b"PAR1\x15\x04".to_vec(), "Parquet"),
            (b"Obj\x01\x04".to_vec(), "Avro"),
            (b"ORC\x0a\x03\0\0".to_vec(), "ORC"),
            (b"ARROW1\0\0\x10".to_vec(), "Arrow"),
            (b"FEA1\0\0".to_vec(), "Feather"),
            (b"SQLite format 3\0".to_vec(), "SQLite"),
        ];
        for (head, expected) in table {
            let recognised = recognise(&head).unwrap_or_else(|| panic!("{expected}"));
            let error = recognised.error(Compression::Plain).to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn control_characters_make_bytes_without_a_magic_number_binary() {
        let mut state = 1_u32;
        let random = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        });
        let random: Vec<u8> = random.take(5_000).collect();
        for head in
            [&random[..], b"\x7fELF\x02\x01\x01\0\0\0\0\0", b"\x80\x04\x95\x0f\0\0\0\0\0\0\0]\x94(K\x01e."]
        {
            assert!(is_binary(head), "{head:?}");
        }
        for head in
            [&b"id,name\n1,a\0b\n2,c\n"[..], b"1\x01a\x02b\x1f\x1e\x1d\x1c", "größe;\u{85}\n".as_bytes(), b""]
        {
            assert!(!is_binary(head), "{head:?}");
        }
    }

    #[test]
    fn texts_that_begin_like_another_format_are_texts() {
        for head in [
            &b"ORCID,name\n"[..],
            b"PAR1;PAR2\n1;2\n",
            b"FEA1,x",
            b"GIF89a,b\n",
            b"LZIP,city\n",
            b"]\n",
            b"<id>,name\n",
            b"<b>bold</b>,x\n",
            b"<id>\n<x>\n<y>\n",
            b"<id><name>,price\n1,2\n",
            b"<a><b>x</b></a>,1\n<a><b>y</b></a>,2\n",
            b"<3 <b>x</b>\n",
            b"<html>a</html>,1\n<p>b</p>,2\n",
            b"<h1>;id\nx;1\n",
            b"BM,size\n1,2\n",
            b"BMX\t1\t2\t3\t4\n",
            b"x^2,y\n1,2\n",
            b"x\x9a,y\n1,\xe9\n",
            b"\t\ta\n",
            b"<header>,<body2>\n",
            b"%PDF,x",
            b"RIFF,x",
            b"id,html\n1,<html>\n",
            b"",
        ] {
            assert_eq!(recognise(head), None, "{}", String::from_utf8_lossy(head));
        }
        let text = "0000000 ".repeat(64);
        assert_eq!(recognise(text.as_bytes()), None, "digits in the position of a tar checksum");
        for member in ["xl/prices.csv", "prices.csv", "word/list.txt", "mimetypes"] {
            assert_eq!(recognise(&zip(member)), None, "{member}");
        }
    }
}
