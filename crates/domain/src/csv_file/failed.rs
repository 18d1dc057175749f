//! The records that failed, as a CSV file that can be mended and sent again.

use super::CsvFile;
use crate::batch::FailedAuthorizer;
use crate::csv::write_cell;
use crate::fault::Fault;

const FAULT_COLUMNS: [&str; 3] = ["error_field", "error_code", "error_message"];

impl CsvFile {
    /// A CSV file in UTF-8, with commas, of the failed records: what is wrong with each in three columns in front,
    /// then its cells as they came. Where a record has several faults, they are joined by `; ` in each of the three.
    pub fn write_failed(&self, failed: &[FailedAuthorizer]) -> String {
        let (names, cells) = self.columns.without_faults();
        let mut out = String::new();
        write_line(&mut out, FAULT_COLUMNS.into_iter().chain(names));
        for row in failed {
            let Ok(at) = self
                .records
                .binary_search_by_key(&row.row_number, |record| record.no)
            else {
                continue;
            };
            let record = &self.records[at];
            let joined = |part: fn(&Fault) -> &str| {
                let parts: Vec<&str> = row.faults.iter().map(part).collect();
                parts.join("; ")
            };
            let faults = [
                joined(|fault| &fault.field),
                joined(|fault| fault.code.as_str()),
                joined(|fault| &fault.message),
            ];
            let own = cells.iter().map(|cell| record.cell(*cell));
            let surplus = record.cells().skip(self.columns.len());
            write_line(
                &mut out,
                faults.iter().map(String::as_str).chain(own).chain(surplus),
            );
        }
        out
    }
}

fn write_line<'a>(out: &mut String, cells: impl Iterator<Item = &'a str>) {
    for (place, cell) in cells.enumerate() {
        if place > 0 {
            out.push(',');
        }
        write_cell(out, cell);
    }
    out.push('\n');
}
