//! Who works on a database, and what is left to do there.

use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::NodeId;
use tidemark_store::testing::{Engine, NOW, Plain, SCHEMA_VERSION, TestDatabase};
use tidemark_store::{Error, Node, Queue, Role, Store};

use crate::common::{Tenant, later};

tidemark_store::on_both_databases! {
    a_node_is_noted_once_and_seen_again
    nodes_that_end_or_were_not_seen_are_forgotten
    a_node_of_an_unknown_kind_is_corrupt
    the_queue_tells_what_is_left
    connections_are_counted
    a_database_tells_what_it_is_and_that_it_is_sound
}

fn node(n: u8, role: Role, seen_at: Timestamp) -> Node {
    Node {
        node_id: NodeId::new(NOW, [n; 10]),
        name: format!("machine:{n}"),
        role,
        version: "0.1.0".to_owned(),
        started_at: later(u64::from(n)),
        seen_at,
        offset_micros: -5,
    }
}

async fn note(store: &Store, node: &Node) {
    let node = node.clone();
    store
        .write("test", move |tx| {
            Box::pin(async move { tx.note_node(&node).await })
        })
        .await
        .unwrap();
}

async fn a_node_is_noted_once_and_seen_again(db: TestDatabase) {
    let store = db.open().await;
    let (first, mut second) = (node(1, Role::Serve, NOW), node(2, Role::Work, NOW));
    note(&store, &second).await;
    note(&store, &first).await;
    assert_eq!(store.nodes().await.unwrap(), [first.clone(), second.clone()]);
    (second.seen_at, second.offset_micros) = (later(60), 7);
    note(&store, &second).await;
    assert_eq!(store.nodes().await.unwrap(), [first, second]);
}

async fn nodes_that_end_or_were_not_seen_are_forgotten(db: TestDatabase) {
    let store = db.open().await;
    let nodes = [1, 2, 3].map(|n| node(n, Role::Serve, later(u64::from(n))));
    for node in &nodes {
        note(&store, node).await;
    }
    let forget = |ends, unseen| {
        store.write("test", move |tx| {
            Box::pin(async move { tx.forget_nodes(ends, unseen).await })
        })
    };
    forget(None, later(1)).await.unwrap();
    assert_eq!(store.nodes().await.unwrap(), nodes);
    forget(Some(nodes[2].node_id), later(2)).await.unwrap();
    assert_eq!(store.nodes().await.unwrap(), [nodes[1].clone()]);
}

async fn a_node_of_an_unknown_kind_is_corrupt(db: TestDatabase) {
    let store = db.open().await;
    note(&store, &node(1, Role::Serve, NOW)).await;
    let mut plain = Plain::open(&db).await;
    let lift = match db.engine {
        Engine::Sqlite => "PRAGMA ignore_check_constraints = ON",
        Engine::Postgres => "ALTER TABLE nodes DROP CONSTRAINT nodes_role_check",
    };
    plain.run(lift).await;
    plain.run("UPDATE nodes SET role = 9").await;
    let found = store.nodes().await;
    assert!(
        matches!(
            found,
            Err(Error::Corrupt {
                table: "nodes",
                column: "role",
                ..
            })
        ),
        "{found:?}"
    );
}

async fn the_queue_tells_what_is_left(db: TestDatabase) {
    let store = db.open().await;
    let empty = Queue {
        batches: 0,
        checks: 0,
        unsealed: 0,
        next_due: None,
    };
    assert_eq!(store.queue().await.unwrap(), empty);
    let tenant = Tenant::add(&store, "A").await;
    tenant.submit_many(2).await;
    tenant.submit_many(3).await;
    let queue = store.queue().await.unwrap();
    assert_eq!((queue.batches, queue.checks, queue.next_due), (2, 5, Some(NOW)));
}

async fn connections_are_counted(db: TestDatabase) {
    let store = db.open().await;
    store.ping().await.unwrap();
    let connections = store.connections();
    assert!(
        connections.open >= 1 && connections.idle <= connections.open && connections.open <= connections.most
    );
    assert_eq!(store.is_sqlite(), db.engine == Engine::Sqlite);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_tells_its_own_time_and_sqlite_has_none() {
    let sqlite = TestDatabase::create(Engine::Sqlite).await.open().await;
    assert_eq!(sqlite.database_time().await.unwrap(), None);
    let db = TestDatabase::create(Engine::Postgres).await;
    let store = db.open().await;
    let mut plain = Plain::open(&db).await;
    let micros = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)";
    let before = plain.number(micros).await;
    let told = store.database_time().await.unwrap().unwrap().as_micros();
    assert!(before <= told && told <= plain.number(micros).await);
}

async fn a_database_tells_what_it_is_and_that_it_is_sound(db: TestDatabase) {
    let store = db.open().await;
    let examined = store.examine().await.unwrap();
    match db.engine {
        Engine::Sqlite => {
            assert!(examined.engine.starts_with("SQLite 3."), "{}", examined.engine);
            assert_eq!(examined.server_connections, None);
        }
        Engine::Postgres => {
            assert!(examined.engine.starts_with("PostgreSQL 1") && examined.engine_number >= 150_000);
            assert!(
                examined
                    .server_connections
                    .is_some_and(|(open, most)| open >= 1 && most >= open)
            );
        }
    }
    assert_eq!(examined.schema_version, SCHEMA_VERSION);
    assert_eq!(store.faults().await.unwrap(), Vec::<String>::new());
}
