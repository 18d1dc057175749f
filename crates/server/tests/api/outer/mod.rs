//! What clients get whose bytes never become a request, or come when nothing is taken in any more.

mod ending;
mod http1;
mod http2;
mod raw;
