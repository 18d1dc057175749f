//! Words that made-up people and their metadata are put together from.

use fastrand::Rng;

pub(super) const FIRST: [&str; 16] = [
    "Renée", "Jürgen", "Umar", "Hannah", "Wei", "Ana", "Tobias", "Olivia", "James", "Maria", "Noah", "Aisha",
    "Peter", "Linh", "Carlos", "Grace",
];
pub(super) const LAST: [&str; 16] = [
    "García",
    "Hoffmann",
    "St. Clair",
    "Fournier",
    "Li",
    "Okafor",
    "O'Brien",
    "Nguyen",
    "Smith",
    "Johnson",
    "Peña",
    "Haddad",
    "Kowalski",
    "Brown",
    "Silva",
    "Moreno, Jr.",
];
pub(super) const STREETS: [&str; 6] = [
    "N 4th Street",
    "Lakeshore Drive",
    "Old Mill Road",
    "Example Avenue",
    "Main Street",
    "Calle Luna",
];
/// City, state, and the first of its postal codes.
pub(super) const CITIES: [(&str, &str, u32); 8] = [
    ("Española", "NM", 87_500),
    ("Charlotte", "NC", 28_200),
    ("San Juan", "PR", 901),
    ("Pasadena", "CA", 91_101),
    ("Austin", "TX", 78_701),
    ("Boston", "MA", 2_108),
    ("Chicago", "IL", 60_601),
    ("San José", "CA", 95_101),
];
pub(super) const AREA_CODES: [&str; 8] = ["505", "704", "787", "818", "512", "617", "312", "408"];

/// The keys of metadata; where all batches have the same, it is the first few.
pub(super) const KEYS: [&str; 24] = [
    "customer_ref",
    "branch",
    "portfolio",
    "agreement_no",
    "due_date",
    "note",
    "product",
    "officer",
    "region",
    "campaign",
    "channel",
    "amount_due",
    "instalment",
    "risk_class",
    "language",
    "source_system",
    "contract_date",
    "last_payment",
    "days_past_due",
    "collector",
    "queue",
    "tag",
    "cost_centre",
    "external_id",
];

const BRANCHES: [&str; 6] = [
    "San José",
    "Charlotte",
    "San Juan",
    "Boston, Downtown",
    "Austin",
    "Chicago",
];
const NOTES: [&str; 6] = [
    "called, no answer",
    "pays on the 1st",
    "asked for a \"grace period\"",
    "prefers Spanish",
    "moved",
    "ok",
];
const WORDS: [&str; 8] = ["auto", "personal", "card", "north", "south", "B2", "A1", "web"];

/// A value for one of [`KEYS`].
pub(super) fn value(rng: &mut Rng, key: &str, number: usize) -> String {
    let one_of = |rng: &mut Rng, list: &[&str]| list[rng.usize(..list.len())].to_owned();
    match key {
        "customer_ref" => format!("CR-{number:07}"),
        "agreement_no" | "external_id" => format!("{}-{:06}", rng.u32(2_015..2_027), rng.u32(..1_000_000)),
        "due_date" | "contract_date" => {
            format!(
                "20{:02}-{:02}-{:02}",
                rng.u32(24..28),
                rng.u32(1..13),
                rng.u32(1..29)
            )
        }
        "amount_due" | "last_payment" => format!("{}.{:02}", rng.u32(..5_000), rng.u32(..100)),
        "instalment" | "days_past_due" => rng.u32(..120).to_string(),
        "branch" => one_of(rng, &BRANCHES),
        "note" => one_of(rng, &NOTES),
        "officer" | "collector" => one_of(rng, &LAST),
        _ => one_of(rng, &WORDS),
    }
}
