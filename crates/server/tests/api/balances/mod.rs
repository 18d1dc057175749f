//! `/v1/balances`.

mod csv;
mod cuts;
mod get;
mod transfer;
