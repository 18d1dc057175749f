//! Charts as SVG, made on the server. Each has a name for screen readers; the numbers themselves stand in a table
//! beside it. Colours and sizes come from the stylesheet: nothing here has a style of its own.
//!
//! Pictures are stretched to their place, so that they hold no text and no circles; labels are HTML around them.

use std::fmt::Write as _;

use qrcodegen::{QrCode, QrCodeEcc};
use tidemark_domain::clock::Timestamp;
use tidemark_domain::money::Cents;
use tidemark_domain::outcome::Status;

use super::format::{Html, ShowCents as _, ShowCount, ShowShare as _, date, short_date, whole_dollars};
use super::views::{DayCounts, StatusWords as _};
use crate::html::escape;

/// The inner size of every stretched picture.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 100.0;

/// A row's bar: `count` of `most`, in the colour of `class`. The number stands beside it, so it is not read out.
pub fn bar(count: u64, most: u64, class: &str) -> Html {
    let width = fraction(count, most) * WIDTH;
    Html::new(format!(
        "<svg class=\"bar\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\" focusable=\"false\">\
         <rect class=\"track\" width=\"1000\" height=\"10\"/>\
         <rect class=\"fill-{class}\" width=\"{width:.1}\" height=\"10\"/></svg>"
    ))
}

/// How far a batch is, by status. `counts` in the order of [`Status::ALL`].
pub fn progress(counts: &[u32; Status::ALL.len()], total: u32) -> Html {
    let done: u32 = counts.iter().sum();
    let label = format!(
        "{} of {} done, {}",
        done.grouped(),
        total.grouped(),
        done.share_of(total)
    );
    let mut svg = format!(
        "<svg class=\"bar progress\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"{label}\"><rect class=\"track\" width=\"1000\" height=\"10\"/>"
    );
    let mut x = 0.0;
    for status in Status::ALL {
        let count = counts[status.index()];
        if count == 0 {
            continue;
        }
        let width = fraction(u64::from(count), u64::from(total)) * WIDTH;
        let _ = write!(
            svg,
            "<rect class=\"fill-{}\" x=\"{x:.1}\" width=\"{width:.1}\" height=\"10\"/>",
            status.class()
        );
        x += width;
    }
    svg.push_str("</svg>");
    Html::new(svg)
}

/// Results a day, stacked by status, with axes. Empty where no day has any.
pub fn stacked_days(days: &[DayCounts]) -> Html {
    let most = days.iter().map(|day| day.counts.iter().sum()).max().unwrap_or(0);
    if most == 0 {
        return Html::new(String::new());
    }
    let top = round_up(most);
    let all: u64 = days.iter().flat_map(|day| day.counts).sum();
    let mut svg = picture(
        "days",
        &format!("{} results in {} days, by status", all.grouped(), days.len()),
    );
    let step = WIDTH / as_float(days.len() as u64);
    let mut stacks = [const { String::new() }; Status::ALL.len()];
    let mut tooltips = String::new();
    for (place, day) in days.iter().enumerate() {
        let x = as_float(place as u64) * step;
        push_day(&mut stacks, day, (x + step * 0.12, step * 0.76), top);
        push_tooltip(&mut tooltips, day, (x, step));
    }
    for (status, stack) in Status::ALL.into_iter().zip(&stacks) {
        if !stack.is_empty() {
            let _ = write!(svg, "<path class=\"fill-{}\" d=\"{stack}\"/>", status.class());
        }
    }
    svg.push_str(&tooltips);
    svg.push_str("</svg>");
    let labels = days.iter().map(|day| short_date(day.day)).collect::<Vec<_>>();
    Html::new(plot(
        &[top.grouped(), (top / 2).grouped(), "0".to_owned()],
        &svg,
        &spread(&labels),
    ))
}

/// One day's stack, each part in the path of its status: a shape for each would make the page half as heavy again.
fn push_day(stacks: &mut [String; Status::ALL.len()], day: &DayCounts, (x, width): (f64, f64), top: u64) {
    let mut y = HEIGHT;
    for status in Status::ALL {
        let height = fraction(day.counts[status.index()], top) * HEIGHT;
        if height > 0.0 {
            y -= height;
            let _ = write!(
                stacks[status.index()],
                "M{x:.1} {y:.2}v{height:.2}h{width:.1}v-{height:.2}z"
            );
        }
    }
}

/// One day's numbers, over the whole height of the picture.
fn push_tooltip(svg: &mut String, day: &DayCounts, (x, step): (f64, f64)) {
    let total: u64 = day.counts.iter().sum();
    if total == 0 {
        return;
    }
    let _ = write!(
        svg,
        "<path class=\"day\" d=\"M{x:.1} 0v100h{step:.1}V0z\"><title>{}: {} results",
        date(day.day),
        total.grouped()
    );
    for status in Status::ALL {
        let count = day.counts[status.index()];
        if count > 0 {
            let _ = write!(svg, "; {} {}", status.label(), count.grouped());
        }
    }
    svg.push_str("</title></path>");
}

/// Balances over time, the oldest first. Empty where there are fewer than two: one point is no line.
pub fn line(points: &[(Timestamp, Cents)]) -> Html {
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return Html::new(String::new());
    };
    if points.len() < 2 || first.0 == last.0 {
        return Html::new(String::new());
    }
    let (low, high) = points.iter().fold((0, 0), |(low, high), (_, amount)| {
        (amount.get().min(low), amount.get().max(high))
    });
    let (low, high) = (round_away(low), round_away(high));
    let span = as_signed_float(high) - as_signed_float(low);
    let span = if span > 0.0 { span } else { 1.0 };
    let y = |cents: i64| (as_signed_float(high) - as_signed_float(cents)) / span * HEIGHT;
    let whole = as_float(micros(last.0) - micros(first.0));
    let x = |at: Timestamp| as_float(micros(at) - micros(first.0)) / whole * 980.0 + 10.0;

    let name = format!(
        "Balance from {} on {} to {} on {}",
        first.1.usd(),
        date(first.0.date()),
        last.1.usd(),
        date(last.0.date())
    );
    let mut svg = picture("line", &name);
    let _ = write!(svg, "<path class=\"zero\" d=\"M0 {0:.2}H1000\"/>", y(0));
    let mut path = String::new();
    for (place, (at, amount)) in points.iter().enumerate() {
        let pen = if place == 0 { 'M' } else { 'L' };
        let _ = write!(path, "{pen}{:.1} {:.2}", x(*at), y(amount.get()));
    }
    let _ = write!(svg, "<path class=\"stroke\" d=\"{path}\"/>");
    for (at, amount) in points {
        // A line of no length with round ends is a dot that no stretching deforms.
        let _ = write!(
            svg,
            "<path class=\"dot\" d=\"M{:.1} {:.2}h0\"><title>{}: {}</title></path>",
            x(*at),
            y(amount.get()),
            date(at.date()),
            amount.usd()
        );
    }
    svg.push_str("</svg>");
    Html::new(plot(
        &[whole_dollars(Cents::new(high)), whole_dollars(Cents::new(low))],
        &svg,
        &[date(first.0.date()), date(last.0.date())],
    ))
}

/// A text as a QR code, dark on white in both themes, or nothing where it is too long for one.
pub fn qr(text: &str, name: &str) -> Option<Html> {
    const QUIET: i32 = 4;
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let size = code.size();
    let mut path = String::new();
    for y in 0..size {
        let mut x = 0;
        while x < size {
            let begin = x;
            while x < size && code.get_module(x, y) {
                x += 1;
            }
            if x > begin {
                let _ = write!(
                    path,
                    "M{} {}h{}v1H{}z",
                    begin + QUIET,
                    y + QUIET,
                    x - begin,
                    begin + QUIET
                );
            }
            x += 1;
        }
    }
    let whole = size + 2 * QUIET;
    Some(Html::new(format!(
        "<svg class=\"qr\" viewBox=\"0 0 {whole} {whole}\" role=\"img\" aria-label=\"{}\" shape-rendering=\"crispEdges\">\
         <rect width=\"{whole}\" height=\"{whole}\" fill=\"#fff\"/><path d=\"{path}\" fill=\"#000\"/></svg>",
        escape(name)
    )))
}

/// The beginning of a stretched picture with its name.
fn picture(class: &str, name: &str) -> String {
    let name = escape(name);
    format!(
        "<svg class=\"{class}\" viewBox=\"0 0 1000 100\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{name}\">\
         <path class=\"grid\" d=\"M0 0H1000M0 50H1000M0 100H1000\"/>"
    )
}

/// A picture with what stands left of it, from the top down, and below it. The table beside it says the same, so
/// screen readers pass over the labels.
fn plot(left: &[String], svg: &str, below: &[String]) -> String {
    let spans = |labels: &[String]| {
        labels
            .iter()
            .map(|label| format!("<span>{}</span>", escape(label)))
            .collect::<String>()
    };
    format!(
        "<div class=\"plot\"><div class=\"axis-y\" aria-hidden=\"true\">{}</div>{svg}\
         <div class=\"axis-x\" aria-hidden=\"true\">{}</div></div>",
        spans(left),
        spans(below)
    )
}

/// At most four of many labels: the first, the last, and two between.
fn spread(labels: &[String]) -> Vec<String> {
    if labels.len() <= 4 {
        return labels.to_vec();
    }
    let last = labels.len() - 1;
    [0, last / 3, last * 2 / 3, last]
        .into_iter()
        .map(|place| labels[place].clone())
        .collect()
}

/// The next number that an axis may end with, and that has a half: 2, 4, 6, 8, 10, 20, 40 …
fn round_up(value: u64) -> u64 {
    let mut unit: u64 = 1;
    loop {
        for step in [2, 4, 6, 8, 10] {
            let end = unit.saturating_mul(step);
            if end >= value {
                return end;
            }
        }
        unit = unit.saturating_mul(10);
    }
}

/// The same for amounts of either sign, in whole dollars.
fn round_away(cents: i64) -> i64 {
    let dollars = cents.unsigned_abs().div_ceil(100);
    let end = match dollars {
        0 => 0,
        dollars => i64::try_from(round_up(dollars))
            .unwrap_or(i64::MAX)
            .saturating_mul(100),
    };
    if cents < 0 { -end } else { end }
}

fn micros(at: Timestamp) -> u64 {
    u64::try_from(at.as_micros()).unwrap_or(0)
}

fn fraction(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    as_float(part.min(whole)) / as_float(whole)
}

/// Pictures are less exact than any number that is lost here.
#[allow(clippy::cast_precision_loss)]
fn as_float(value: u64) -> f64 {
    value as f64
}

#[allow(clippy::cast_precision_loss)]
fn as_signed_float(value: i64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_a_round_number_that_has_a_half() {
        let ends: Vec<_> = [1, 2, 3, 7, 10, 11, 99, 100, 1_234].map(round_up).into();
        assert_eq!(ends, [2, 2, 4, 8, 10, 20, 100, 100, 2_000]);
        assert_eq!(round_away(-8_368), -10_000);
        assert_eq!(round_away(0), 0);
    }

    #[test]
    fn a_stack_is_as_high_as_its_share_of_the_axis() {
        let mut counts = [0; 7];
        (counts[0], counts[1]) = (6, 2);
        let days = [DayCounts {
            day: (2026, 11, 27),
            counts,
        }];
        let svg = stacked_days(&days).to_string();
        assert!(svg.contains("d=\"M120.0 25.00v75.00h760.0v-75.00z\""), "{svg}");
        assert!(svg.contains("d=\"M120.0 0.00v25.00h760.0v-25.00z\""), "{svg}");
        assert!(
            svg.contains("<title>27 Nov 2026: 8 results; Success 6; No match 2</title>"),
            "{svg}"
        );
    }

    #[test]
    fn no_results_make_no_chart() {
        let days = [DayCounts {
            day: (2026, 11, 27),
            counts: [0; 7],
        }];
        assert_eq!(stacked_days(&days).to_string(), "");
        assert_eq!(stacked_days(&[]).to_string(), "");
        let once = (Timestamp::from_micros(1), Cents::new(5));
        assert_eq!(line(&[once]).to_string(), "");
        assert_eq!(line(&[once, once]).to_string(), "");
    }

    #[test]
    fn a_balance_below_zero_lies_below_the_line_of_zero() {
        let day = 86_400_000_000;
        let svg = line(&[
            (Timestamp::from_micros(day), Cents::new(10_000)),
            (Timestamp::from_micros(2 * day), Cents::new(-10_000)),
        ])
        .to_string();
        assert!(svg.contains("d=\"M0 50.00H1000\""), "{svg}");
        assert!(svg.contains("M10.0 0.00L990.0 100.00"), "{svg}");
        assert!(
            svg.contains("Balance from $100.00 on 2 Jan 1970 to −$100.00 on 3 Jan 1970"),
            "{svg}"
        );
    }

    #[test]
    fn progress_tells_its_numbers_to_a_screen_reader() {
        let svg = progress(&[150, 50, 0, 0, 0, 0, 0], 400).to_string();
        assert!(svg.contains("aria-label=\"200 of 400 done, 50%\""), "{svg}");
        assert!(
            svg.contains("class=\"fill-no-match\" x=\"375.0\" width=\"125.0\""),
            "{svg}"
        );
    }

    #[test]
    fn a_qr_code_has_its_quiet_zone_and_a_name() {
        let svg = qr("otpauth://totp/Tidemark:a@b.example?secret=ABC", "For \"you\"")
            .unwrap()
            .to_string();
        assert!(svg.contains("aria-label=\"For &quot;you&quot;\""), "{svg}");
        assert!(
            svg.contains("d=\"M4 4h7"),
            "the corner's square begins behind the quiet zone: {svg}"
        );
        assert!(qr(&"x".repeat(5_000), "").is_none());
    }
}
