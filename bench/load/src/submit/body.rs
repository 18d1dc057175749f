//! Requests that are ready to be sent.

/// Hexadecimal digits of the part that makes ids fresh.
const FRESH: usize = 16;

const FIRST: [&str; 8] = [
    "Renée", "Jürgen", "Umar", "Hannah", "Wei", "Ana", "Tobias", "Olivia",
];
const LAST: [&str; 8] = [
    "García",
    "Hoffmann",
    "St. Clair",
    "Fournier",
    "Li",
    "Okafor",
    "O'Brien",
    "Nguyen",
];
const STREETS: [&str; 4] = [
    "N 4th Street",
    "Lakeshore Drive",
    "Old Mill Road",
    "Example Avenue",
];
const CITIES: [(&str, &str, &str); 4] = [
    ("Española", "NM", "87532"),
    ("Charlotte", "NC", "28202"),
    ("San Juan", "PR", "00901"),
    ("Pasadena", "CA", "91101"),
];
const ROUTING: [&str; 4] = ["021000089", "026009593", "121000248", "124003116"];

/// A whole HTTP request. Its length never changes, so a fresh one costs a copy of a few bytes a row.
pub(super) struct Request {
    bytes: Vec<u8>,
    /// Where the ids' fresh parts are.
    places: Vec<usize>,
}

impl Request {
    pub(super) fn render(host: &str, key: &str, rows: usize, account: &str) -> Self {
        let mut body = String::from("{\"authorizers\":[");
        let mut places = Vec::with_capacity(rows);
        for row in 0..rows {
            if row > 0 {
                body.push(',');
            }
            body.push_str("{\"authorizer_unique_id\":\"loan-");
            places.push(body.len());
            body.push_str(&authorizer(row, account));
        }
        body.push_str("]}");
        let mut text = format!(
            "POST /v1/balance_requests HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        places.iter_mut().for_each(|place| *place += text.len());
        text.push_str(&body);
        Self {
            bytes: text.into_bytes(),
            places,
        }
    }

    /// The request with ids that no other call with another `nonce` and `number` gives.
    pub(super) fn fresh(&mut self, nonce: u32, number: u32) -> &[u8] {
        let text = format!("{nonce:08x}{number:08x}");
        for place in &self.places {
            self.bytes[*place..*place + FRESH].copy_from_slice(text.as_bytes());
        }
        &self.bytes
    }
}

/// One authorizer from its id's fresh part on, of about the size of those in `examples/authorizers.json`.
fn authorizer(row: usize, account: &str) -> String {
    let (first, last) = (FIRST[row % 8], LAST[row / 8 % 8]);
    let (city, state, zip) = CITIES[row % 4];
    let (street, routing) = (STREETS[row / 4 % 4], ROUTING[row / 2 % 4]);
    let (day, month, year) = (row % 28 + 1, row % 12 + 1, 1940 + row % 60);
    format!(
        "{:0FRESH$}-{row:04}\",\"first_name\":\"{first}\",\"last_name\":\"{last}\",\"address\":{{\
         \"street_address_line1\":\"{} {street}\",\"city\":\"{city}\",\"state\":\"{state}\",\"zip_code\":\"{zip}\"}},\
         \"phone_number\":\"505555{:04}\",\"date_of_birth\":{{\"day\":{day},\"month\":{month},\"year\":{year}}},\
         \"ssn\":\"9{:02}-{:02}-{row:04}\",\"account_number\":\"{account}\",\"routing_number\":\"{routing}\",\
         \"metadata\":{{\"customer_ref\":\"CR-{row:06}\",\"branch\":\"San José\"}}}}",
        0,
        100 + row,
        row % 10_000,
        row % 100,
        row % 90 + 10,
    )
}
