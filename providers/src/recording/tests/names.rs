//! Names that lead inside, at once or at the second look.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::header::{CONNECTION, CONTENT_TYPE};
use axum::routing::get;
use domain::ports::{RecordingError, Recordings as _};

use super::super::RecordingClient;
use super::super::places::{Login, Places, Reach};
use super::super::resolver::vet;
use super::{Names, SOUND, limits, login, place, read, refused, serve};

/// A client of a place on the public internet whose name leads where `names` says.
fn public(port: u16, names: Arc<Names>) -> (String, RecordingClient) {
    let base = format!("http://platform.test:{port}/");
    let places = Places::of(vec![place(base.clone(), Login::None, Reach::Public)]);
    (base, RecordingClient::within(places, names, login(), limits()).unwrap())
}

#[tokio::test]
async fn name_that_leads_inside_is_not_connected_to() {
    let came = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&came);
    let port = serve(Router::new().fallback(get(move || {
        counter.fetch_add(1, Ordering::SeqCst);
        async { ([(CONTENT_TYPE, "audio/wav")], SOUND) }
    })))
    .await
    .port();
    for inside in [
        &["127.0.0.1"][..],
        &["::1"],
        &["::ffff:127.0.0.1"],
        &["0.0.0.0"],
        &["10.0.0.1"],
        &["169.254.169.254"],
        &["100.64.0.1"],
        &["fd00::1"],
        &["fe80::1"],
        &["64:ff9b::7f00:1"],
        &["1.1.1.1", "127.0.0.1"],
        &["127.0.0.1", "2606:4700::1111"],
        &[],
    ] {
        let (base, client) = public(port, Names::of("platform.test", &[inside]));
        let error = refused(&client, &format!("{base}a.wav")).await;
        assert!(matches!(error, RecordingError::Unavailable(_)), "{inside:?}: {error}");
    }
    assert_eq!(came.load(Ordering::SeqCst), 0, "nobody came");
}

#[tokio::test]
async fn name_of_nobody_is_not_looked_up() {
    let names = Names::of("elsewhere.test", &[&["127.0.0.1"]]);
    let (base, client) = public(1, Arc::clone(&names));
    let error = refused(&client, &format!("{base}a.wav")).await;
    assert!(matches!(error, RecordingError::Unavailable(_)), "{error}");
    assert_eq!(names.asked(), 1, "asked once, and not found");
}

#[test]
fn only_this_machine_is_local() {
    let one = |text: &str| vec![text.parse::<IpAddr>().unwrap()];
    assert!(vet("engine", one("127.0.0.1"), Reach::Local).is_ok());
    for outside in ["10.0.0.1", "1.1.1.1", "0.0.0.0", "169.254.169.254"] {
        assert!(vet("engine", one(outside), Reach::Local).is_err(), "{outside}");
    }
}

/// The classic hole: the name is looked up for the check, and again for the connection, when it says
/// something else. Here the address that is connected to is the one that was looked at: a name that
/// changes its answer is asked once for each connection, and its second answer is judged like its first.
#[tokio::test]
async fn name_that_changes_its_answer_gains_nothing() {
    let sound = || async { ([(CONTENT_TYPE, "audio/wav"), (CONNECTION, "close")], SOUND) };
    let port = serve(Router::new().fallback(get(sound))).await.port();
    let names = Names::of("platform.test", &[&["127.0.0.1"], &["10.0.0.1"]]);
    let base = format!("http://platform.test:{port}/");
    let places = Places::of(vec![place(base.clone(), Login::None, Reach::Local)]);
    let client = RecordingClient::within(places, Arc::clone(&names) as _, None, limits()).unwrap();

    let first = client.fetch(format!("{base}a.wav"), None).await.unwrap();
    assert_eq!(names.asked(), 1, "one look-up serves check and connection");
    assert_eq!(read(first).await.unwrap(), SOUND);

    let error = refused(&client, &format!("{base}a.wav")).await;
    assert!(format!("{:#}", anyhow::Error::from(error)).contains("10.0.0.1"));
    assert_eq!(names.asked(), 2);
}
