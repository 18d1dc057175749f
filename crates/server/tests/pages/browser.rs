//! What keeps a browser's cookie and sends forms as its pages do.

use reqwest::Method;

use crate::support::{Page, Site};

/// A browser: whatever cookie it was given last, it sends.
pub(crate) struct Browser<'s> {
    site: &'s Site,
    agent: &'static str,
    /// Name and value; none before somebody signs in, and after it was taken away.
    pub(crate) cookie: Option<String>,
}

impl<'s> Browser<'s> {
    pub(crate) fn open(site: &'s Site) -> Self {
        Self::called(site, "Mozilla/5.0 (Windows NT 10.0) Gecko/20100101 Firefox/145.0")
    }

    pub(crate) fn called(site: &'s Site, agent: &'static str) -> Self {
        Self {
            site,
            agent,
            cookie: None,
        }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Page {
        self.send(Method::GET, path, String::new()).await
    }

    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        self.send(Method::POST, path, body.finish()).await
    }

    async fn send(&mut self, method: Method, path: &str, body: String) -> Page {
        let mut request = self.site.client.request(method, self.site.url(path));
        for (name, value) in [
            ("user-agent", self.agent),
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-mode", "navigate"),
            ("content-type", "application/x-www-form-urlencoded"),
        ] {
            request = request.header(name, value);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        let page = Page::of(request.body(body).send().await.unwrap()).await;
        if let Some(set) = page.headers.get("set-cookie") {
            let (pair, attributes) = set.to_str().unwrap().split_once("; ").unwrap();
            assert!(
                pair.starts_with("__Host-tidemark="),
                "there is no other cookie: {pair}"
            );
            let kept = attributes == "Path=/; Secure; HttpOnly; SameSite=Lax";
            assert!(kept || attributes == "Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0");
            self.cookie = kept.then(|| pair.to_owned());
        }
        page
    }

    /// Signs in as far as the password leads, and returns where the browser is sent.
    pub(crate) async fn sign_in(&mut self, email: &str, password: &str) -> String {
        let fields = [("email", email), ("password", password), ("next", "/")];
        self.post("/sign-in", &fields).await.goes_to()
    }
}

impl Page {
    /// What stands between two texts.
    #[track_caller]
    pub(crate) fn between(&self, before: &str, after: &str) -> &str {
        let (_, rest) = self.text.split_once(before).expect("the first text");
        rest.split_once(after).expect("the second text").0
    }
}
