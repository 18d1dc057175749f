//! How long users of the dashboard stay signed in.

use std::time::Duration;

use tidemark_engine::Sessions;

use super::Resolver;

impl Resolver {
    pub(super) fn sessions(&mut self) -> anyhow::Result<Sessions> {
        let idle = self.number("dashboard.session_idle_minutes", 60, 1..=1_440, |l| {
            l.dashboard.session_idle_minutes
        })?;
        let hours = self.number("dashboard.session_hours", 12, 1..=720, |l| {
            l.dashboard.session_hours
        })?;
        Ok(Sessions {
            idle: Duration::from_mins(idle),
            lifetime: Duration::from_hours(hours),
        })
    }
}
