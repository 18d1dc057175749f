//! The directory of institutions.

use tidemark_domain::account::RoutingNumber;
use tidemark_domain::institution::{BUILT_IN, Directory, InstitutionNo};

use crate::backend::{WriteConn, on};
use crate::error::{Error, Result};
use crate::open::Store;

impl Store {
    /// Every institution that is known.
    pub async fn directory(&self) -> Result<Directory> {
        const NAMES: &str = "SELECT institution_no, name FROM institutions";
        const ROUTING: &str = "SELECT routing_number, institution_no FROM routing_numbers";
        let (names, routing) = self
            .read("directory", |reader| {
                Box::pin(async move {
                    let names: Vec<(i32, String)> =
                        on!(&mut reader.conn, |c| sqlx::query_as(NAMES).fetch_all(c).await)?;
                    let routing: Vec<(String, i32)> =
                        on!(&mut reader.conn, |c| sqlx::query_as(ROUTING).fetch_all(c).await)?;
                    Ok((names, routing))
                })
            })
            .await?;
        let routing: Vec<_> = routing
            .into_iter()
            .map(|(number, no)| match RoutingNumber::parse(&number) {
                Ok(number) => Ok((number, InstitutionNo(no))),
                Err(_) => Err(Error::corrupt("routing_numbers", "routing_number", number)),
            })
            .collect::<Result<_>>()?;
        Ok(Directory::new(
            names.into_iter().map(|(no, name)| (InstitutionNo(no), name)),
            routing,
        ))
    }
}

/// Fills a fresh database's directory.
pub(crate) async fn add_built_in(conn: &mut WriteConn) -> Result<()> {
    const NAME: &str =
        "INSERT INTO institutions (institution_no, name) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    const ROUTING: &str =
        "INSERT INTO routing_numbers (routing_number, institution_no) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    for (no, (routing, name)) in (1_i32..).zip(BUILT_IN) {
        on!(conn, |c| sqlx::query(NAME)
            .bind(no)
            .bind(name)
            .execute(c)
            .await
            .map(|_| ()))?;
        on!(conn, |c| sqlx::query(ROUTING)
            .bind(routing)
            .bind(no)
            .execute(c)
            .await
            .map(|_| ()))?;
    }
    Ok(())
}
