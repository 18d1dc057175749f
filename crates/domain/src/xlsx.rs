//! A workbook with one sheet (ECMA-376 part 1, SpreadsheetML), as the texts of its files. A cell is a text or an amount,
//! and never a formula: what begins with `=` is shown as it is, and a postal code keeps its zeros.

use std::fmt::Write as _;

use crate::csv::FIXED_COLUMNS;

/// Rows that a sheet holds below its header.
pub const MAX_ROWS: u64 = (1 << 20) - 1;
/// The sheet's file.
pub const SHEET: &str = "xl/worksheets/sheet1.xml";
/// All other files of the workbook.
pub const FILES: [(&str, &str); 5] = [
    (
        "[Content_Types].xml",
        r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>"#,
    ),
    (
        "_rels/.rels",
        r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#,
    ),
    (
        "xl/workbook.xml",
        r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><bookViews><workbookView/></bookViews><sheets><sheet name="Balances" sheetId="1" r:id="rId1"/></sheets></workbook>"#,
    ),
    (
        "xl/_rels/workbook.xml.rels",
        r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/></Relationships>"#,
    ),
    (
        "xl/styles.xml",
        // Cell formats: 0 the default, 1 text (number format 49, `@`), 2 an amount (4, `#,##0.00`), 3 the bold header.
        r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><fonts count="2"><font><sz val="11"/><name val="Calibri"/><family val="2"/></font><font><b/><sz val="11"/><name val="Calibri"/><family val="2"/></font></fonts><fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills><borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders><cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs><cellXfs count="4"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/><xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/><xf numFmtId="4" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/><xf numFmtId="49" fontId="1" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyFont="1"/></cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>"#,
    ),
];

const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetViews><sheetView tabSelected="1" workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><cols><col min="1" max="1" width="24" style="1" customWidth="1"/><col min="2" max="2" width="38" style="1" customWidth="1"/><col min="3" max="3" width="26" style="1" customWidth="1"/><col min="4" max="5" width="14" style="1" customWidth="1"/><col min="6" max="6" width="14" style="2" customWidth="1"/><col min="7" max="8" width="20" style="1" customWidth="1"/><col min="9" max="9" width="27" style="1" customWidth="1"/></cols><sheetData>"#;
const TAIL: &str = "</sheetData></worksheet>";

/// Digits that every spreadsheet keeps of a number.
const EXACT_DIGITS: usize = 15;

/// Writes a sheet row by row. What it has written may be taken away at any time.
#[derive(Default)]
pub struct SheetWriter {
    /// Text that is ready.
    pub out: String,
    rows: u64,
    columns: Vec<String>,
}

impl SheetWriter {
    /// Rows so far, the header included.
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Writes a row, the first one as the header. The cells are those of a line of the CSV export.
    pub fn row<'a>(&mut self, cells: impl Iterator<Item = &'a str>) {
        let is_header = self.rows == 0;
        if is_header {
            self.out.push_str(HEAD);
        }
        self.rows += 1;
        let number = self.rows;
        self.put(format_args!("<row r=\"{number}\">"));
        for (no, text) in cells.enumerate() {
            if self.columns.len() == no {
                self.columns.push(column_name(no));
            }
            // A cell that is not there is empty.
            if text.is_empty() {
                continue;
            }
            let style = if is_header { 3 } else { 1 };
            if !is_header && FIXED_COLUMNS.get(no) == Some(&"Balance") && is_exact_number(text) {
                self.out.push_str("<c r=\"");
                self.out.push_str(&self.columns[no]);
                self.put(format_args!("{number}\" s=\"2\"><v>{text}</v></c>"));
            } else {
                self.out.push_str("<c r=\"");
                self.out.push_str(&self.columns[no]);
                self.put(format_args!(
                    "{number}\" s=\"{style}\" t=\"inlineStr\"><is><t xml:space=\"preserve\">"
                ));
                write_text(&mut self.out, text);
                self.out.push_str("</t></is></c>");
            }
        }
        self.out.push_str("</row>");
    }

    pub fn finish(&mut self) {
        self.out.push_str(TAIL);
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.out.write_fmt(text);
    }
}

/// `A` … `Z`, `AA` … for columns counted from 0.
fn column_name(no: usize) -> String {
    let (mut left, mut letters) = (no + 1, Vec::new());
    while left > 0 {
        left -= 1;
        letters.push(char::from(b'A' + u8::try_from(left % 26).unwrap_or(0)));
        left /= 26;
    }
    letters.iter().rev().collect()
}

/// Whether a text is a plain decimal number that comes back digit by digit from the binary one that spreadsheets make
/// of it.
fn is_exact_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, cents) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    !whole.is_empty() && all_digits(whole) && all_digits(cents) && whole.len() + cents.len() <= EXACT_DIGITS
}

/// Writes a text as XML. What XML cannot hold stands as `_xHHHH_` (ECMA-376 part 1, §22.9.2.19), and what looks like
/// that has its own underscore written so.
fn write_text(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find(is_special) {
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        let mut chars = special.chars();
        match chars.next() {
            Some('&') => out.push_str("&amp;"),
            Some('<') => out.push_str("&lt;"),
            Some('>') => out.push_str("&gt;"),
            Some('_') if looks_escaped(special) => out.push_str("_x005F_"),
            Some('_') => out.push('_'),
            // Writing to a String cannot fail.
            Some(other) => drop(write!(out, "_x{:04X}_", u32::from(other))),
            None => {}
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
}

fn is_special(c: char) -> bool {
    match c {
        '&' | '<' | '>' | '_' | '\u{fffe}' | '\u{ffff}' => true,
        // XML turns a bare carriage return into a line feed.
        '\t' | '\n' => false,
        other => u32::from(other) < 0x20,
    }
}

/// Whether a text begins like `_x0041_`.
fn looks_escaped(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 7
        && bytes[1].eq_ignore_ascii_case(&b'x')
        && bytes[2..6].iter().all(u8::is_ascii_hexdigit)
        && bytes[6] == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> String {
        let mut out = String::new();
        write_text(&mut out, text);
        out
    }

    #[test]
    fn columns_are_named_as_spreadsheets_do() {
        let names = [
            (0, "A"),
            (25, "Z"),
            (26, "AA"),
            (701, "ZZ"),
            (702, "AAA"),
            (999, "ALL"),
        ];
        for (no, name) in names {
            assert_eq!(column_name(no), name);
        }
    }

    #[test]
    fn a_text_is_escaped_where_xml_or_its_reader_would_change_it() {
        for (plain, xml) in [
            ("=1+1", "=1+1"),
            ("a & <b>", "a &amp; &lt;b&gt;"),
            ("tab\tline\n", "tab\tline\n"),
            ("cr\r nul\0", "cr_x000D_ nul_x0000_"),
            ("snake_case_x", "snake_case_x"),
            ("_x0041_", "_x005F_x0041_"),
            ("_X00e9_", "_x005F_X00e9_"),
            ("_x004_", "_x004_"),
            ("\u{ffff}é", "_xFFFF_é"),
        ] {
            assert_eq!(text(plain), xml);
        }
    }

    #[test]
    fn an_amount_is_a_number_only_where_no_cent_of_it_is_lost() {
        for exact in ["0.00", "-83.68", "9999999999999.99", "-9999999999999.99"] {
            assert!(is_exact_number(exact), "{exact}");
            let read: f64 = exact.parse().unwrap();
            assert_eq!(format!("{read:.2}"), exact);
        }
        for other in [
            "",
            "-",
            "92233720368547758.07",
            "10000000000000.00",
            "1e2",
            "+1.00",
            "1,000.00",
            "NaN",
        ] {
            assert!(!is_exact_number(other), "{other}");
        }
    }

    #[test]
    fn a_sheet_has_texts_and_amounts_and_leaves_empty_cells_out() {
        let mut sheet = SheetWriter::default();
        sheet.row(FIXED_COLUMNS.into_iter().chain(["meta_a"]));
        assert!(sheet.out.ends_with(
            "<c r=\"J1\" s=\"3\" t=\"inlineStr\"><is><t xml:space=\"preserve\">meta_a</t></is></c></row>"
        ));
        sheet.out.clear();
        sheet.row(["a", "b", "", "+15551234567", "01234", "-1.50", "", "", "", "=A1"].into_iter());
        let cell = |place: &str, text: &str| {
            format!(
                "<c r=\"{place}\" s=\"1\" t=\"inlineStr\"><is><t xml:space=\"preserve\">{text}</t></is></c>"
            )
        };
        let cells = [
            cell("A2", "a"),
            cell("B2", "b"),
            cell("D2", "+15551234567"),
            cell("E2", "01234"),
            "<c r=\"F2\" s=\"2\"><v>-1.50</v></c>".to_owned(),
            cell("J2", "=A1"),
        ];
        assert_eq!(sheet.out, format!("<row r=\"2\">{}</row>", cells.concat()));
        assert_eq!(sheet.rows(), 2);
    }
}
