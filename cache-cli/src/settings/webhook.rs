//! Where webhooks are received, and by which secret.

use super::{Problem, Reader, path, secret_source};
use fleet_cache::github::WebhookSecret;
use std::net::SocketAddr;

/// Where webhooks are received, and by which secret.
#[derive(Clone, Debug)]
pub(crate) struct WebhookSettings {
    /// Where GitHub, or what stands before this daemon, delivers.
    pub(crate) listen: SocketAddr,
    /// What the deliveries are signed with.
    pub(crate) secret: WebhookSecret,
}

impl Reader<'_> {
    /// One of the two settings alone is a mistake: nothing would be received, or anybody believed.
    pub(super) fn webhook(&mut self) -> Option<WebhookSettings> {
        let is_given = |reader: &Self, name| reader.given.value(super::definition(name)).is_some();
        let listen = self.listen("webhook-listen");
        let secret = self.one("webhook-secret-file", secret);
        let (is_listen_given, is_secret_given) = (listen.is_some(), is_given(self, "webhook-secret-file"));
        let listen = listen.flatten();
        if listen.is_some() && !is_secret_given {
            let problem = "would have to believe anybody; give --webhook-secret-file FILE as well, with the secret that \
                           the webhook has at GitHub";
            self.refuse("webhook-listen", problem);
        }
        if is_secret_given && !is_listen_given {
            let problem = "is of no use without an address; give --webhook-listen ADDR:PORT as well";
            self.refuse("webhook-secret-file", problem);
        }
        let (secret, warning) = secret?;
        self.warnings.extend(warning);
        let settings = WebhookSettings { listen: listen?, secret };
        self.check_remote_webhook(settings.listen);
        Some(settings)
    }

    /// Without webhooks nobody would tell of a change before the longer lifetimes are over.
    pub(super) fn pushed(&mut self) -> Vec<String> {
        let pushed = self.many("pushed", super::value::route);
        let listen = self.given.value(super::definition("webhook-listen"));
        if !pushed.is_empty() && listen.is_none_or(|listen| listen.texts.iter().all(|text| text == "none")) {
            let problem = "is of no use where nothing is pushed; give --webhook-listen ADDR:PORT and \
                           --webhook-secret-file FILE as well, or --route for a lifetime that holds without them";
            self.refuse("pushed", problem);
        }
        pushed
    }

    /// What comes to such an address is believed by its signature alone, so one deliberate step is enough here.
    fn check_remote_webhook(&mut self, address: SocketAddr) {
        if !address.ip().is_loopback() && !self.is_remote_allowed() {
            let port = address.port();
            let problem = format!(
                "is reached by other machines, in clear; give 127.0.0.1:{port} and let a server with TLS hand \
                 deliveries on, or give --allow-remote as well"
            );
            self.refuse("webhook-listen", &problem);
        }
    }
}

/// The secret in the file that `text` names, and a warning if others can read it.
fn secret(text: &str) -> Result<(WebhookSecret, Option<String>), Problem> {
    let (text, warning) = secret_source::read(&path(text)?, "the secret of a webhook")?;
    let secret =
        WebhookSecret::new(text.trim_end_matches(['\r', '\n'])).map_err(|error| error.to_string())?;
    Ok((secret, warning))
}
