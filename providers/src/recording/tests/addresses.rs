//! Which addresses are admitted, and who is shown a login.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse;
use axum::routing::get;
use domain::ports::{RecordingError, RecordingHost, Recordings as _};
use reqwest::Url;

use super::super::places::{Login, Places, Reach};
use super::super::{RecordingClient, RecordingSettings};
use super::{Names, SOUND, has_login, limits, login, place, read, refused, serve};

const TWILIO: &str = "https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE1";

fn product(simulated: Option<&str>) -> RecordingClient {
    RecordingClient::new(RecordingSettings {
        hosts: vec![RecordingHost::parse("recordings.example").unwrap()],
        twilio: None,
        simulated: simulated.map(|url| url.parse().unwrap()),
        bytes_max: 1,
    })
    .unwrap()
}

#[test]
fn addresses_of_the_platforms_are_admitted() {
    let client = product(None);
    for good in [
        TWILIO,
        "https://api.twilio.com/2010-04-01/Accounts/AC1/Calls/CA1/Recordings/RE1.mp3?Download=true",
        "https://storage.vapi.ai/019f-1-mono.wav",
        "https://storage.vapi.ai/a.wav?X-Amz-Signature=0%2F1&x=@b#t=5",
        "https://recordings.example/a/b.wav",
    ] {
        client.admit(good).unwrap_or_else(|error| panic!("{good}: {error}"));
    }
}

/// Everything that tries to be one of the places and is none; each entry is one trick.
const TRICKS: &[&str] = &[
    // Schemes.
    "http://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE1",
    "file:///etc/passwd",
    "gopher://storage.vapi.ai/a",
    "javascript:alert(1)",
    "data:audio/wav;base64,AAAA",
    "//storage.vapi.ai/a.wav",
    "storage.vapi.ai/a.wav",
    "https:storage.vapi.ai/a.wav",
    "https:/storage.vapi.ai/a.wav",
    "https:///storage.vapi.ai/a.wav",
    "",
    // A login in the address.
    "https://storage.vapi.ai@evil.example/a.wav",
    "https://user:secret@storage.vapi.ai/a.wav",
    "https://@storage.vapi.ai/a.wav",
    "https://storage.vapi.ai%40evil.example/a.wav",
    // Hosts that look alike.
    "https://storage.vapi.ai.evil.example/a.wav",
    "https://evilstorage.vapi.ai/a.wav",
    "https://sub.storage.vapi.ai/a.wav",
    "https://api.twilio.com.evil.example/2010-04-01/Accounts/AC1/Recordings/RE1",
    "https://eviltwilio.com/2010-04-01/Accounts/AC1/Recordings/RE1",
    "https://api-twilio.com/2010-04-01/Accounts/AC1/Recordings/RE1",
    // Other spellings of the same host.
    "https://storage.vapi.ai./a.wav",
    "https://STORAGE.vapi.ai/a.wav",
    "HTTPS://storage.vapi.ai/a.wav",
    "https://storage%2Evapi.ai/a.wav",
    "https://xn--storge-xsc.vapi.ai/a.wav",
    "https://st\u{043e}rage.vapi.ai/a.wav",
    "https://storage\u{3002}vapi.ai/a.wav",
    "https://\u{ff53}torage.vapi.ai/a.wav",
    "https://storage.v\u{00ad}api.ai/a.wav",
    // Ports.
    "https://storage.vapi.ai:22/a.wav",
    "https://storage.vapi.ai:443/a.wav",
    "https://storage.vapi.ai:/a.wav",
    // What readers of addresses mend.
    "https://storage.vapi.ai\\@evil.example/a.wav",
    "https:\\\\storage.vapi.ai\\a.wav",
    "https://storage.vapi.ai\\a.wav",
    "https://stor\tage.vapi.ai/a.wav",
    "https://storage.vapi.ai/a\n.wav",
    "https://storage.vapi.ai/\r\nHost: evil.example",
    " https://storage.vapi.ai/a.wav",
    "https://storage.vapi.ai/a.wav ",
    "https://storage.vapi.ai/a\0.wav",
    "https://storage.vapi.ai",
    "https://storage.vapi.ai?/a.wav",
    "https://storage.vapi.ai#/a.wav",
    // Addresses.
    "https://127.0.0.1/a.wav",
    "https://2130706433/a.wav",
    "https://0x7f000001/a.wav",
    "https://0x7f.0.0.1/a.wav",
    "https://0177.0.0.1/a.wav",
    "https://127.1/a.wav",
    "https://[::1]/a.wav",
    "https://[::ffff:127.0.0.1]/a.wav",
    "https://169.254.169.254/latest/meta-data/",
    "https://[fd00::1]/a.wav",
    "https://100.64.0.1/a.wav",
    "https://0.0.0.0/a.wav",
    "https://localhost/a.wav",
    // Ways out of Twilio's recordings, whose login is worth more than a recording.
    "https://api.twilio.com/2010-04-01/Accounts/AC1/Calls.json",
    "https://api.twilio.com/2010-04-01/Accounts/AC1.json?x=/Recordings/",
    "https://api.twilio.com/2010-04-01/Accounts/AC1.json#/Recordings/",
    "https://api.twilio.com/2010-04-01/Accounts/../../Recordings/RE1",
    "https://api.twilio.com/2010-04-01/Accounts/%2e%2e/%2E%2e/Recordings/RE1",
    "https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/../Calls.json",
    "https://api.twilio.com/Recordings/RE1",
    // A simulated world's, where there is none.
    "http://127.0.0.1:8001/mr-hire/recordings/RE1.wav",
];

#[test]
fn no_trick_makes_an_address_one_of_a_platform() {
    let client = product(None);
    for bad in TRICKS {
        assert!(matches!(client.admit(bad), Err(RecordingError::Refused(_))), "{bad:?}");
    }
    let long = format!("https://storage.vapi.ai/{}", "a".repeat(2_048));
    assert!(matches!(client.admit(&long), Err(RecordingError::Refused(_))));
}

#[test]
fn engine_of_a_simulated_world_keeps_recordings_and_nothing_else() {
    let client = product(Some("http://127.0.0.1:8001/mr-hire"));
    for good in ["recordings/RE1.wav", "2010-04-01/Accounts/ACs/Recordings/RE1"] {
        assert!(client.admit(&format!("http://127.0.0.1:8001/mr-hire/{good}")).is_ok(), "{good}");
    }
    for bad in [
        "http://127.0.0.1:8001/mr-hire/calls",
        "http://127.0.0.1:8001/mr-hire/recordings/../calls",
        "http://127.0.0.1:8002/mr-hire/recordings/RE1.wav",
        "http://127.0.0.2:8001/mr-hire/recordings/RE1.wav",
        "http://localhost:8001/mr-hire/recordings/RE1.wav",
        "https://127.0.0.1:8001/mr-hire/recordings/RE1.wav",
    ] {
        assert!(client.admit(bad).is_err(), "{bad}");
    }
}

/// What one server of a test saw: paths, and whether a login came along.
type Seen = Arc<Mutex<Vec<(String, bool)>>>;

/// Answers `/…/to?<address>` with a redirect there, and anything else with sound.
fn redirector(seen: Seen) -> Router {
    Router::new().fallback(get(move |request: axum::extract::Request| {
        let seen = Arc::clone(&seen);
        async move {
            let (path, uri) = (request.uri().path().to_owned(), request.uri().clone());
            seen.lock().unwrap().push((path.clone(), has_login(&request)));
            match uri.query().filter(|_| path.ends_with("/to")) {
                Some(target) => {
                    (StatusCode::FOUND, [(LOCATION, target.to_owned())]).into_response()
                }
                None => ([(CONTENT_TYPE, "audio/wav")], SOUND).into_response(),
            }
        }
    }))
}

/// A stand-in of Twilio and one of another host, both places; and a client of them.
async fn two_places() -> (String, String, Seen, Seen, RecordingClient) {
    let (at_twilio, elsewhere) = (Seen::default(), Seen::default());
    let base = |port: u16, below: &str| format!("http://127.0.0.1:{port}/{below}");
    let twilio = base(serve(redirector(Arc::clone(&at_twilio))).await.port(), "Accounts/");
    let other = base(serve(redirector(Arc::clone(&elsewhere))).await.port(), "");
    let places = Places::of(vec![
        place(twilio.clone(), Login::Twilio, Reach::Local),
        place(other.clone(), Login::None, Reach::Local),
    ]);
    let names = Names::of("none.test", &[&["127.0.0.1"]]);
    let client = RecordingClient::within(places, names, login(), limits()).unwrap();
    (twilio, other, at_twilio, elsewhere, client)
}

#[tokio::test]
async fn login_goes_to_twilio_and_is_dropped_where_it_redirects() {
    let (twilio, other, at_twilio, elsewhere, client) = two_places().await;
    let address = format!("{twilio}AC1/Recordings/to?{other}stored.wav");
    let recording = client.fetch(address, None).await.unwrap();
    assert_eq!(read(recording).await.unwrap(), SOUND);
    let path = "/Accounts/AC1/Recordings/to".to_owned();
    assert_eq!(*at_twilio.lock().unwrap(), [(path, true)]);
    assert_eq!(*elsewhere.lock().unwrap(), [("/stored.wav".to_owned(), false)]);

    // Another host does not spend the login by sending us to Twilio.
    at_twilio.lock().unwrap().clear();
    let address = format!("{other}to?{twilio}AC1/Recordings/RE2");
    read(client.fetch(address, None).await.unwrap()).await.unwrap();
    assert_eq!(*at_twilio.lock().unwrap(), [("/Accounts/AC1/Recordings/RE2".to_owned(), false)]);

    // Twilio itself may, as from a recording to its file.
    at_twilio.lock().unwrap().clear();
    let address = format!("{twilio}AC1/Recordings/to?/Accounts/AC1/Recordings/RE3.wav");
    read(client.fetch(address, None).await.unwrap()).await.unwrap();
    assert!(at_twilio.lock().unwrap().iter().all(|(_, has_login)| *has_login));
}

#[tokio::test]
async fn redirect_that_leaves_the_places_is_not_followed() {
    let inside = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&inside);
    let secret = serve(Router::new().fallback(get(move || {
        counter.fetch_add(1, Ordering::SeqCst);
        async { ([(CONTENT_TYPE, "audio/wav")], SOUND) }
    })))
    .await;
    let (_, other, _, elsewhere, client) = two_places().await;
    for target in [
        format!("http://{secret}/a.wav"),
        format!("//{secret}/a.wav"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "https://storage.vapi.ai.evil.example/a.wav".to_owned(),
        "file:///etc/passwd".to_owned(),
        "https://api.twilio.com@evil.example/".to_owned(),
    ] {
        let error = refused(&client, &format!("{other}to?{target}")).await;
        assert!(matches!(error, RecordingError::Unavailable(_)), "{target}: {error}");
    }
    assert_eq!(inside.load(Ordering::SeqCst), 0, "nobody came there");
    assert_eq!(elsewhere.lock().unwrap().len(), 6);
}

#[tokio::test]
async fn redirects_end_after_three() {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let endless = Router::new().fallback(get(move |uri: Uri| {
        counter.fetch_add(1, Ordering::SeqCst);
        async move { (StatusCode::FOUND, [(LOCATION, format!("{}x", uri.path()))]) }
    }));
    let (base, client) = super::platform(endless).await;
    let error = refused(&client, &format!("{base}a")).await;
    assert!(matches!(error, RecordingError::Unavailable(_)), "{error}");
    assert_eq!(count.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn without_a_login_nothing_is_asked_of_twilio() {
    let seen = Seen::default();
    let port = serve(redirector(Arc::clone(&seen))).await.port();
    let base = format!("http://127.0.0.1:{port}/");
    let places = Places::of(vec![place(base.clone(), Login::Twilio, Reach::Local)]);
    let names = Names::of("none.test", &[&["127.0.0.1"]]);
    let client = RecordingClient::within(places, names, None, limits()).unwrap();
    let error = refused(&client, &format!("{base}AC1/Recordings/RE1")).await;
    assert!(matches!(error, RecordingError::NotConfigured), "{error}");
    assert!(seen.lock().unwrap().is_empty());
}

#[test]
fn simulated_places_are_of_this_machine_and_the_others_are_not() {
    let engine: Url = "http://localhost:8001/mr-hire".parse().unwrap();
    let hosts: Vec<_> = Places::new(&[], Some(&engine)).hosts().collect();
    for (name, reach) in [
        ("api.twilio.com", Reach::Public),
        ("storage.vapi.ai", Reach::Public),
        ("localhost", Reach::Local),
    ] {
        assert!(hosts.contains(&(name.to_owned(), reach)), "{name}: {hosts:?}");
    }
}
