//! What platforms answer, and how long.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, RANGE,
};
use axum::http::{HeaderName, Response, StatusCode};
use axum::routing::get;
use domain::ports::{ByteRange, Extent, Media, RecordingError, Recordings as _};
use futures_util::stream::{self, StreamExt as _};
use tokio::sync::Notify;

use super::{BYTES_MAX, Limits, SOUND, limits, platform, platform_within, read, refused};

/// Answers everything with this head, and with sound.
fn head(status: u16, headers: &'static [(HeaderName, &'static str)]) -> Router {
    Router::new().fallback(get(move || async move {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(name, *value);
        }
        response.body(Body::from(SOUND)).unwrap()
    }))
}

#[tokio::test]
async fn audio_is_passed_on() {
    let (base, client) = platform(head(200, &[(CONTENT_TYPE, "audio/x-wav")])).await;
    let recording = client.fetch(format!("{base}a"), None).await.unwrap();
    let length = u64::try_from(SOUND.len()).unwrap();
    assert_eq!(
        (recording.media, recording.extent, recording.length),
        (Media::Wav, Extent::Whole, Some(length))
    );
    assert_eq!(read(recording).await.unwrap(), SOUND);
}

#[tokio::test]
async fn whatever_is_no_audio_is_not_passed_on() {
    for kind in ["text/html", "application/json", "image/svg+xml", "audio/x-mpegurl", "video/mp4"] {
        let router =
            Router::new().fallback(get(move || async move { ([(CONTENT_TYPE, kind)], SOUND) }));
        let (base, client) = platform(router).await;
        let error = refused(&client, &format!("{base}a")).await;
        assert!(matches!(error, RecordingError::Unavailable(_)), "{kind}: {error}");
    }
    for headers in [
        &[][..],
        &[(CONTENT_TYPE, "audio/wav"), (CONTENT_ENCODING, "gzip")],
        &[(CONTENT_TYPE, "audio/wav"), (CONTENT_RANGE, "bytes 0-1/2")],
    ] {
        let status = if headers.iter().any(|(name, _)| name == CONTENT_RANGE) { 206 } else { 200 };
        let (base, client) = platform(head(status, headers)).await;
        let error = refused(&client, &format!("{base}a")).await;
        assert!(matches!(error, RecordingError::Unavailable(_)), "{headers:?}: {error}");
    }
}

#[tokio::test]
async fn statuses_are_told_apart() {
    for (status, absent) in
        [(404, true), (410, true), (401, false), (403, false), (500, false), (204, false)]
    {
        let (base, client) = platform(head(status, &[(CONTENT_TYPE, "audio/wav")])).await;
        let error = refused(&client, &format!("{base}a")).await;
        assert_eq!(matches!(error, RecordingError::Absent), absent, "{status}: {error}");
        assert_eq!(matches!(error, RecordingError::Unavailable(_)), !absent, "{status}: {error}");
    }
    let ended = head(416, &[(CONTENT_RANGE, "bytes */44")]);
    let (base, client) = platform(ended).await;
    let error = client.fetch(format!("{base}a"), Some(ByteRange::From(99))).await.err().unwrap();
    assert!(matches!(error, RecordingError::NoSuchRange { complete: Some(44) }), "{error}");
}

#[tokio::test]
async fn nobody_there_is_said_so() {
    let (base, client) = platform(Router::new()).await;
    let other = base.replace("platform.test", "127.0.0.1");
    assert!(matches!(refused(&client, &other).await, RecordingError::Refused(_)));
}

#[tokio::test]
async fn range_is_passed_on_and_the_part_is_checked() {
    let router = Router::new().fallback(get(|headers: HeaderMap| async move {
        let said = match headers[RANGE].to_str().unwrap() {
            "bytes=4-7" => "bytes 4-7/44",
            "bytes=40-" => "bytes 40-43/44",
            "bytes=-4" => "bytes 40-43/*",
            // Lies: another part, and one that is too long.
            "bytes=8-9" => "bytes 0-3/44",
            "bytes=0-1" => "bytes 0-3/44",
            _ => "bytes 0-3/3",
        };
        let head = [(CONTENT_TYPE, "audio/wav"), (CONTENT_RANGE, said)];
        (StatusCode::PARTIAL_CONTENT, head, "WAVE")
    }));
    let (base, client) = platform(router).await;
    for (range, first, complete) in [
        (ByteRange::Between(4, 7), 4, Some(44)),
        (ByteRange::From(40), 40, Some(44)),
        (ByteRange::Last(4), 40, None),
    ] {
        let part = client.fetch(format!("{base}a"), Some(range)).await.unwrap();
        assert_eq!(part.extent, Extent::Part { first, last: first + 3, complete }, "{range}");
        assert_eq!(part.length, Some(4));
        assert_eq!(read(part).await.unwrap(), b"WAVE");
    }
    for lie in [ByteRange::Between(8, 9), ByteRange::Between(0, 1), ByteRange::Last(3)] {
        let error = client.fetch(format!("{base}a"), Some(lie)).await.err().unwrap();
        assert!(matches!(error, RecordingError::Unavailable(_)), "{lie}: {error}");
    }
}

/// Sound without an end. `gone` hears when nobody takes it any more.
fn endless(gone: Arc<Notify>) -> Router {
    struct Told(Arc<Notify>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }
    Router::new().fallback(get(move || {
        let told = Told(Arc::clone(&gone));
        async move {
            let chunks = stream::repeat(Bytes::from_static(&[0; 4_096])).map(move |chunk| {
                let _ = &told;
                Ok::<_, Infallible>(chunk)
            });
            ([(CONTENT_TYPE, "audio/wav")], Body::from_stream(chunks))
        }
    }))
}

#[tokio::test]
async fn recording_without_an_end_is_broken_off() {
    let gone = Arc::new(Notify::new());
    let (base, client) = platform(endless(Arc::clone(&gone))).await;
    let mut recording = client.fetch(format!("{base}a"), None).await.unwrap();
    assert_eq!(recording.length, None);
    let mut came = 0;
    let error = loop {
        match recording.body.next().await {
            Ok(Some(bytes)) => came += bytes.len(),
            Ok(None) => panic!("it has no end"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, RecordingError::Unavailable(_)), "{error}");
    assert!(u64::try_from(came).unwrap() <= BYTES_MAX, "{came}");
    drop(recording);
    tokio::time::timeout(Duration::from_secs(10), gone.notified()).await.expect("it is let go");
}

#[tokio::test]
async fn recording_that_says_it_is_too_large_is_not_begun() {
    let large = Router::new().fallback(get(|| async {
        let first = stream::iter([Ok::<_, Infallible>(Bytes::from_static(SOUND))]);
        let head = [(CONTENT_TYPE, "audio/wav"), (CONTENT_LENGTH, "10000000000")];
        (head, Body::from_stream(first.chain(stream::pending())))
    }));
    let (base, client) = platform(large).await;
    let error = refused(&client, &format!("{base}a")).await;
    assert!(matches!(error, RecordingError::Unavailable(_)), "{error}");
}

#[tokio::test]
async fn reader_that_goes_away_ends_the_request_and_frees_its_place() {
    let gone = Arc::new(Notify::new());
    let one = Limits { fetches_max: 1, ..limits() };
    let (base, client) = platform_within(endless(Arc::clone(&gone)), one).await;
    let mut recording = client.fetch(format!("{base}a"), None).await.unwrap();
    recording.body.next().await.unwrap();
    assert!(matches!(refused(&client, &format!("{base}b")).await, RecordingError::Busy));
    drop(recording);
    tokio::time::timeout(Duration::from_secs(10), gone.notified()).await.expect("it is let go");
    assert!(client.fetch(format!("{base}c"), None).await.is_ok());
}

/// Begins with a few bytes, and then says nothing more.
fn halting() -> Router {
    Router::new().fallback(get(|| async {
        let first = stream::iter([Ok::<_, Infallible>(Bytes::from_static(SOUND))]);
        ([(CONTENT_TYPE, "audio/wav")], Body::from_stream(first.chain(stream::pending())))
    }))
}

#[tokio::test]
async fn recording_that_halts_is_given_up() {
    let patient = Limits { total: Duration::from_secs(3_600), ..limits() };
    let (base, client) = platform_within(halting(), patient).await;
    let mut recording = client.fetch(format!("{base}a"), None).await.unwrap();
    assert_eq!(recording.body.next().await.unwrap().as_deref(), Some(SOUND));
    let halted = tokio::time::timeout(Duration::from_secs(10), recording.body.next()).await;
    let error = halted.expect("it is given up").unwrap_err();
    assert!(matches!(error, RecordingError::Unavailable(_)), "{error}");
}

#[tokio::test]
async fn recording_has_a_time_for_all_of_it() {
    let hurried = Limits { total: Duration::ZERO, idle: Duration::from_secs(60), ..limits() };
    let (base, client) = platform_within(halting(), hurried).await;
    let recording = client.fetch(format!("{base}a"), None).await.unwrap();
    assert!(matches!(read(recording).await, Err(RecordingError::Unavailable(_))));
}

#[tokio::test]
async fn answer_that_does_not_begin_is_given_up() {
    let silent = Router::new().fallback(get(std::future::pending::<&'static str>));
    let impatient = Limits { head: Duration::from_millis(200), ..limits() };
    let (base, client) = platform_within(silent, impatient).await;
    let error = refused(&client, &format!("{base}a")).await;
    assert!(matches!(error, RecordingError::Unavailable(_)), "{error}");
}
