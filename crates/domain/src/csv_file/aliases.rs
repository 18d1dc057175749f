//! What columns are often called elsewhere. It only tells people of names: nothing is ever read from a column by such a one,
//! for a wrong guess would send a bank the wrong number.

use super::columns::COLUMN_NAMES;

/// The columns of ours, each with names that other programs give it: small letters and digits alone.
const ALIASES: [(&str, &[&str]); 16] = [
    (
        "authorizer_unique_id",
        &[
            "id",
            "uniqueid",
            "authorizer",
            "authorizerid",
            "customer",
            "customerid",
            "customernumber",
            "clientid",
            "borrowerid",
            "debtorid",
            "loanid",
            "loannumber",
            "externalid",
            "reference",
            "referenceid",
            "referencenumber",
        ],
    ),
    (
        "phone_number",
        &[
            "phone",
            "phoneno",
            "telephone",
            "telephonenumber",
            "tel",
            "mobile",
            "mobilephone",
            "mobilenumber",
            "cell",
            "cellphone",
        ],
    ),
    (
        "ssn",
        &[
            "social",
            "socialsecurity",
            "socialsecurityno",
            "socialsecuritynumber",
            "ssnnumber",
        ],
    ),
    (
        "ein",
        &["employeridentificationnumber", "fein", "taxid", "taxidnumber"],
    ),
    (
        "account_number",
        &[
            "account",
            "accountno",
            "accountnum",
            "acct",
            "acctno",
            "acctnum",
            "acctnumber",
            "bankaccount",
            "bankaccountnumber",
        ],
    ),
    (
        "routing_number",
        &[
            "routing",
            "routingno",
            "routingnum",
            "aba",
            "abanumber",
            "abarouting",
            "abaroutingnumber",
            "rtn",
            "routingtransitnumber",
        ],
    ),
    (
        "debit_card_number",
        &["card", "cardno", "cardnumber", "debitcard", "debitcardno", "pan"],
    ),
    ("cvv", &["cvc", "cvc2", "cvv2", "cardcode", "securitycode"]),
    ("expiration_month", &["expmonth", "expirymonth", "expirationmm"]),
    ("expiration_year", &["expyear", "expiryyear", "expirationyyyy"]),
    ("first_name", &["first", "forename", "fname", "givenname"]),
    ("last_name", &["last", "lname", "surname", "familyname"]),
    ("date_of_birth", &["dob", "birthdate", "birthday"]),
    (
        "street_address_line1",
        &[
            "address",
            "address1",
            "addressline1",
            "street",
            "street1",
            "streetaddress",
            "streetaddress1",
        ],
    ),
    (
        "street_address_line2",
        &[
            "address2",
            "addressline2",
            "street2",
            "streetaddress2",
            "apartment",
            "apt",
            "unit",
        ],
    ),
    ("zip_code", &["zip", "postal", "postalcode", "postcode"]),
];

/// The column of ours that a column of this name may be, which is not called so.
pub(super) fn meant(name: &str) -> Option<&'static str> {
    let bare = |name: &str| -> String {
        let kept = name.chars().filter(|c| c.is_alphanumeric());
        kept.flat_map(char::to_lowercase).collect()
    };
    let name = bare(name);
    let other_spelling = COLUMN_NAMES.into_iter().find(|ours| bare(ours) == name);
    other_spelling.or_else(|| {
        let alias = ALIASES
            .into_iter()
            .find(|(_, aliases)| aliases.contains(&name.as_str()));
        alias.map(|(ours, _)| ours)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_alias_is_bare_and_of_one_column_of_ours() {
        let mut seen = std::collections::HashSet::new();
        for (ours, aliases) in ALIASES {
            assert!(COLUMN_NAMES.contains(&ours), "{ours}");
            for alias in aliases {
                assert!(
                    alias
                        .bytes()
                        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()),
                    "{alias}"
                );
                assert!(seen.insert(*alias), "{alias} stands twice");
                assert_eq!(meant(alias), Some(ours));
            }
        }
    }

    #[test]
    fn names_are_known_in_any_spelling_and_others_are_not() {
        assert_eq!(meant("Phone Number"), Some("phone_number"));
        assert_eq!(meant("accountNumber"), Some("account_number"));
        assert_eq!(meant(" ABA # "), Some("routing_number"));
        for other in ["", "shoe_size", "phone_number_2", "äba", "026009593"] {
            assert_eq!(meant(other), None, "{other}");
        }
    }
}
