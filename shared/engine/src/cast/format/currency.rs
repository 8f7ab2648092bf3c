//! Currency codes of ISO 4217.

/// The codes of list one as of January 2026: currencies, funds and metals in use, the code for tests (`XTS`) and the
/// one for no currency (`XXX`).
static IN_USE: [&str; 178] = [
    "AED", "AFN", "ALL", "AMD", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BHD", "BIF", "BMD",
    "BND", "BOB", "BOV", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD", "CDF", "CHE", "CHF", "CHW", "CLF",
    "CLP", "CNY", "COP", "COU", "CRC", "CUP", "CVE", "CZK", "DJF", "DKK", "DOP", "DZD", "EGP", "ERN", "ETB",
    "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP", "GMD", "GNF", "GTQ", "GYD", "HKD", "HNL", "HTG", "HUF",
    "IDR", "ILS", "INR", "IQD", "IRR", "ISK", "JMD", "JOD", "JPY", "KES", "KGS", "KHR", "KMF", "KPW", "KRW",
    "KWD", "KYD", "KZT", "LAK", "LBP", "LKR", "LRD", "LSL", "LYD", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT",
    "MOP", "MRU", "MUR", "MVR", "MWK", "MXN", "MXV", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD",
    "OMR", "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "PYG", "QAR", "RON", "RSD", "RUB", "RWF", "SAR", "SBD",
    "SCR", "SDG", "SEK", "SGD", "SHP", "SLE", "SOS", "SRD", "SSP", "STN", "SVC", "SYP", "SZL", "THB", "TJS",
    "TMT", "TND", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "UGX", "USD", "USN", "UYI", "UYU", "UYW", "UZS",
    "VED", "VES", "VND", "VUV", "WST", "XAD", "XAF", "XAG", "XAU", "XBA", "XBB", "XBC", "XBD", "XCD", "XCG",
    "XDR", "XOF", "XPD", "XPF", "XPT", "XSU", "XTS", "XUA", "XXX", "YER", "ZAR", "ZMW", "ZWG",
];

/// The codes of list three that were withdrawn since 2010, which records of recent years still contain.
static WITHDRAWN: [&str; 16] = [
    "ANG", "BGN", "BYR", "CUC", "EEK", "HRK", "LTL", "LVL", "MRO", "SLL", "STD", "USS", "VEF", "XFU", "ZMK",
    "ZWL",
];

/// Returns true for a code that is in use or was withdrawn since 2010.
pub(super) fn is_currency_code(text: &str) -> bool {
    IN_USE.binary_search(&text).is_ok() || WITHDRAWN.binary_search(&text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_and_have_no_duplicates() {
        for list in [&IN_USE[..], &WITHDRAWN[..]] {
            let is_code = |code: &&str| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase());
            assert!(list.iter().all(is_code));
            assert!(list.is_sorted_by(|one, next| one < next));
        }
        assert!(WITHDRAWN.iter().all(|code| !IN_USE.contains(code)));
    }

    #[test]
    fn codes_in_use_and_those_withdrawn_recently_are_accepted() {
        for code in ["EUR", "USD", "AED", "ZWG", "XCG", "VED", "XTS", "ANG", "HRK", "BGN", "EEK", "ZWL"] {
            assert!(is_currency_code(code), "{code}");
        }
        for code in
            ["DEM", "FRF", "ITL", "eur", "Eur", "EU", "EURO", "", " ", "   ", "EUR USD", "R U", "978", "€"]
        {
            assert!(!is_currency_code(code), "{code}");
        }
    }
}
