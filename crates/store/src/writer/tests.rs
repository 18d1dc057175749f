use std::task::{Context, Waker};

use tidemark_domain::id::RequesterId;
use tokio::sync::oneshot;

use super::execute;
use crate::error::{Error, Result};
use crate::open::Store;
use crate::requesters::Requester;
use crate::testing::{Engine, NOW, Plain, TestDatabase};

fn named(no: u8) -> Requester {
    Requester {
        requester_id: RequesterId::new(NOW, [no; 10]),
        name: format!("requester {no}"),
        cards: false,
        second_factor_required: false,
    }
}

/// What a write does beside adding a requester.
#[derive(Clone, Copy)]
enum Does {
    Nothing,
    Fails,
    Panics,
    /// As SQLite by itself where the disk is full.
    UndoesTheTransaction,
}

async fn write(store: &Store, no: u8, does: Does) -> Result<()> {
    store
        .write("test", move |tx| {
            Box::pin(async move {
                tx.add_requester(&named(no), NOW).await?;
                match does {
                    Does::Nothing => Ok(()),
                    Does::Fails => Err(Error::NameTaken),
                    Does::Panics => panic!("on purpose"),
                    Does::UndoesTheTransaction => {
                        execute(tx, "ROLLBACK").await?;
                        Err(Error::NameTaken)
                    }
                }
            })
        })
        .await
}

/// Answers of writes that came, in this order, while another was under way, and how many requesters there are then.
async fn together(all: &[Does]) -> (Vec<Result<()>>, i64) {
    let db = TestDatabase::create(Engine::Sqlite).await;
    let store = db.open().await;
    let ((begun, is_begun), (go_on, told)) = (oneshot::channel(), oneshot::channel::<()>());
    let first = store.write("test", move |tx| {
        Box::pin(async move {
            tx.add_requester(&named(0), NOW).await?;
            begun.send(()).unwrap();
            told.await.unwrap();
            Ok::<_, Error>(())
        })
    });
    let others = async {
        is_begun.await.unwrap();
        let writes = all.iter().zip(1..).map(|(does, no)| write(&store, no, *does));
        let mut writes = Box::pin(futures_util::future::join_all(writes));
        // Once polled they all wait in line.
        let mut nobody = Context::from_waker(Waker::noop());
        assert!(writes.as_mut().poll(&mut nobody).is_pending());
        go_on.send(()).unwrap();
        writes.await
    };
    let (first, mut answers) = tokio::join!(first, others);
    answers.insert(0, first);
    let count = Plain::open(&db)
        .await
        .number("SELECT COUNT(*) FROM requesters")
        .await;
    (answers, count)
}

fn good(answers: &[Result<()>]) -> Vec<bool> {
    answers.iter().map(Result::is_ok).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_that_came_together_are_all_there() {
    let (answers, count) = together(&[Does::Nothing; 20]).await;
    assert_eq!(good(&answers), [true; 21]);
    assert_eq!(count, 21);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_fails_takes_nothing_else_with_it() {
    let (answers, count) = together(&[Does::Nothing, Does::Fails, Does::Fails, Does::Nothing]).await;
    assert_eq!(good(&answers), [true, true, false, false, true]);
    assert!(matches!(answers[2], Err(Error::NameTaken)), "its own error");
    assert_eq!(count, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_told_that_a_lost_transaction_happened() {
    let all = [Does::Nothing, Does::UndoesTheTransaction];
    let (answers, count) = together(&all).await;
    assert_eq!(good(&answers), [false; 3]);
    assert!(matches!(answers[0], Err(Error::Database(_))), "{:?}", answers[0]);
    assert_eq!(count, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_with_one_that_panics_are_told_that_nothing_happened() {
    let (answers, count) = together(&[Does::Nothing, Does::Panics, Does::Nothing]).await;
    assert_eq!(good(&answers), [false, false, false, true]);
    assert_eq!(count, 1);
}
