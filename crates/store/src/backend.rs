//! The seam between the two databases: everything that differs between them, and nothing else.
//!
//! A statement is one text with `$1, $2 …` for both; [`on!`] runs an expression on whichever database it is.

use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, PgPool, Postgres, Sqlite, SqlitePool, Transaction};

use crate::checkpoint::Checkpoints;
use crate::writer::Writer;

/// One value per database engine.
pub(crate) enum OnEngine<S, P> {
    Sqlite(S),
    Postgres(P),
}

/// A connection for reading.
pub(crate) type ReadConn = OnEngine<PoolConnection<Sqlite>, PoolConnection<Postgres>>;
/// A transaction for writing.
pub(crate) type WriteConn = OnEngine<Transaction<'static, Sqlite>, Transaction<'static, Postgres>>;
/// The pools.
pub(crate) type Backend = OnEngine<SqlitePools, PgPool>;

/// SQLite has one writer at a time: a pool of one connection queues for it in the process.
#[derive(Clone)]
pub(crate) struct SqlitePools {
    pub(crate) write: SqlitePool,
    pub(crate) read: SqlitePool,
    pub(crate) writer: Writer,
    pub(crate) checkpoints: Checkpoints,
}

/// IMMEDIATE takes the write lock at once: a transaction that reads first and writes later could otherwise fail in the
/// middle because another process wrote in between.
pub(crate) const BEGIN: &str = "BEGIN IMMEDIATE";

/// Expands an expression once per engine, with the connection in reach as `$c`.
macro_rules! on {
    ($conn:expr, |$c:ident| $body:expr) => {
        match $conn {
            $crate::backend::OnEngine::Sqlite(conn) => {
                let $c = &mut **conn;
                $body
            }
            $crate::backend::OnEngine::Postgres(conn) => {
                let $c = &mut **conn;
                $body
            }
        }
    };
}
pub(crate) use on;

/// Runs a statement that gives no rows, with its parameters, and tells how many it changed.
macro_rules! run {
    ($conn:expr, $sql:expr $(, $value:expr)* $(,)?) => {
        $crate::backend::on!($conn, |c| sqlx::query($sql)
            $(.bind($value))*
            .execute(c)
            .await
            .map(|done| done.rows_affected()))
    };
}
pub(crate) use run;

impl<S, P> OnEngine<S, P> {
    /// The row-locking end of a SELECT. SQLite's single writer needs none.
    pub(crate) fn for_update(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "",
            Self::Postgres(_) => " FOR UPDATE",
        }
    }

    /// The same, for the one table `c` of a join.
    pub(crate) fn for_update_of_c(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "",
            Self::Postgres(_) => " FOR UPDATE OF c",
        }
    }

    /// The same, passing over rows that others hold.
    pub(crate) fn for_update_skip_locked(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "",
            Self::Postgres(_) => " FOR UPDATE SKIP LOCKED",
        }
    }
}

impl Backend {
    pub(crate) async fn read(&self) -> sqlx::Result<ReadConn> {
        Ok(match self {
            Self::Sqlite(pools) => OnEngine::Sqlite(pools.read.acquire().await?),
            Self::Postgres(pool) => OnEngine::Postgres(pool.acquire().await?),
        })
    }

    pub(crate) async fn begin(&self) -> sqlx::Result<WriteConn> {
        Ok(match self {
            Self::Sqlite(pools) => OnEngine::Sqlite(pools.write.begin_with(BEGIN).await?),
            Self::Postgres(pool) => OnEngine::Postgres(pool.begin().await?),
        })
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(pools) => {
                pools.read.close().await;
                pools.checkpoints.close().await;
                pools.write.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl WriteConn {
    pub(crate) async fn commit(self) -> sqlx::Result<()> {
        match self {
            Self::Sqlite(tx) => tx.commit().await,
            Self::Postgres(tx) => tx.commit().await,
        }
    }

    pub(crate) async fn rollback(self) -> sqlx::Result<()> {
        match self {
            Self::Sqlite(tx) => tx.rollback().await,
            Self::Postgres(tx) => tx.rollback().await,
        }
    }
}

impl<S, P> OnEngine<S, P> {
    /// A statement that was put together here, as this engine takes it quickest.
    ///
    /// SQLite, asked by the driver for the name of each parameter, searches a list of all of them: a long list
    /// of values costs its square. Where every `$1, $2 …` stands once and in order, `?` means the same.
    pub(crate) fn text(&self, sql: String) -> AssertSqlSafe<String> {
        AssertSqlSafe(match self {
            Self::Sqlite(_) => without_numbers(&sql).unwrap_or(sql),
            Self::Postgres(_) => sql,
        })
    }
}

/// `sql` with `?` for `$1, $2 …`; `None` where these do not stand once each and in order.
fn without_numbers(sql: &str) -> Option<String> {
    let mut pieces = sql.split('$');
    let mut text = String::with_capacity(sql.len());
    text.push_str(pieces.next()?);
    for (no, piece) in (1_usize..).zip(pieces) {
        let rest = piece.strip_prefix(&*no.to_string())?;
        if rest.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        text.push('?');
        text.push_str(rest);
    }
    Some(text)
}

/// `($1,$2),($3,$4)` for `rows` rows of `columns` parameters, numbered after `before` earlier ones.
///
/// Keys in such a list are looked up by `FROM (VALUES …) AS v CROSS JOIN t WHERE …`: SQLite keeps the order of a
/// CROSS JOIN, where for a plain one it may read all of `t` and search the list.
pub(crate) fn values(before: usize, rows: usize, columns: usize) -> String {
    let mut text = String::with_capacity(rows * columns * 6);
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ",(" });
        for column in 0..columns {
            if column > 0 {
                text.push(',');
            }
            text.push('$');
            text.push_str(&(before + row * columns + column + 1).to_string());
        }
        text.push(')');
    }
    text
}

/// Rows that go into a table.
pub(crate) struct Insert {
    /// The table and its columns: `t (a, b)`.
    pub(crate) into: &'static str,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

impl<S, P> OnEngine<S, P> {
    /// Several inserts as one statement, so that they are sent and waited for once. Their parameters are numbered
    /// through. References among their rows may be in any order; the order of the inserts is the safe one.
    pub(crate) fn inserts(&self, inserts: &[Insert]) -> AssertSqlSafe<String> {
        let mut before = 0;
        let mut texts = inserts.iter().map(|insert| {
            let values = values(before, insert.rows, insert.columns);
            before += insert.rows * insert.columns;
            format!("INSERT INTO {} VALUES {values}", insert.into)
        });
        match self {
            Self::Sqlite(_) => self.text(texts.collect::<Vec<_>>().join("; ")),
            Self::Postgres(_) => {
                let first = texts.next().unwrap_or_default();
                let others: Vec<String> = (1..)
                    .zip(texts)
                    .map(|(no, text)| format!("i{no} AS ({text})"))
                    .collect();
                AssertSqlSafe(match others.as_slice() {
                    [] => first,
                    others => format!("WITH {} {first}", others.join(", ")),
                })
            }
        }
    }
}

/// Cuts rows into groups of a few fixed sizes, so that few statement texts exist and the caches of
/// prepared statements hold them all.
pub(crate) fn groups<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    const SIZES: [usize; 5] = [256, 64, 16, 4, 1];
    std::iter::from_fn(move || {
        let size = SIZES.into_iter().find(|size| *size <= rows.len())?;
        let (group, rest) = rows.split_at(size);
        rows = rest;
        Some(group)
    })
}

/// The number of parameters for a list that must stand in one statement: a few sizes, the spare places
/// filled with the last value again.
pub(crate) fn padded_len(len: usize) -> usize {
    const SIZES: [usize; 6] = [1, 8, 64, 512, 2_048, 10_000];
    SIZES.into_iter().find(|size| *size >= len).unwrap_or(len)
}

/// `list` and the filling for [`padded_len`].
pub(crate) fn padded<T: Copy>(list: &[T]) -> impl Iterator<Item = T> {
    let filling = list
        .last()
        .copied()
        .into_iter()
        .cycle()
        .take(padded_len(list.len()).saturating_sub(list.len()));
    list.iter().copied().chain(filling)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbered_row_by_row() {
        assert_eq!(values(0, 2, 2), "($1,$2),($3,$4)");
        assert_eq!(values(3, 1, 1), "($4)");
    }

    #[test]
    fn numbers_of_parameters_go_only_where_they_say_nothing() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(without_numbers("a $1 (($2,$3))"), some("a ? ((?,?))"));
        let ten: String = (1..=11).map(|n| format!("${n},")).collect();
        assert_eq!(without_numbers(&ten), some(&"?,".repeat(11)));
        for numbered in ["$2", "$1 $1", "$2 $1", "$1 $3", "$1 $20"] {
            assert_eq!(without_numbers(numbered), None, "{numbered}");
        }
    }

    #[test]
    fn inserts_become_one_statement_with_their_parameters_numbered_through() {
        let inserts =
            [("t (a, b)", 1, 2), ("u (c)", 2, 1)].map(|(into, rows, columns)| Insert { into, rows, columns });
        let text = |engine: OnEngine<(), ()>, inserts: &[Insert]| engine.inserts(inserts).0;
        assert_eq!(
            text(OnEngine::Sqlite(()), &inserts),
            "INSERT INTO t (a, b) VALUES (?,?); INSERT INTO u (c) VALUES (?),(?)"
        );
        assert_eq!(
            text(OnEngine::Postgres(()), &inserts),
            "WITH i1 AS (INSERT INTO u (c) VALUES ($3),($4)) INSERT INTO t (a, b) VALUES ($1,$2)"
        );
        assert_eq!(
            text(OnEngine::Postgres(()), &inserts[..1]),
            "INSERT INTO t (a, b) VALUES ($1,$2)"
        );
    }

    #[test]
    fn groups_hold_every_row_once_in_order() {
        let rows: Vec<usize> = (0..600).collect();
        let cut: Vec<&[usize]> = groups(&rows).collect();
        assert_eq!(cut.concat(), rows);
        assert!(cut.iter().all(|group| [256, 64, 16, 4, 1].contains(&group.len())));
        assert_eq!(groups::<usize>(&[]).count(), 0);
    }

    #[test]
    fn a_list_is_filled_up_with_its_last_value() {
        assert_eq!(padded(&[1, 2]).collect::<Vec<_>>(), [1, 2, 2, 2, 2, 2, 2, 2]);
        assert_eq!(padded::<u8>(&[]).count(), 0);
    }
}
