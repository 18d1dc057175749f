//! The dashboard as it is seen: pages made from view models, charts, the stylesheet and scripts. Everything here is
//! plain data in and HTML out: no page reads a database, knows a request, or is handed a private value that is not
//! masked already.

pub mod assets;
pub mod charts;
pub mod format;
pub mod icons;
#[cfg(any(test, feature = "testing"))]
pub mod samples;
#[cfg(test)]
mod tests;
pub mod views;
