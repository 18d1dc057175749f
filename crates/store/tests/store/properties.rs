//! Whatever a valid row holds, it survives sealing, storing and opening.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tidemark_domain::raw::{Raw, RawAddress, RawAuthorizer, RawDate, RawObject};
use tidemark_store::testing::{Engine, TestDatabase};

use crate::common::{Tenant, bank, card, read, tagged, text};
use crate::requests::there_and_back;

type Text = Option<String>;

/// The texts of a row that the domain's reader takes.
#[derive(Debug, Clone)]
struct Row {
    id: String,
    names: (Text, Text),
    address: Option<(Text, Text, Text, Text, Text, Text)>,
    born: Option<(i32, i32, i32)>,
    tax_ids: (Text, String),
    phone: Text,
    account: Account,
    metadata: Vec<(String, String)>,
}

#[derive(Debug, Clone)]
enum Account {
    Bank(String, String),
    Card(String, String, i32),
}

fn any_row() -> impl Strategy<Value = Row> {
    let anything = || option::of("\\PC{0,30}");
    let zip = option::of("[0-9]{5}(-[0-9]{4})?");
    let account = prop_oneof![
        ("[!-~]{1,34}", "[0-9]{9}").prop_map(|(number, routing)| Account::Bank(number, routing)),
        ("[0-9]{13,19}", "[0-9]{3,4}", 1..=12)
            .prop_map(|(number, cvv, month)| Account::Card(number, cvv, month)),
    ];
    (
        "[a-z漢][ -~]{0,20}[a-z]",
        (anything(), anything()),
        option::of((anything(), anything(), anything(), anything(), anything(), zip)),
        option::of((1..=28, 1..=12, 1900..=2025)),
        (option::of("[0-9]{9}"), "[0-9]{9,10}"),
        option::of("(\\+1)?[0-9]{10}"),
        account,
        vec(("[a-zé =]{1,20}", "(?s).{0,40}"), 0..6),
    )
        .prop_map(
            |(id, names, address, born, tax_ids, phone, account, mut metadata)| {
                metadata.sort();
                metadata.dedup_by(|(a, _), (b, _)| a == b);
                Row {
                    id,
                    names,
                    address,
                    born,
                    tax_ids,
                    phone,
                    account,
                    metadata,
                }
            },
        )
}

fn optional(value: Text) -> Raw<'static> {
    value.map_or(Raw::Absent, text)
}

impl Row {
    /// `n` makes the id unique in its batch.
    fn raw(self, n: usize) -> RawAuthorizer<'static> {
        let row = match self.account {
            Account::Bank(number, routing) => RawAuthorizer {
                account_number: text(number),
                routing_number: text(routing),
                ..bank("")
            },
            Account::Card(number, cvv, month) => {
                let expiration_month = text(month.to_string());
                RawAuthorizer {
                    debit_card_number: text(number),
                    cvv: text(cvv),
                    expiration_month,
                    ..card("")
                }
            }
        };
        let address = self
            .address
            .map_or(RawObject::Absent, |(line1, line2, city, state, country, zip)| {
                RawObject::Parts(RawAddress {
                    street_address_line1: optional(line1),
                    street_address_line2: optional(line2),
                    city: optional(city),
                    state: optional(state),
                    zip_code: optional(zip),
                    country: optional(country),
                })
            });
        let date_of_birth = self.born.map_or(RawObject::Absent, |(day, month, year)| {
            let [day, month, year] = [day, month, year].map(|part| text(part.to_string()));
            RawObject::Parts(RawDate { day, month, year })
        });
        let pairs: Vec<(&str, &str)> = self
            .metadata
            .iter()
            .map(|(key, value)| (&**key, &**value))
            .collect();
        let row = RawAuthorizer {
            authorizer_unique_id: text(format!("{}{n}", self.id)),
            first_name: optional(self.names.0),
            last_name: optional(self.names.1),
            address,
            // One bank's rule asks for it.
            zip_code: text("10001"),
            phone_number: optional(self.phone),
            date_of_birth,
            ssn: optional(self.tax_ids.0),
            ein: text(self.tax_ids.1),
            ..row
        };
        tagged(row, &pairs)
    }
}

/// The encoding is the same on both databases, so one will do.
#[test]
fn any_valid_rows_come_back() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let db = runtime.block_on(TestDatabase::create(Engine::Sqlite));
    let tenant = runtime.block_on(async { Tenant::add(&db.open().await, "A").await });
    let config = ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    TestRunner::new(config)
        .run(&vec(any_row(), 1..12), |rows| {
            let rows = rows.into_iter().enumerate().map(|(n, row)| row.raw(n));
            runtime.block_on(there_and_back(&tenant, &read(rows.collect(), None)));
            Ok(())
        })
        .unwrap();
}
