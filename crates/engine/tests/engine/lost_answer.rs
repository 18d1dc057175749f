//! A COMMIT that happened, and whose answer never came: what is durable is acknowledged, and is not done twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tidemark_domain::clock::Clock as _;
use tidemark_engine::{Phase, Stopper, Submitted};
use tidemark_providers::guard::Limits;
use tidemark_store::testing::{Engine, NOW, TestDatabase, master_key};
use tidemark_store::{OpenMode, Store};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::builder::{World, until};
use crate::providers::{Notes, Scripted, at_once, gated, success};
use crate::rows::{CVV, accounts, card, read};

/// Stands between a store and PostgreSQL. Once armed, it swallows the answer to the next COMMIT and hangs up.
#[derive(Clone, Default)]
struct Wire(Arc<AtomicBool>);

impl Wire {
    fn arm(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn is_armed(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// A store that reaches the world's database through this wire.
    async fn store(&self, world: &World) -> Store {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (before, rest) = world.db.url_text.rsplit_once(':').unwrap();
        let (server, name) = rest.split_once('/').unwrap();
        let server: u16 = server.parse().unwrap();
        let wire = self.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                tokio::spawn(wire.clone().carry(client, server));
            }
        });
        let url = format!("{before}:{port}/{name}").parse().unwrap();
        Store::open(url, master_key(), OpenMode::AsItIs, NOW)
            .await
            .unwrap()
    }

    async fn carry(self, client: TcpStream, server: TcpStream) {
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let committing = AtomicBool::new(false);
        let asking = async {
            let mut buffer = vec![0; 1 << 16];
            while let Ok(len @ 1..) = from_client.read(&mut buffer).await {
                if self.is_armed() && buffer[..len].windows(6).any(|word| word == b"COMMIT") {
                    committing.store(true, Ordering::SeqCst);
                }
                if to_server.write_all(&buffer[..len]).await.is_err() {
                    break;
                }
            }
        };
        let answering = async {
            let mut buffer = vec![0; 1 << 16];
            while let Ok(len @ 1..) = from_server.read(&mut buffer).await {
                if committing.load(Ordering::SeqCst) {
                    self.0.store(false, Ordering::SeqCst);
                    break;
                }
                if to_client.write_all(&buffer[..len]).await.is_err() {
                    break;
                }
            }
        };
        // Whichever side ends takes the other with it.
        tokio::select! { () = asking => {}, () = answering => {} }
    }
}

async fn world() -> World {
    World::new(TestDatabase::create(Engine::Postgres).await).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_is_there_is_acknowledged() {
    let (world, wire, notes) = (world().await, Wire::default(), Notes::default());
    let tenant = world.tenant("A").await;
    let provider = Scripted::new(&notes, |_| at_once(success()));
    let engine = world
        .engine_on(wire.store(&world).await, provider, Limits::default())
        .await;
    let what = tenant.remembered(None, "body");
    wire.arm();
    let submitted = tenant
        .send(&engine, read(vec![card("1", "4111111111111111")], None), what)
        .await;
    assert!(!wire.is_armed());
    let Ok(Submitted::New(reply)) = submitted else {
        panic!("not acknowledged")
    };
    tenant.status(reply.parse().unwrap()).await;
    let again = tenant.send(&engine, read(accounts(1), None), what).await.unwrap();
    assert_eq!(again, Submitted::Replayed(reply));
    world.finish(&engine).await;
    // It is in every respect a batch that this process took.
    assert_eq!(notes.all()[0].cvv.as_deref(), Some(CVV));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_that_are_there_are_not_recorded_again() {
    let (world, wire, notes) = (world().await, Wire::default(), Notes::default());
    let (tenant, gate) = (world.tenant("A").await, Arc::new(Semaphore::new(0)));
    let provider = {
        let gate = gate.clone();
        Scripted::new(&notes, move |_| gated(&gate))
    };
    let engine = world
        .engine_on(wire.store(&world).await, provider, Limits::default())
        .await;
    let (stopper, stop) = Stopper::new();
    let batch_id = tenant.submit(&engine, accounts(5)).await;
    let running = tokio::spawn(engine.clone().run_checks(stop));
    let poll = world.clock.now().after(std::time::Duration::from_secs(2));
    until("all are called, and nothing else is to do", async || {
        notes.count() == 5 && world.clock.next_wake() == Some(poll)
    })
    .await;
    wire.arm();
    gate.add_permits(5);
    until("the answer is lost", async || !wire.is_armed()).await;
    // However the five were spread over commits, those whose answer was lost are tried again.
    until("they are settled", async || {
        world.pass_time().await;
        tenant.status(batch_id).await.completed_at.is_some()
    })
    .await;
    stopper.advance(Phase::Draining);
    running.await.unwrap();
    assert_eq!((notes.count(), tenant.results(batch_id).await.len()), (5, 5));
    world.assert_idle().await;
}
