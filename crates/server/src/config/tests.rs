use super::*;

fn example() -> &'static str {
    include_str!("../../../../tidemark.example.toml")
}

fn resolved(flags: Layer, environment: Layer) -> Options {
    Options::resolve(flags, environment).unwrap()
}

fn in_folder() -> Layer {
    Layer {
        data_dir: Some(PathBuf::from("d")),
        ..Layer::default()
    }
}

/// The lines of the example that set something, uncommented.
fn all_set() -> String {
    let sets = |line: &&str| {
        line.split_once(" = ")
            .is_some_and(|(name, _)| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
    };
    example()
        .lines()
        .filter_map(|line| {
            line.strip_prefix('#')
                .filter(sets)
                .or_else(|| line.starts_with('[').then_some(line))
        })
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn the_example_file_says_what_is_so_without_it() {
    assert_eq!(toml::from_str::<Layer>(example()).unwrap(), Layer::default());
}

#[test]
fn the_example_file_shows_every_value_there_is() {
    let set: toml::Table = toml::from_str(&all_set()).unwrap();
    toml::from_str::<Layer>(&all_set()).unwrap();
    let mut shown: Vec<String> = Vec::new();
    for (name, value) in &set {
        match value.as_table() {
            None => shown.push(name.clone()),
            Some(section) => shown.extend(section.keys().map(|inner| format!("{name}.{inner}"))),
        }
    }
    let mut known: Vec<String> = resolved(in_folder(), Layer::default())
        .said
        .iter()
        .map(|said| said.name.to_owned())
        .chain(["database_url_file".to_owned()])
        .collect();
    known.sort();
    shown.sort();
    assert_eq!(shown, known);
}

/// Where the example gives a default as a value, it is the one that holds.
#[test]
fn the_defaults_that_the_example_shows_are_the_ones_that_hold() {
    let options = resolved(in_folder(), Layer::default());
    for said in &options.said {
        let (section, name) = said.name.split_once('.').unwrap_or(("", said.name));
        let line = example()
            .lines()
            .find(|line| line.starts_with(&format!("#{name} = ")))
            .unwrap();
        let shown = [
            "listen",
            "log",
            "database_connections",
            "client_connections",
            "requests_per_second",
            "request_burst",
        ];
        if !section.is_empty() || shown.contains(&said.name) {
            let (_, value) = line.split_once(" = ").unwrap();
            assert_eq!(value.trim_matches('"'), said.value, "{}", said.name);
        }
        assert_eq!(
            said.origin == Origin::Default,
            said.name != "data_dir",
            "{}",
            said.name
        );
    }
    assert_eq!(options.checks, Checks::default());
    assert_eq!(options.requests, Some(DEFAULT_REQUESTS));
}

#[test]
fn an_unknown_name_is_refused() {
    assert!(toml::from_str::<Layer>("listne = \"127.0.0.1:1\"").is_err());
    assert!(toml::from_str::<Layer>("[checks]\nlease = 3").is_err());
    assert!(toml::from_str::<Layer>("[dashboard]\nhours = 3").is_err());
    assert!(toml::from_str::<Layer>("config = \"other.toml\"").is_err());
}

#[test]
fn a_flag_goes_before_the_environment_and_that_before_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tidemark.toml");
    let text = "listen = \"127.0.0.1:3\"\npublic_url = \"https://file/\"\nlog = \"json\"\n[checks]\nlease_seconds = 2\n";
    std::fs::write(&path, text).unwrap();
    let flags = Layer {
        config: Some(path.clone()),
        listen: Some("127.0.0.1:1".parse().unwrap()),
        ..in_folder()
    };
    let environment = Layer {
        listen: Some("127.0.0.1:2".parse().unwrap()),
        public_url: Some("https://environment/".to_owned()),
        ..Layer::default()
    };
    let options = resolved(flags, environment);
    assert_eq!(options.listen.port(), 1);
    assert_eq!(options.public_url.as_deref(), Some("https://environment"));
    assert_eq!(options.log, LogFormat::Json);
    assert_eq!(options.checks.settings.lease, Duration::from_secs(2));
    assert!(options.checks.limits.deadline < options.checks.settings.lease);
    let origin = |name: &str| {
        options
            .said
            .iter()
            .find(|said| said.name == name)
            .unwrap()
            .origin
            .clone()
    };
    assert_eq!(origin("listen"), Origin::Flag);
    assert_eq!(origin("public_url"), Origin::Environment);
    assert_eq!(origin("checks.lease_seconds"), Origin::File(path));
    assert_eq!(origin("checks.burst"), Origin::Default);
}

#[test]
fn no_requests_a_second_means_no_limit() {
    let limit = |per_second| {
        let flags = Layer {
            requests_per_second: Some(per_second),
            request_burst: Some(9),
            ..in_folder()
        };
        resolved(flags, Layer::default()).requests
    };
    assert_eq!(limit(0), None);
    let three = Rate {
        per_second: 3,
        burst: 9,
    };
    assert_eq!(limit(3), Some(three));
}

#[test]
fn variables_are_a_layer_and_an_empty_one_says_nothing() {
    let layer = Layer::from_environment(|name| match name {
        "TIDEMARK_DATA_DIR" => Some("/data".to_owned()),
        "TIDEMARK_METRICS_LISTEN" => Some("127.0.0.1:9464".to_owned()),
        "TIDEMARK_REQUESTS_PER_SECOND" => Some("7".to_owned()),
        _ => Some(String::new()),
    });
    let said = Layer {
        data_dir: Some(PathBuf::from("/data")),
        metrics_listen: Some("127.0.0.1:9464".parse().unwrap()),
        requests_per_second: Some(7),
        ..Layer::default()
    };
    assert_eq!(layer.unwrap(), said);
    let wrong = Layer::from_environment(|name| (name == "TIDEMARK_LISTEN").then(|| "8443".to_owned()));
    assert!(wrong.unwrap_err().to_string().contains("TIDEMARK_LISTEN"));
    let wrong = Layer::from_environment(|name| (name == "TIDEMARK_REQUEST_BURST").then(|| "-1".to_owned()));
    assert!(wrong.unwrap_err().to_string().contains("TIDEMARK_REQUEST_BURST"));
}

#[test]
fn the_database_may_come_from_a_file_and_no_password_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("url");
    std::fs::write(&path, "postgres://tide:hun@ter2@db:5432/tidemark\n").unwrap();
    let flags = Layer {
        database_url_file: Some(path),
        ..in_folder()
    };
    let options = resolved(flags.clone(), Layer::default());
    assert_eq!(options.database_url, "postgres://tide:hun@ter2@db:5432/tidemark");
    let shown = format!("{:?}", options.said);
    assert!(shown.contains("postgres://tide@db:5432/tidemark"), "{shown}");
    assert!(!shown.contains("hun"), "{shown}");
    let both = Layer {
        database_url: Some("sqlite://x".to_owned()),
        ..flags
    };
    assert!(Options::resolve(both, Layer::default()).is_err());
}

#[test]
fn what_makes_no_sense_is_refused() {
    let refused = |text: &str| {
        Options::resolve(
            Layer {
                data_dir: Some("d".into()),
                ..toml::from_str(text).unwrap()
            },
            Layer::default(),
        )
    };
    for text in [
        "tls_cert = \"c\"",
        "public_url = \"http://x\"",
        "database_connections = 1",
        "requests_per_second = 1000001",
        "request_burst = 0",
        "client_connections = 0",
        "[checks]\nlease_seconds = 1",
        "[checks]\nconcurrent = 0",
    ] {
        assert!(refused(text).is_err(), "{text}");
    }
    assert!(
        Options::resolve(Layer::default(), Layer::default()).is_err(),
        "no database"
    );
    let only_database = Layer {
        database_url: Some("sqlite://x".to_owned()),
        ..Layer::default()
    };
    assert!(
        Options::resolve(only_database, Layer::default()).is_err(),
        "no master key"
    );
}
