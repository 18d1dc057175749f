//! Lists in pages. A page begins behind a place of the list, and its address names the places of all pages gone through
//! before, so that there is a way back also where new entries come in at the front.

use crate::ui::format::ShowCount as _;
use crate::ui::forms::Fields;
use crate::ui::views::Paging;

/// The places of more pages are forgotten, the first ones first: an address has an end.
const MOST_MARKS: usize = 800;

/// How somebody came to a page: where each page began, and how much was before it.
#[derive(Default)]
pub(super) struct Trail(Vec<(u64, String)>);

/// A list as its address names it.
pub(super) struct List<'a> {
    pub(super) path: &'a str,
    pub(super) filter: Vec<(&'static str, String)>,
}

/// What is on a page.
pub(super) struct Shown {
    pub(super) count: usize,
    /// Where the next page begins, if there is one.
    pub(super) next: Option<String>,
    pub(super) total: u64,
    /// Whether there are no more than `total`.
    pub(super) is_exact: bool,
}

impl Trail {
    /// Reads `after`, once for each page, and where the page begins. Whatever is malformed is the first page.
    pub(super) fn of<T>(fields: &Fields, place: impl Fn(&str) -> Option<T>) -> (Self, Option<T>) {
        let mark = |text: &str| {
            let (before, place) = text.split_once('.')?;
            Some((before.parse().ok()?, place.to_owned()))
        };
        let marks: Option<Vec<(u64, String)>> = fields.all("after").map(mark).collect();
        let trail = Self(marks.unwrap_or_default());
        match trail.0.last().map(|(_, text)| place(text)) {
            Some(Some(place)) => (trail, Some(place)),
            _ => (Self::default(), None),
        }
    }

    pub(super) fn paging(mut self, list: &List<'_>, shown: Shown) -> Paging {
        let before = self.0.last().map_or(0, |(before, _)| *before);
        let last = before + shown.count.count();
        let text = match (shown.count, shown.is_exact) {
            (0, _) => String::new(),
            (_, true) => format!(
                "{} of {}",
                span(before + 1, last),
                shown.total.max(last).grouped()
            ),
            (_, false) => format!(
                "{} of more than {}",
                span(before + 1, last),
                shown.total.grouped()
            ),
        };
        let previous = self.0.split_last().map(|(_, marks)| list.address(marks));
        let next = shown.next.map(|place| {
            self.0.push((last, place));
            let from = self.0.len().saturating_sub(MOST_MARKS);
            list.address(&self.0[from..])
        });
        Paging {
            shown: text,
            previous,
            next,
        }
    }
}

/// "1–50", or "51" where there is one alone.
pub(super) fn span(first: u64, last: u64) -> String {
    if first == last {
        return first.grouped();
    }
    format!("{}–{}", first.grouped(), last.grouped())
}

impl List<'_> {
    fn address(&self, marks: &[(u64, String)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in self.filter.iter().filter(|(_, value)| !value.is_empty()) {
            query.append_pair(name, value);
        }
        for (before, place) in marks {
            query.append_pair("after", &format!("{before}.{place}"));
        }
        match query.finish().as_str() {
            "" => self.path.to_owned(),
            query => format!("{}?{query}", self.path),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Uri;

    use super::*;

    fn fields(address: &str) -> Fields {
        Fields::of_query(&address.parse::<Uri>().unwrap())
    }

    fn turn(address: &str, next: Option<&str>) -> (Option<i32>, Paging) {
        let (trail, after) = Trail::of(&fields(address), |text| text.parse::<i32>().ok());
        let list = List {
            path: "/list",
            filter: vec![("status", "A&B".to_owned()), ("from", String::new())],
        };
        let shown = Shown {
            count: 50,
            next: next.map(str::to_owned),
            total: 120,
            is_exact: true,
        };
        (after, trail.paging(&list, shown))
    }

    #[test]
    fn one_thing_is_no_range() {
        assert_eq!(
            [span(1, 1), span(1, 50), span(1_001, 1_001)],
            ["1", "1–50", "1,001"]
        );
    }

    #[test]
    fn pages_lead_on_and_back_with_the_filter() {
        let (after, first) = turn("/list", Some("50"));
        assert_eq!(
            (after, first.shown.as_str(), first.previous),
            (None, "1–50 of 120", None)
        );
        let (after, second) = turn(&first.next.unwrap(), Some("107"));
        assert_eq!((after, second.shown.as_str()), (Some(50), "51–100 of 120"));
        assert_eq!(second.previous.as_deref(), Some("/list?status=A%26B"));
        let (after, third) = turn(&second.next.unwrap(), None);
        assert_eq!((after, third.next), (Some(107), None));
        assert_eq!(turn(&third.previous.unwrap(), None).0, Some(50));
    }

    #[test]
    fn a_place_that_is_none_is_the_first_page() {
        for address in [
            "/list?after=x",
            "/list?after=5",
            "/list?after=5.x",
            "/list?after=1.1&after=.",
        ] {
            let (after, paging) = turn(address, None);
            assert_eq!((after, paging.previous), (None, None), "{address}");
        }
    }

    #[test]
    fn an_address_never_grows_beyond_its_end() {
        let mut address = "/list".to_owned();
        for place in 0..MOST_MARKS + 5 {
            address = turn(&address, Some(&place.to_string())).1.next.unwrap();
        }
        assert_eq!(address.matches("after=").count(), MOST_MARKS);
        let far = (MOST_MARKS + 5) * 50;
        assert!(
            address.ends_with(&format!("after={far}.{}", MOST_MARKS + 4)),
            "{address}"
        );
    }
}
