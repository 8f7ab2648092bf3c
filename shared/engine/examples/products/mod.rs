//! Product rows for the benchmarks. The same number of rows always has the same content.

pub(crate) mod parquet;

use std::io::{self, Write};

/// The contract of the rows.
pub(crate) const CONTRACT: &str = r##"
apiVersion: v3.1.0
kind: DataContract
id: bench
name: bench
version: 1.0.0
status: active
servers:
  - {server: raw, type: s3, location: 's3://raw/bench/', format: csv}
schema:
  - name: products
    properties:
      - {name: id, logicalType: string, primaryKey: true, primaryKeyPosition: 1, logicalTypeOptions: {pattern: '^SKU-[0-9]{9}$'}}
      - {name: source, logicalType: string, required: true, logicalTypeOptions: {maxLength: 40}}
      - {name: title, logicalType: string, required: true, logicalTypeOptions: {minLength: 1, maxLength: 200}}
      - {name: brand, logicalType: string, logicalTypeOptions: {maxLength: 60}}
      - {name: category, logicalType: string, logicalTypeOptions: {maxLength: 60}}
      - {name: price, logicalType: number, physicalType: 'numeric(12,2)', logicalTypeOptions: {minimum: 0, maximum: 100000}}
      - name: currency
        logicalType: string
        required: true
        quality: [{metric: invalidValues, arguments: {validValues: [EUR, USD, GBP, CHF]}, mustBe: 0}]
      - {name: gtin, logicalType: integer, physicalType: bigint}
      - {name: updated_at, logicalType: timestamp, required: true}
      - {name: attributes, logicalType: object}
"##;

/// Whether some of the rows violate the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Faults {
    /// No row.
    None,
    /// 3 % of the rows, in ten ways.
    ThreePercent,
}

/// Writes the rows as CSV with a header.
///
/// # Errors
/// If writing to `out` fails.
pub(crate) fn write_csv(rows: u64, faults: Faults, out: &mut impl Write) -> io::Result<()> {
    out.write_all(b"id,source,title,brand,category,price,currency,gtin,updated_at,attributes\r\n")?;
    for product in products(rows, faults) {
        let Product { id, source, title, brand, category, price, currency, gtin, updated_at, .. } = &product;
        let quote = if title.contains(',') { "\"" } else { "" };
        write!(
            out,
            "{id},{source},{quote}{title}{quote},{brand},{category},{price},{currency},{gtin},{updated_at}"
        )?;
        match product.fault {
            Some(Fault::CutOff) => out.write_all(b"\r\n")?,
            _ => write!(out, ",\"{}\"\r\n", product.attributes.replace('"', "\"\""))?,
        }
    }
    Ok(())
}

/// Writes the same rows as NDJSON.
///
/// # Errors
/// If writing to `out` fails.
pub(crate) fn write_ndjson(rows: u64, faults: Faults, out: &mut impl Write) -> io::Result<()> {
    for product in products(rows, faults) {
        let Product { id, source, title, brand, category, price, currency, gtin, updated_at, .. } = &product;
        let is_text = |text: &str| text.bytes().any(|byte| !matches!(byte, b'0'..=b'9' | b'.' | b'-'));
        let number = |text: &str| if is_text(text) { format!("\"{text}\"") } else { text.to_owned() };
        let (price, gtin) = (number(price), number(gtin));
        write!(
            out,
            "{{\"id\":\"{id}\",\"source\":\"{source}\",\"title\":\"{title}\",\"brand\":\"{brand}\",\
             \"category\":\"{category}\",\"price\":{price},\"currency\":\"{currency}\",\"gtin\":{gtin},\
             \"updated_at\":\"{updated_at}\""
        )?;
        match product.fault {
            Some(Fault::CutOff) => out.write_all(b"\n")?,
            _ => writeln!(out, ",\"attributes\":{}}}", product.attributes)?,
        }
    }
    Ok(())
}

/// A product whose values are text.
struct Product {
    id: String,
    source: String,
    title: String,
    brand: &'static str,
    category: &'static str,
    price: String,
    currency: &'static str,
    gtin: String,
    updated_at: String,
    attributes: String,
    fault: Option<Fault>,
}

/// The way in which a row violates the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Id,
    NoTitle,
    LongTitle,
    PriceText,
    PriceBelow,
    PriceScale,
    Currency,
    Gtin,
    Date,
    CutOff,
}

impl Fault {
    const ALL: [Self; 10] = [
        Self::Id,
        Self::NoTitle,
        Self::LongTitle,
        Self::PriceText,
        Self::PriceBelow,
        Self::PriceScale,
        Self::Currency,
        Self::Gtin,
        Self::Date,
        Self::CutOff,
    ];

    fn apply(self, product: &mut Product) {
        match self {
            Self::Id => product.id.insert(4, 'X'),
            Self::NoTitle => product.title.clear(),
            Self::LongTitle => product.title = product.title.repeat(5),
            Self::PriceText => product.price = "on request".to_owned(),
            Self::PriceBelow => product.price.insert(0, '-'),
            Self::PriceScale => product.price.push_str("05"),
            Self::Currency => product.currency = "XXX",
            Self::Gtin => product.gtin.push('?'),
            Self::Date => product.updated_at.replace_range(5..7, "13"),
            Self::CutOff => {}
        }
        product.fault = Some(self);
    }
}

fn products(rows: u64, faults: Faults) -> impl Iterator<Item = Product> {
    const THINGS: [&str; 6] = ["Drill", "Kettle", "Lamp", "Backpack", "Speaker", "Router"];
    const TAILS: [&str; 3] = [
        "with carrying case, charger and spare parts",
        "in fully recycled packaging, two-pack",
        "with three years of on-site warranty",
    ];
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    (0..rows).map(move |number| {
        let mut index_below =
            |length: usize| usize::try_from(random(length as u64)).expect("less than a `usize`");
        let mut pick = |words: &[&'static str]| words[index_below(words.len())];
        let n = number.wrapping_mul(2_654_435_761) % 1_000_000_000;
        let mut product = Product {
            id: format!("SKU-{n:09}"),
            source: format!("warehouse-{}", n % 7),
            title: format!("{} {} {}", pick(&THINGS), n % 9_999, pick(&TAILS)),
            brand: pick(&["Aurum", "Borealis", "Castor", "Dynamo", "Elbe", "Fjord"]),
            category: pick(&["Tools & Garden", "Kitchen", "Lighting", "Luggage"]),
            price: format!("{}.{:02}", n % 5_000 + 1, n % 100),
            currency: pick(&["EUR", "USD", "GBP", "CHF"]),
            gtin: (4_000_000_000_000 + n * 7).to_string(),
            updated_at: format!(
                "2026-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
                n % 9 + 1,
                n % 28 + 1,
                n % 24,
                n % 60,
                n % 59,
                n % 1_000
            ),
            attributes: format!(
                "{{\"color\":\"{}\",\"weight_g\":{},\"width_cm\":{},\"new\":true}}",
                pick(&["black", "white", "silver"]),
                n % 20_000,
                n % 200
            ),
            fault: None,
        };
        if faults == Faults::ThreePercent && random(100) < 3 {
            let index = usize::try_from(random(Fault::ALL.len() as u64)).expect("less than a `usize`");
            Fault::ALL[index].apply(&mut product);
        }
        product
    })
}
