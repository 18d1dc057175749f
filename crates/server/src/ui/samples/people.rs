//! Pages of users, keys, sign-in and accounts.

use tidemark_domain::id::ApiKeyId;
use tidemark_domain::user::Role;

use super::{DAY, HOUR, MINUTE, Sample, ago, batch_id, frame, outside, sample, with_notice};
use crate::ui::charts;
use crate::ui::views::*;

const EMAIL: &str = "jane.doe@acme-lending.example";

pub(super) fn all() -> Vec<Sample> {
    [
        sign_in(),
        set_password(),
        second_factor(),
        keys(),
        users(),
        activity(),
        account(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn fault(field: &'static str, text: &str) -> FieldError {
    FieldError {
        field,
        text: text.to_owned(),
    }
}

fn sign_in() -> Vec<Sample> {
    let page = |email: &str, notice| SignIn {
        outside: outside(),
        email: email.to_owned(),
        next: "/batches".to_owned(),
        notice,
    };
    let code = |notice| SignInCode {
        outside: outside(),
        next: "/".to_owned(),
        notice,
    };
    vec![
        sample("sign-in", &page("", None)),
        sample("sign-in-wrong", &page(EMAIL, Some(SignInNotice::Wrong))),
        sample("sign-in-slowed", &page(EMAIL, Some(SignInNotice::Slowed(30)))),
        sample("sign-in-signed-out", &page("", Some(SignInNotice::SignedOut))),
        sample(
            "sign-in-session-ended",
            &page("", Some(SignInNotice::SessionEnded)),
        ),
        sample(
            "sign-in-password-set",
            &page(EMAIL, Some(SignInNotice::PasswordSet)),
        ),
        sample("sign-in-code", &code(None)),
        sample("sign-in-code-wrong", &code(Some(SignInNotice::Wrong))),
        sample("sign-in-code-slowed", &code(Some(SignInNotice::Slowed(1)))),
    ]
}

fn set_password() -> Vec<Sample> {
    let page = |errors| SetPassword {
        outside: outside(),
        token: "8fJq2xTn5vKcYw7RbZ3mLd".to_owned(),
        email: EMAIL.to_owned(),
        user_name: "Jane Doe".to_owned(),
        errors,
    };
    let errors = vec![
        fault("password", "The password has 9 characters. Take at least 12."),
        fault("again", "The two passwords differ. Type the same one twice."),
    ];
    vec![
        sample("set-password", &page(Vec::new())),
        sample("set-password-wrong", &page(errors)),
        sample("set-password-expired", &LinkExpired { outside: outside() }),
    ]
}

fn second_factor() -> Vec<Sample> {
    let address = "otpauth://totp/Tidemark:jane.doe%40acme-lending.example?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Tidemark";
    let page = |required, errors| Enrol {
        frame: frame(Role::Operator),
        required,
        qr: charts::qr(address, "Secret of the second factor, as a QR code").unwrap(),
        secret: "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP".to_owned(),
        errors,
    };
    let wrong = vec![fault(
        "code",
        "The code is wrong or too old. Type the one that the app shows now.",
    )];
    let codes = |just_enrolled| RecoveryCodes {
        frame: frame(Role::Operator),
        codes: (1..=10_u32)
            .map(|number| {
                let mixed = number.wrapping_mul(2_654_435_761);
                format!(
                    "{:04x}-{:04x}-{:04x}",
                    mixed >> 16,
                    mixed & 0xffff,
                    (mixed >> 7) & 0xffff
                )
            })
            .collect(),
        just_enrolled,
    };
    vec![
        sample("second-factor", &page(false, Vec::new())),
        sample("second-factor-required", &page(true, Vec::new())),
        sample("second-factor-wrong", &page(true, wrong)),
        sample("recovery-codes", &codes(true)),
        sample("recovery-codes-new", &codes(false)),
    ]
}

fn keys() -> Vec<Sample> {
    let key = |number: u8, name: &str, used: Option<i64>, revoked: Option<i64>| KeyRow {
        id: ApiKeyId::from_uuid(batch_id(number).uuid()),
        name: name.to_owned(),
        created_at: ago(i64::from(number) * 9 * DAY),
        last_used_at: used.map(ago),
        revoked_at: revoked.map(ago),
    };
    let page = |keys| Keys {
        frame: frame(Role::Admin),
        keys,
        made: None,
        name: String::new(),
        errors: Vec::new(),
    };
    let list = || {
        vec![
            key(1, "Nightly import", Some(9 * MINUTE), None),
            key(2, "Loan system, test", None, None),
            key(
                3,
                "Old laptop of the operations team in the north",
                Some(40 * DAY),
                Some(12 * DAY),
            ),
        ]
    };
    let mut made = page(list());
    made.made = Some(MadeKey {
        name: "Nightly import".to_owned(),
        key: "tm_live_EXAMPLEvQ8ZrJ2mXbT5yNcKd7LwHfUgEoSaPiR3kA1".to_owned(),
    });
    let mut wrong = page(list());
    wrong.name = "Nightly import".to_owned();
    wrong.errors = vec![fault(
        "name",
        "There is a key with this name already. Choose another name.",
    )];
    let mut revoked = page(list());
    revoked.frame = with_notice(Notice::Done(
        "The key is revoked. Programs that use it are refused.".to_owned(),
    ));
    vec![
        sample("keys", &page(list())),
        sample("keys-empty", &page(Vec::new())),
        sample("keys-made", &made),
        sample("keys-wrong", &wrong),
        sample("keys-revoked", &revoked),
    ]
}

fn user(number: u8, name: &str, role: Role, state: UserState, seen: Option<i64>) -> UserRow {
    let local = name.to_lowercase().replace(' ', ".").replace('é', "e");
    UserRow {
        id: batch_id(number).to_string(),
        name: name.to_owned(),
        email: format!("{local}@acme-lending.example"),
        role,
        state,
        second_factor: number < 3,
        last_sign_in_at: seen.map(ago),
        is_self: number == 1,
    }
}

fn list_of_users() -> Users {
    Users {
        frame: frame(Role::Admin),
        users: vec![
            user(1, "Jane Doe", Role::Admin, UserState::Active, Some(2 * HOUR)),
            user(2, "Luis Moreno", Role::Operator, UserState::Active, Some(3 * DAY)),
            user(3, "Renée Fournier", Role::Viewer, UserState::Invited, None),
            user(
                4,
                "Tyrone Adeyemi",
                Role::Operator,
                UserState::Disabled,
                Some(90 * DAY),
            ),
        ],
        link: None,
        form: UserForm::default(),
        second_factor_required: false,
    }
}

fn users() -> Vec<Sample> {
    let link = |user_name: &str, reset| OneTimeLink {
        user_name: user_name.to_owned(),
        url: "https://tidemark.example/set-password/8fJq2xTn5vKcYw7RbZ3mLd".to_owned(),
        expires_at: ago(-2 * DAY),
        reset,
    };
    let mut linked = list_of_users();
    linked.link = Some(link("Renée Fournier", false));
    let mut reset = list_of_users();
    reset.second_factor_required = true;
    reset.link = Some(link("Luis Moreno", true));
    let mut wrong = list_of_users();
    wrong.form = UserForm {
        email: "jane.doe".to_owned(),
        name: String::new(),
        role: Role::Viewer,
        errors: vec![
            fault("name", "Type the person's name."),
            fault(
                "email",
                "This is not an e-mail address. It needs an @ and a domain: jane@example.com.",
            ),
        ],
    };
    vec![
        sample("users", &list_of_users()),
        sample("users-link", &linked),
        sample("users-reset", &reset),
        sample("users-wrong", &wrong),
    ]
}

fn act(minutes: i64, who: &str, what: &str, object: Option<(&str, bool)>, from: Option<&str>) -> ActivityRow {
    ActivityRow {
        at: ago(minutes * MINUTE),
        who: who.to_owned(),
        what: what.to_owned(),
        object: object.map(|(name, page)| (name.to_owned(), page.then(|| format!("/batches/{name}")))),
        from: from.map(str::to_owned),
        request_id: from.map(|_| batch_id(5).to_string()),
    }
}

fn activity_of(rows: Vec<ActivityRow>) -> Activity {
    let choice = |value: &str, label: &str| Choice {
        value: value.to_owned(),
        label: label.to_owned(),
    };
    Activity {
        frame: frame(Role::Admin),
        filter: ActivityFilter::default(),
        actors: vec![choice("1", "Jane Doe"), choice("key-1", "API key Nightly import")],
        actions: vec![
            choice("sign-in", "Signed in"),
            choice("submit", "Submitted a batch"),
        ],
        paging: Paging {
            shown: format!("1–{0} of {0}", rows.len()),
            ..Paging::default()
        },
        rows,
    }
}

fn activity() -> Vec<Sample> {
    let (jane, office) = ("Jane Doe", Some("203.0.113.7"));
    let batch = batch_id(1).to_string();
    let rows = vec![
        act(2, jane, "Downloaded 3 batches as XLSX", None, office),
        act(
            31,
            jane,
            "Submitted a batch of 1,200",
            Some((&batch, true)),
            office,
        ),
        act(34, jane, "Signed in", None, office),
        act(
            95,
            "API key Nightly import",
            "Submitted a batch of 5,000",
            Some((&batch, true)),
            Some("2001:db8::42"),
        ),
        act(
            1_500,
            jane,
            "Revoked an API key",
            Some(("Old laptop", false)),
            office,
        ),
        act(
            1_503,
            "Luis Moreno",
            "Failed to sign in",
            None,
            Some("198.51.100.23"),
        ),
        act(4_000, "Command line", "Added a user", Some((jane, false)), None),
    ];
    let mut filtered = activity_of(Vec::new());
    filtered.filter.who = "key-1".to_owned();
    vec![
        sample("activity", &activity_of(rows)),
        sample("activity-empty", &activity_of(Vec::new())),
        sample("activity-filtered-empty", &filtered),
    ]
}

fn account() -> Vec<Sample> {
    let session = |number: u8, browser: &str, from: &str| SessionRow {
        id: batch_id(number).to_string(),
        started_at: ago(i64::from(number) * 5 * HOUR),
        last_seen_at: ago(i64::from(number - 1) * HOUR),
        from: from.to_owned(),
        browser: browser.to_owned(),
        current: number == 1,
        awaits_code: number == 3,
    };
    let on = |codes_left| SecondFactor::On { codes_left };
    let page = |second_factor| Account {
        frame: frame(Role::Admin),
        email: EMAIL.to_owned(),
        second_factor,
        second_factor_required: false,
        sessions: vec![
            session(1, "Firefox on Windows", "203.0.113.7"),
            session(2, "Safari on iPhone", "2001:db8::42"),
        ],
        failed: None,
    };
    let mut alone = page(SecondFactor::Off);
    alone.sessions.truncate(1);
    let mut half_open = page(on(10));
    half_open
        .sessions
        .push(session(3, "Chrome on Windows", "198.51.100.20"));
    let mut wrong = page(SecondFactor::Off);
    wrong.failed = Some((
        AccountForm::Password,
        vec![
            fault(
                "current",
                "This is not your password. Type the one that you signed in with.",
            ),
            fault("again", "The two passwords differ. Type the same one twice."),
        ],
    ));
    let mut wrong_factor = page(on(0));
    wrong_factor.failed = Some((
        AccountForm::SecondFactor,
        vec![fault(
            "code",
            "This is not the code that the app shows now. Type the newest one.",
        )],
    ));
    let mut required = page(on(8));
    required.second_factor_required = true;
    vec![
        sample("account", &page(on(8))),
        sample("account-without-second-factor", &alone),
        sample("account-half-open-session", &half_open),
        sample("account-second-factor-required", &required),
        sample("account-wrong-password", &wrong),
        sample("account-wrong-second-factor", &wrong_factor),
    ]
}
