//! The directory of institutions, and whether the database answers.

use tidemark_domain::account::RoutingNumber;
use tidemark_domain::institution::BUILT_IN;
use tidemark_store::testing::TestDatabase;

tidemark_store::on_both_databases! {
    a_fresh_database_knows_the_built_in_institutions
    a_database_answers_until_it_is_closed
}

async fn a_fresh_database_knows_the_built_in_institutions(db: TestDatabase) {
    let directory = db.open().await.directory().await.unwrap();
    for (routing, name) in BUILT_IN {
        let found = directory.find(RoutingNumber::parse(routing).unwrap()).unwrap();
        assert_eq!((&*found.name, directory.name(found.no)), (name, Some(name)));
    }
    assert!(
        directory
            .find(RoutingNumber::parse("111000025").unwrap())
            .is_none()
    );
}

async fn a_database_answers_until_it_is_closed(db: TestDatabase) {
    let store = db.open().await;
    store.ping().await.unwrap();
    store.close().await;
    assert!(store.ping().await.is_err());
    db.open().await.ping().await.unwrap();
}
