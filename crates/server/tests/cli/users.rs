//! Users, from the command line, while the server runs.

use serde_json::{Value, json};

use crate::support::{Said, Serving, tidemark};

struct Office {
    serving: Serving,
    _folder: tempfile::TempDir,
}

impl Office {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let serving = Serving::start(folder.path());
        serving.admin(&["requester", "add", "Lender"]).done();
        Self {
            serving,
            _folder: folder,
        }
    }

    fn user(&self, args: &[&str]) -> Said {
        self.serving.admin(&[&["user"], args].concat())
    }

    fn add(&self, email: &str, role: &str, more: &[&str]) -> Said {
        let args = [
            "add",
            "--requester",
            "Lender",
            "--email",
            email,
            "--name",
            "Ada",
            "--role",
            role,
        ];
        self.user(&[&args, more].concat())
    }

    /// Every user's address and state.
    fn states(&self) -> Vec<(String, String)> {
        let listed = self
            .user(&["list", "--requester", "Lender", "--json"])
            .done()
            .json();
        let text = |user: &Value, name: &str| user[name].as_str().unwrap().to_owned();
        let users = listed["users"].as_array().unwrap();
        users
            .iter()
            .map(|user| (text(user, "email"), text(user, "state")))
            .collect()
    }
}

#[test]
fn whoever_is_added_or_reset_gets_a_link() {
    let office = Office::new();
    let added = office.add("Ada@example.com", "admin", &[]).done();
    let link = added.stdout.trim_end();
    let token = link.strip_prefix("https://127.0.0.1:8443/set-password/").unwrap();
    assert_eq!(token.len(), 43, "{link}");
    assert!(
        added.stderr.contains("ada@example.com") && added.stderr.contains("24 hours"),
        "{}",
        added.stderr
    );
    assert!(!added.stderr.contains(token));
    let reset = office.user(&["reset", "ADA@example.com", "--json"]).done().json();
    assert_ne!(reset["link"], json!(link));
    assert_eq!(
        (&reset["link_hours"], &reset["role"]),
        (&json!(24), &json!("admin"))
    );
    let mut elsewhere = tidemark();
    elsewhere.env("TIDEMARK_PUBLIC_URL", "https://balances.example.com/");
    elsewhere
        .args(["user", "reset", "ada@example.com", "--data-dir"])
        .arg(&office.serving.data_dir);
    let said = Said::by(&mut elsewhere).done();
    assert!(
        said.stdout
            .starts_with("https://balances.example.com/set-password/"),
        "{}",
        said.stdout
    );
}

#[test]
fn users_are_listed_disabled_and_enabled() {
    let office = Office::new();
    office.add("ada@example.com", "admin", &[]).done();
    office.add("bob@example.com", "viewer", &["--json"]).done();
    let state = |email: &str, state: &str| (email.to_owned(), state.to_owned());
    let disabled = office.user(&["disable", "bob@example.com"]).done();
    assert_eq!(disabled.stdout, "disabled user bob@example.com (Ada)\n");
    assert_eq!(
        office.states(),
        [
            state("ada@example.com", "invited"),
            state("bob@example.com", "disabled")
        ]
    );
    assert_eq!(office.user(&["reset", "bob@example.com"]).code, 1);
    office.user(&["enable", "bob@example.com"]).done();
    assert_eq!(office.states()[1], state("bob@example.com", "invited"));
    let all = office.user(&["list"]).done();
    let expected =
        "ada@example.com  Ada  admin, invited  Lender\nbob@example.com  Ada  viewer, invited  Lender\n";
    assert_eq!(all.stdout, expected);
}

#[test]
fn what_cannot_be_is_refused_with_a_reason() {
    let office = Office::new();
    office.add("ada@example.com", "admin", &[]).done();
    for (said, code, word) in [
        (office.add("ada@example.com", "viewer", &[]), 1, "taken"),
        (office.add("ada", "viewer", &[]), 2, "name@domain"),
        (
            office.add("eve@example.com", "owner", &[]),
            2,
            "admin, operator or viewer",
        ),
        (
            office.add("eve@example.com", "viewer", &["--name", "\u{7}"]),
            2,
            "cannot be used multiple times",
        ),
        (
            office.user(&["disable", "ada@example.com"]),
            1,
            "last administrator",
        ),
        (office.user(&["disable", "eve@example.com"]), 1, "no such user"),
        (office.user(&["list", "--requester", "Nobody"]), 1, "no requester"),
    ] {
        assert_eq!(said.code, code, "{}", said.stderr);
        assert!(said.stderr.contains(word), "{word}: {}", said.stderr);
    }
    let unnamed = [
        "add",
        "--requester",
        "Lender",
        "--email",
        "x@example.com",
        "--name",
        " ",
        "--role",
        "viewer",
    ];
    assert_eq!(office.user(&unnamed).code, 2);
    assert_eq!(office.states().len(), 1);
}
