//! What the system's table of processes tells of the nodes and of PostgreSQL.

use std::fs;

/// The kernel's unit for times of processes, the same on every machine.
const TICKS_A_SECOND: f64 = 100.0;

/// A process, with times in ticks.
struct Process {
    parent: u32,
    own: u32,
    /// Of its children that have ended.
    reaped: u32,
}

/// `None` where there is no such process any more.
fn process(pid: u32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Only the name, in parentheses, may hold spaces.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u32>().ok();
    Some(Process {
        parent: number(1)?,
        own: number(11)? + number(12)?,
        reaped: number(13)? + number(14)?,
    })
}

fn all() -> Vec<Process> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(process).collect()
}

/// The processors' time that these nodes have used, and the PostgreSQL server that has this session.
pub(crate) fn cpu_seconds(nodes: &[u32], backend: u32) -> f64 {
    let postmaster = process(backend).unwrap().parent;
    let nodes = nodes.iter().map(|pid| process(*pid).unwrap().own);
    let sessions = all().into_iter().filter(|process| process.parent == postmaster);
    let server = process(postmaster).unwrap();
    let ticks = nodes.sum::<u32>() + sessions.map(|session| session.own).sum::<u32>();
    f64::from(ticks + server.own + server.reaped) / TICKS_A_SECOND
}
