//! One schema, written down twice: what each database says of itself must be the same.

use std::collections::{BTreeMap, BTreeSet};

use tidemark_store::testing::{Engine, Plain, TestDatabase};

/// Every statement gives lines like `column checks.due_at INTEGER`, in the words of both databases.
const SQLITE: [&str; 6] = [
    "SELECT 'column ' || t.name || '.' || c.name || ' ' || c.type \
        || CASE WHEN c.\"notnull\" OR c.pk > 0 THEN ' NOT NULL' ELSE '' END \
        || COALESCE(' DEFAULT ' || c.dflt_value, '') \
     FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table'",
    "SELECT 'primary key ' || t || ' ' || group_concat(c, ',') FROM \
        (SELECT t.name AS t, c.name AS c FROM sqlite_master t, pragma_table_info(t.name) c \
         WHERE t.type = 'table' AND c.pk > 0 ORDER BY t.name, c.pk) GROUP BY t",
    // What a UNIQUE constraint makes has no name of its own.
    "SELECT kind || ' ' || t || ' ' || group_concat(c, ',') || predicate FROM \
        (SELECT t.name AS t, i.name AS i, c.name || CASE WHEN c.\"desc\" THEN ' DESC' ELSE '' END AS c, \
            CASE WHEN i.\"unique\" THEN 'unique ' ELSE '' END \
                || CASE WHEN i.origin = 'c' THEN 'index ' || i.name ELSE 'constraint' END AS kind, \
            CASE WHEN i.partial THEN ' WHERE' ELSE '' END AS predicate \
         FROM sqlite_master t, pragma_index_list(t.name) i, pragma_index_xinfo(i.name) c \
         WHERE t.type = 'table' AND i.origin <> 'pk' AND c.\"key\" ORDER BY t.name, i.name, c.seqno) \
     GROUP BY t, i",
    "SELECT 'foreign key ' || t || ' ' || group_concat(f, ',') || ' to ' || target || ' ' || group_concat(g, ',') FROM \
        (SELECT t.name AS t, k.id AS id, k.\"from\" AS f, k.\"table\" AS target, k.\"to\" AS g \
         FROM sqlite_master t, pragma_foreign_key_list(t.name) k \
         WHERE t.type = 'table' ORDER BY t.name, k.id, k.seq) GROUP BY t, id",
    "SELECT 'checks ' || name || ' ' || ((LENGTH(sql) - LENGTH(REPLACE(sql, 'CHECK (', 'CHECK'))) / 2) \
     FROM sqlite_master WHERE type = 'table'",
    "SELECT 'deferred ' || name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%DEFERRABLE INITIALLY DEFERRED%'",
];

const POSTGRES: [&str; 6] = [
    "SELECT 'column ' || t.relname || '.' || c.attname || ' ' || upper(c.atttypid::regtype::text) \
        || CASE WHEN c.attnotnull THEN ' NOT NULL' ELSE '' END \
        || COALESCE(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '') \
     FROM pg_class t JOIN pg_attribute c ON c.attrelid = t.oid AND c.attnum > 0 \
     LEFT JOIN pg_attrdef d ON d.adrelid = t.oid AND d.adnum = c.attnum \
     WHERE t.relkind = 'r' AND t.relnamespace = 'public'::regnamespace",
    "SELECT 'primary key ' || t.relname || ' ' || (SELECT string_agg(a.attname, ',' ORDER BY n) \
        FROM unnest(k.conkey) WITH ORDINALITY AS u (no, n) \
        JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = u.no) \
     FROM pg_constraint k JOIN pg_class t ON t.oid = k.conrelid \
     WHERE k.contype = 'p' AND k.connamespace = 'public'::regnamespace",
    "SELECT CASE WHEN i.indisunique THEN 'unique ' ELSE '' END \
        || CASE WHEN k.oid IS NULL THEN 'index ' || c.relname ELSE 'constraint' END || ' ' || t.relname || ' ' \
        || (SELECT string_agg(a.attname || CASE WHEN i.indoption[n - 1] & 1 = 1 THEN ' DESC' ELSE '' END, ',' \
            ORDER BY n) FROM unnest(i.indkey::int[]) WITH ORDINALITY AS u (no, n) \
            JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = u.no) \
        || CASE WHEN i.indpred IS NULL THEN '' ELSE ' WHERE' END \
     FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid \
     LEFT JOIN pg_constraint k ON k.conindid = c.oid AND k.contype = 'u' \
     WHERE NOT i.indisprimary AND t.relnamespace = 'public'::regnamespace",
    "SELECT 'foreign key ' || t.relname || ' ' || (SELECT string_agg(a.attname, ',' ORDER BY n) \
            FROM unnest(k.conkey) WITH ORDINALITY AS u (no, n) \
            JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.no) \
        || ' to ' || f.relname || ' ' || (SELECT string_agg(a.attname, ',' ORDER BY n) \
            FROM unnest(k.confkey) WITH ORDINALITY AS u (no, n) \
            JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.no) \
     FROM pg_constraint k JOIN pg_class t ON t.oid = k.conrelid JOIN pg_class f ON f.oid = k.confrelid \
     WHERE k.contype = 'f'",
    "SELECT 'checks ' || t.relname || ' ' || (SELECT COUNT(*) FROM pg_constraint k \
        WHERE k.conrelid = t.oid AND k.contype = 'c') \
     FROM pg_class t WHERE t.relkind = 'r' AND t.relnamespace = 'public'::regnamespace",
    "SELECT DISTINCT 'deferred ' || t.relname FROM pg_constraint k JOIN pg_class t ON t.oid = k.conrelid \
     WHERE k.condeferred",
];

/// What a catalogue says, but for the migrator's own table.
async fn catalogue(db: &TestDatabase, selects: [&str; 6]) -> BTreeSet<String> {
    db.open().await;
    let mut plain = Plain::open(db).await;
    let mut lines = BTreeSet::new();
    for select in selects {
        let found = plain.texts(select).await;
        assert!(!found.is_empty(), "nothing from {select}");
        lines.extend(
            found
                .into_iter()
                .filter(|line| !line.contains("_sqlx_migrations"))
                .map(same_types),
        );
    }
    lines
}

/// PostgreSQL has several types where SQLite has one.
fn same_types(line: String) -> String {
    if !line.starts_with("column ") {
        return line;
    }
    let types: BTreeMap<&str, &str> = [
        ("BYTEA", "BLOB"),
        ("UUID", "BLOB"),
        ("BIGINT", "INTEGER"),
        ("SMALLINT", "INTEGER"),
        ("BOOLEAN", "INTEGER"),
    ]
    .into();
    line.split(' ')
        .map(|word| *types.get(word).unwrap_or(&word))
        .collect::<Vec<_>>()
        .join(" ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_databases_have_the_same_schema() {
    let sqlite = catalogue(&TestDatabase::create(Engine::Sqlite).await, SQLITE).await;
    let postgres = catalogue(&TestDatabase::create(Engine::Postgres).await, POSTGRES).await;
    let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect::<Vec<_>>();
    assert_eq!(
        (only(&sqlite, &postgres), only(&postgres, &sqlite)),
        (vec![], vec![])
    );
    // The comparison sees what it is for.
    for line in [
        "column checks.due_at INTEGER",
        "column checks.tries INTEGER NOT NULL DEFAULT 0",
        "primary key checks batch_id,row_no",
        "unique constraint requesters name",
        "unique index checks_recorded checks batch_id,recorded_no WHERE",
        "index batches_newest batches requester_id,submitted_at DESC,batch_id DESC",
        "foreign key deliveries requester_id,event_id to events requester_id,event_id",
        "checks checks 4",
        "deferred idempotency",
    ] {
        assert!(sqlite.contains(line), "{line} is missing from {sqlite:#?}");
    }
}

/// Times in microseconds and cents need 64 bits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moments_and_amounts_are_wide_enough() {
    let db = TestDatabase::create(Engine::Postgres).await;
    db.open().await;
    let narrow = "SELECT table_name || '.' || column_name FROM information_schema.columns \
                  WHERE table_schema = 'public' AND data_type <> 'bigint' AND table_name <> '_sqlx_migrations' \
                  AND (column_name = 'at' OR column_name LIKE '%\\_at' OR column_name LIKE '%\\_cents')";
    assert_eq!(Plain::open(&db).await.texts(narrow).await, Vec::<String>::new());
}
