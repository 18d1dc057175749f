//! The dashboard. [`views`] is what is seen: pages made from view models, charts, the stylesheet and scripts, plain data
//! in and HTML out; no view reads a database, knows a request, or is handed a private value that is not masked
//! already. [`routes`] lists every page and who may have it, [`guard`] lets them in, [`pages`] fills the views, and [`live`] keeps them up to
//! date.

mod address;
pub(crate) mod answer;
pub mod assets;
pub mod charts;
mod cookies;
pub mod format;
mod forms;
mod guard;
pub mod icons;
pub(crate) mod live;
mod pages;
pub mod routes;
#[cfg(any(test, feature = "testing"))]
pub mod samples;
#[cfg(test)]
mod tests;
pub mod views;
