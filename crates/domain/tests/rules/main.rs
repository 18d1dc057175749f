//! The rules of a submission (contract §2), each with what it accepts and what it refuses.

mod account;
mod batch;
mod builder;
mod faults;
mod identity;
mod metadata;
mod person;
mod privacy;
mod properties;
mod unique_id;
