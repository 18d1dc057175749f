//! The stylesheet's colours, held to WCAG 2.2 AA by computation, in both themes.

use std::collections::HashMap;

/// Text on what it stands on: at least 4.5 to 1.
const TEXT: [(&str, &[&str]); 12] = [
    ("ink", &["ground", "surface", "sunken", "tide-wash"]),
    ("soft", &["ground", "surface", "sunken", "tide-wash"]),
    ("tide", &["ground", "surface", "sunken", "tide-wash"]),
    ("tide-strong", &["ground", "surface"]),
    ("on-tide", &["tide", "tide-strong"]),
    ("good", &["good-wash", "surface"]),
    ("bad", &["bad-wash", "surface"]),
    ("on-bad", &["bad"]),
    ("warn", &["warn-wash"]),
    ("ink", &["good-wash"]),
    ("ink", &["bad-wash"]),
    ("ink", &["warn-wash"]),
];

/// Borders of controls, icons and bars: at least 3 to 1.
const SHAPES: [(&str, &[&str]); 10] = [
    ("edge", &["ground", "surface"]),
    ("tide", &["ground", "surface", "sunken"]),
    ("warn", &["surface"]),
    ("status-success", &["surface", "sunken", "ground"]),
    ("status-no-match", &["surface", "sunken", "ground"]),
    ("status-closed", &["surface", "sunken", "ground"]),
    ("status-bank", &["surface", "sunken", "ground"]),
    ("status-retrieval", &["surface", "sunken", "ground"]),
    ("status-retry", &["surface", "sunken", "ground"]),
    ("status-error", &["surface", "sunken", "ground"]),
];

/// Each token with its light and its dark colour.
fn tokens() -> HashMap<&'static str, [f64; 2]> {
    let css = include_str!("../../../assets/ui/ui.css");
    css.lines()
        .filter_map(|line| {
            let (name, colours) = line.trim().strip_prefix("--")?.split_once(": light-dark(")?;
            let (light, dark) = colours.strip_suffix(");")?.split_once(", ")?;
            Some((name, [luminance(light), luminance(dark)]))
        })
        .collect()
}

/// Relative luminance, as WCAG defines it, of `#rrggbb`.
fn luminance(colour: &str) -> f64 {
    let part = |at: usize| {
        let part = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
        if part <= 0.04045 {
            part / 12.92
        } else {
            ((part + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
}

fn ratio(one: f64, other: f64) -> f64 {
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

fn check(pairs: &[(&str, &[&str])], least: f64) {
    let tokens = tokens();
    for (front, backs) in pairs {
        for back in *backs {
            for theme in [0, 1] {
                let ratio = ratio(tokens[front][theme], tokens[back][theme]);
                assert!(ratio >= least, "{front} on {back}, theme {theme}: {ratio:.2}");
            }
        }
    }
}

#[test]
fn text_is_readable_on_whatever_it_stands() {
    check(&TEXT, 4.5);
}

#[test]
fn controls_icons_and_bars_stand_out() {
    check(&SHAPES, 3.0);
}

#[test]
fn a_colour_is_a_token_everywhere() {
    let css = include_str!("../../../assets/ui/ui.css");
    let rules = css.split_once("[data-theme=\"light\"]").unwrap().1;
    let colours: Vec<_> = rules
        .match_indices('#')
        .map(|(at, _)| &rules[at..at + 5])
        .collect();
    let allowed = ["#fff;", "#0b6e", "#list", "#live"];
    assert!(
        colours
            .iter()
            .all(|colour| allowed.iter().any(|one| colour.starts_with(one))),
        "{colours:?}"
    );
}
