//! What happened that somebody outside should hear of.

/// The kind of an event, as its `type` says on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// Every check of a batch has its result.
    BalanceBatchCompleted,
}

impl EventKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BalanceBatchCompleted => "BALANCE_BATCH_COMPLETED",
        }
    }
}
