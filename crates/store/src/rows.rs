//! From a row of either database to a struct, column by column.
//!
//! sqlx derives the same. Its macros, though, are linked to the drivers of both databases, SQLite with them, which are then
//! compiled once more for the machine that builds: a minute of every first build.

/// Makes a struct one that is read from a row: each field from the column of its name, those behind `flatten` from the whole
/// row. A field that is forgotten does not compile.
macro_rules! from_row {
    ($name:ident { $($field:ident),* $(,)? } $(flatten { $($part:ident),* })?) => {
        $crate::rows::from_row!(@of sqlx::sqlite::SqliteRow, $name { $($field),* } { $($($part),*)? });
        $crate::rows::from_row!(@of sqlx::postgres::PgRow, $name { $($field),* } { $($($part),*)? });
    };
    (@of $row:ty, $name:ident { $($field:ident),* } { $($part:ident),* }) => {
        impl sqlx::FromRow<'_, $row> for $name {
            fn from_row(row: &$row) -> sqlx::Result<Self> {
                Ok(Self {
                    $($field: sqlx::Row::try_get(row, stringify!($field))?,)*
                    $($part: sqlx::FromRow::from_row(row)?,)*
                })
            }
        }
    };
}

pub(crate) use from_row;
