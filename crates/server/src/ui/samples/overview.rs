//! The overview.

use tidemark_domain::money::Cents;
use tidemark_domain::user::Role;

use super::results::live;
use super::{DAY, Sample, ago, frame, sample};
use crate::ui::views::*;

fn running() -> Running {
    Running {
        batches: vec![
            live(1, BatchState::Processing, 1_200, [611, 41, 18, 24, 7, 2, 0]),
            live(2, BatchState::Processing, 200, [159, 16, 5, 11, 4, 0, 2]),
            live(4, BatchState::Pending, 5_000, [0; 7]),
        ],
        more: 2,
    }
}

fn overview(role: Role, running: Running, by_day: Vec<DayCounts>) -> Overview {
    let band = |from: Option<i64>, below: Option<i64>, count| BalanceBand {
        from: from.map(|dollars| Cents::new(dollars * 100)),
        below: below.map(|dollars| Cents::new(dollars * 100)),
        count,
    };
    let institution = |name: &str, failed, total| InstitutionFailures {
        name: name.to_owned(),
        failed,
        total,
    };
    Overview {
        frame: frame(role),
        running,
        days: 30,
        by_day,
        balances: vec![
            band(None, Some(0), 1_204),
            band(Some(0), Some(100), 3_877),
            band(Some(100), Some(500), 5_120),
            band(Some(500), Some(1_000), 3_045),
            band(Some(1_000), Some(5_000), 2_611),
            band(Some(5_000), None, 408),
        ],
        institutions: vec![
            institution("Discover Bank", 212, 640),
            institution("Navy Federal Credit Union", 96, 1_021),
            institution("U.S. Bank", 71, 2_240),
        ],
        any_batch: true,
    }
}

fn days(count: i64) -> Vec<DayCounts> {
    let results = |day: i64| {
        let day = u64::try_from(day).unwrap();
        // Weekends are quiet.
        if day % 7 > 4 {
            return [0; 7];
        }
        [
            520 + day * 37 % 310,
            38 + day * 11 % 40,
            9 + day % 9,
            22,
            day * 5 % 17,
            6,
            u64::from(day == 11) * 64,
        ]
    };
    (0..count)
        .map(|day| DayCounts {
            day: ago((count - 1 - day) * DAY).date(),
            counts: results(day),
        })
        .collect()
}

pub(super) fn all() -> Vec<Sample> {
    let quiet = || Running {
        batches: Vec::new(),
        more: 0,
    };
    let mut first = overview(Role::Operator, quiet(), days(30));
    first.any_batch = false;
    let mut first_of_viewer = overview(Role::Viewer, quiet(), days(30));
    first_of_viewer.any_batch = false;
    let mut nothing_lately = overview(Role::Admin, quiet(), Vec::new());
    (nothing_lately.balances, nothing_lately.institutions) = (Vec::new(), Vec::new());
    let mut all_well = overview(
        Role::Admin,
        quiet(),
        vec![DayCounts {
            day: (2026, 11, 27),
            counts: [12, 0, 0, 0, 0, 0, 0],
        }],
    );
    (all_well.days, all_well.institutions) = (7, Vec::new());
    vec![
        sample("overview", &overview(Role::Admin, running(), days(30))),
        sample("overview-first", &first),
        sample("overview-first-viewer", &first_of_viewer),
        sample("overview-nothing-lately", &nothing_lately),
        sample("overview-all-well", &all_well),
    ]
}
