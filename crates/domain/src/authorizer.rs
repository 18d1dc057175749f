//! The rules of one row: from what was sent to an authorizer that cannot be wrong, or every fault at once.

use std::borrow::Cow;

use crate::account::{Account, AccountNumber, AccountType, CardNumber, Cvv, Expiry, RoutingNumber};
use crate::clock::Timestamp;
use crate::fault::{Fault, FaultCode, Invalid};
use crate::limits::{MAX_AUTHORIZERS, MAX_CSV_RECORDS};
use crate::metadata::Metadata;
use crate::person::{Address, AuthorizerUniqueId, BirthDate, Ein, Person, Phone, Ssn, Zip};
use crate::raw::{Raw, RawAuthorizer, RawDate, RawObject};
use crate::secret::Secret;

/// One accepted authorizer of a new batch.
pub struct NewAuthorizer {
    /// Its place in the submission, as replies count it.
    pub row_no: i32,
    pub unique_id: AuthorizerUniqueId,
    pub person: Person,
    pub account: Account,
    /// Not part of what may be stored.
    pub cvv: Option<Cvv>,
    pub metadata: Metadata,
}

/// The form in which a batch is sent. What few rules differ between the two are the API's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Json,
    Csv,
}

impl Form {
    /// How many authorizers a batch may have.
    pub const fn max_authorizers(self) -> usize {
        match self {
            Self::Json => MAX_AUTHORIZERS,
            Self::Csv => MAX_CSV_RECORDS,
        }
    }
}

/// What a requester is allowed to send, in which form it is, and when.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    pub form: Form,
    /// Whether debit cards are approved for the requester.
    pub cards: bool,
    pub now: Timestamp,
}

/// Applies every rule to one row.
pub fn read_authorizer(
    raw: &RawAuthorizer<'_>,
    row_no: i32,
    rules: Rules,
) -> Result<NewAuthorizer, Vec<Fault>> {
    if raw.not_an_object {
        return Err(vec![Fault::new(
            "authorizer",
            FaultCode::WrongType,
            "must be an object",
        )]);
    }
    let mut reader = Reader {
        form: rules.form,
        faults: raw.faults.clone(),
    };
    let unique_id = reader.unique_id(&raw.authorizer_unique_id);
    let routing = reader.value("routing_number", &raw.routing_number, RoutingNumber::parse);
    let person = reader.person(raw, routing, rules.now);
    let (account, cvv) = reader.account(raw, routing, rules.cards);
    let metadata = Metadata::parse(&raw.metadata, rules.form, &mut reader.faults);
    match (unique_id, account) {
        (Some(unique_id), Some(account)) if reader.faults.is_empty() => Ok(NewAuthorizer {
            row_no,
            unique_id,
            person,
            account,
            cvv,
            metadata,
        }),
        _ => Err(reader.faults),
    }
}

/// The kind of account that a row means, told by the number it gives; `None` for both or neither.
pub fn account_type(raw: &RawAuthorizer<'_>) -> Option<AccountType> {
    match (raw.account_number.is_absent(), raw.debit_card_number.is_absent()) {
        (false, true) => Some(AccountType::AccountNumber),
        (true, false) => Some(AccountType::DebitCard),
        _ => None,
    }
}

/// Reads one row's fields and keeps every fault it meets.
struct Reader {
    form: Form,
    faults: Vec<Fault>,
}

impl Reader {
    fn fault(&mut self, field: &str, code: FaultCode, rule: &str) {
        self.faults.push(Fault::new(field, code, rule));
    }

    /// A text field, trimmed.
    fn text<'r>(&mut self, field: &str, raw: &'r Raw<'_>) -> Option<&'r str> {
        match raw {
            _ if raw.is_absent() => None,
            Raw::Text(text) => Some(text.trim()),
            _ => {
                self.fault(field, FaultCode::WrongType, "must be a string");
                None
            }
        }
    }

    fn value<T>(&mut self, field: &str, raw: &Raw<'_>, parse: fn(&str) -> Result<T, Invalid>) -> Option<T> {
        let parsed = parse(self.text(field, raw)?);
        self.keep(field, parsed)
    }

    /// A part of a date, written as a number or as digits in a string.
    fn digits<'r>(&mut self, field: &str, raw: &'r Raw<'_>) -> Option<&'r str> {
        match raw {
            Raw::Number(text) => Some(whole(text)),
            _ => self.text(field, raw),
        }
    }

    fn keep<T>(&mut self, field: &str, parsed: Result<T, Invalid>) -> Option<T> {
        parsed
            .map_err(|Invalid(rule)| self.fault(field, FaultCode::Invalid, rule))
            .ok()
    }

    fn secret(&mut self, field: &str, raw: &Raw<'_>) -> Option<Secret> {
        self.text(field, raw).map(|text| Secret::new(text.to_owned()))
    }

    fn require(&mut self, field: &str, raw: &Raw<'_>) {
        if raw.is_absent() {
            self.fault(field, FaultCode::Required, "is required");
        }
    }

    fn unique_id(&mut self, raw: &Raw<'_>) -> Option<AuthorizerUniqueId> {
        const FIELD: &str = "authorizer_unique_id";
        self.require(FIELD, raw);
        // Not trimmed: the id comes back exactly as submitted, so one with a space at an edge is refused.
        match raw {
            Raw::Text(text) if !raw.is_absent() => {
                let parsed = AuthorizerUniqueId::parse(text);
                self.keep(FIELD, parsed)
            }
            _ => {
                self.text(FIELD, raw);
                None
            }
        }
    }

    fn person(&mut self, raw: &RawAuthorizer<'_>, routing: Option<RoutingNumber>, now: Timestamp) -> Person {
        let (address, address_zip) = self.address(raw);
        let top_zip = self.value("zip_code", &raw.zip_code, Zip::parse);
        let zip = address_zip.or(top_zip);
        if !has_zip(raw) && routing == Some(RoutingNumber::DISCOVER) {
            self.fault(
                "zip_code",
                FaultCode::Required,
                "is required for routing number 031100649",
            );
        }
        let ssn = self.value("ssn", &raw.ssn, Ssn::parse);
        let ein = self.value("ein", &raw.ein, Ein::parse);
        if self.form == Form::Csv {
            self.require("phone_number", &raw.phone_number);
        }
        if raw.ssn.is_absent() && raw.ein.is_absent() {
            self.fault("ssn", FaultCode::Required, "or ein is required");
        }
        Person {
            first_name: self.secret("first_name", &raw.first_name),
            last_name: self.secret("last_name", &raw.last_name),
            address,
            zip,
            phone: self.value("phone_number", &raw.phone_number, Phone::parse),
            date_of_birth: self.date_of_birth(&raw.date_of_birth, now),
            ssn,
            ein,
        }
    }

    fn address(&mut self, raw: &RawAuthorizer<'_>) -> (Address, Option<Zip>) {
        let parts = match &raw.address {
            RawObject::Absent => return (Address::default(), None),
            RawObject::Other => {
                self.fault("address", FaultCode::WrongType, "must be an object");
                return (Address::default(), None);
            }
            RawObject::Parts(parts) => parts,
        };
        let address = Address {
            street_address_line1: self.secret("address.street_address_line1", &parts.street_address_line1),
            street_address_line2: self.secret("address.street_address_line2", &parts.street_address_line2),
            city: self.secret("address.city", &parts.city),
            state: self.secret("address.state", &parts.state),
            country: self.secret("address.country", &parts.country),
        };
        (
            address,
            self.value("address.zip_code", &parts.zip_code, Zip::parse),
        )
    }

    fn date_of_birth(&mut self, raw: &RawObject<RawDate<'_>>, now: Timestamp) -> Option<BirthDate> {
        const FIELD: &str = "date_of_birth";
        let parts = match raw {
            RawObject::Absent => return None,
            RawObject::Other => {
                let (code, rule) = match self.form {
                    Form::Json => (FaultCode::WrongType, "must be an object with day, month and year"),
                    Form::Csv => (FaultCode::Invalid, "must be MM/DD/YYYY"),
                };
                self.fault(FIELD, code, rule);
                return None;
            }
            RawObject::Parts(parts) => parts,
        };
        if parts.day.is_absent() && parts.month.is_absent() && parts.year.is_absent() {
            return None;
        }
        let faults_before = self.faults.len();
        for (field, part) in [
            ("date_of_birth.day", &parts.day),
            ("date_of_birth.month", &parts.month),
            ("date_of_birth.year", &parts.year),
        ] {
            self.require(field, part);
            self.digits(field, part);
        }
        if self.faults.len() > faults_before {
            return None;
        }
        let (day, month) = (self.digits(FIELD, &parts.day)?, self.digits(FIELD, &parts.month)?);
        let year = self.digits(FIELD, &parts.year)?;
        self.keep(FIELD, BirthDate::parse(day, month, year, now))
    }

    /// Judges whatever is given, whichever mode is meant, so that mending one fault does not bring up another.
    fn account(
        &mut self,
        raw: &RawAuthorizer<'_>,
        routing: Option<RoutingNumber>,
        cards: bool,
    ) -> (Option<Account>, Option<Cvv>) {
        let (bank, card) = (
            !raw.account_number.is_absent(),
            !raw.debit_card_number.is_absent(),
        );
        if card && !cards {
            let rule = "cannot be used: debit cards are not approved for this requester";
            self.fault("debit_card_number", FaultCode::NotApproved, rule);
        }
        match (bank, card) {
            (true, true) => {
                let rule = "and debit_card_number exclude each other; send one of them";
                self.fault("account_number", FaultCode::Invalid, rule);
            }
            (false, false) => {
                let rule = "with routing_number, or debit_card_number, is required";
                self.fault("account_number", FaultCode::Required, rule);
            }
            (true, false) => self.require("routing_number", &raw.routing_number),
            (false, true) if self.form == Form::Csv => {}
            (false, true) => {
                self.require("cvv", &raw.cvv);
                self.require("expiration_month", &raw.expiration_month);
                self.require("expiration_year", &raw.expiration_year);
            }
        }
        let number = self.value("account_number", &raw.account_number, AccountNumber::parse);
        if bank && !card {
            // Nothing uses a card's parts here, so only their types are judged.
            self.text("cvv", &raw.cvv);
            self.digits("expiration_month", &raw.expiration_month);
            self.digits("expiration_year", &raw.expiration_year);
            return (
                number
                    .zip(routing)
                    .map(|(number, routing)| Account::Bank { routing, number }),
                None,
            );
        }
        self.card(raw, routing)
    }

    fn card(
        &mut self,
        raw: &RawAuthorizer<'_>,
        routing: Option<RoutingNumber>,
    ) -> (Option<Account>, Option<Cvv>) {
        let parse = match self.form {
            Form::Json => CardNumber::parse,
            Form::Csv => CardNumber::parse_16,
        };
        let number = self.value("debit_card_number", &raw.debit_card_number, parse);
        let cvv = self.value("cvv", &raw.cvv, Cvv::parse);
        let month = self
            .digits("expiration_month", &raw.expiration_month)
            .map(Expiry::parse_month);
        let month = month.and_then(|month| self.keep("expiration_month", month));
        let year = self
            .digits("expiration_year", &raw.expiration_year)
            .map(Expiry::parse_year);
        let year = year.and_then(|year| self.keep("expiration_year", year));
        let expiry = month.zip(year).map(|(month, year)| Expiry { month, year });
        (
            number.map(|number| Account::Card {
                number,
                expiry,
                routing,
            }),
            cvv,
        )
    }
}

/// A number without a fraction of nothing but zeros: writers that know only fractions send 9 as `9.0`.
fn whole(number: &str) -> &str {
    match number.split_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|b| b == b'0') => whole,
        _ => number,
    }
}

/// Whether a postal code was given at either of its places, right or wrong.
fn has_zip(raw: &RawAuthorizer<'_>) -> bool {
    let in_address = matches!(&raw.address, RawObject::Parts(parts) if !parts.zip_code.is_absent());
    in_address || !raw.zip_code.is_absent()
}

/// What to call a row that failed: its id if one was sent that may be shown.
pub fn shown_id(raw: &RawAuthorizer<'_>) -> Option<Cow<'static, str>> {
    match &raw.authorizer_unique_id {
        Raw::Text(text) if AuthorizerUniqueId::parse(text).is_ok() => {
            Some(Cow::Owned(text.clone().into_owned()))
        }
        _ => None,
    }
}
