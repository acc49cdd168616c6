use chrono::{DateTime, Duration, Timelike, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::testing::{at, reread};

fn window(zone: &str) -> CallingWindow {
    CallingWindow::of(Zone::named(Some(zone)))
}

#[test]
fn window_opens_at_nine_and_closes_at_twenty_two_in_india_by_default() {
    let window = CallingWindow::default();
    assert!(!window.contains(at("2026-11-20T03:29:59.999Z")));
    assert!(window.contains(at("2026-11-20T03:30:00Z")));
    assert!(window.contains(at("2026-11-20T16:29:59.999Z")));
    assert!(!window.contains(at("2026-11-20T16:30:00Z")));
}

#[test]
fn instant_inside_the_window_stays_and_others_move_to_the_next_opening() {
    let window = CallingWindow::default();
    for (from, to) in [
        ("2026-11-20T06:30:00.5Z", "2026-11-20T06:30:00.5Z"),
        ("2026-11-20T16:30:00Z", "2026-11-21T03:30:00Z"),
        ("2026-11-20T19:00:00Z", "2026-11-21T03:30:00Z"),
        ("2026-11-20T01:00:00Z", "2026-11-20T03:30:00Z"),
    ] {
        assert_eq!(window.next_open(at(from)), at(to));
    }
}

#[test]
fn morning_after_a_change_of_clocks_is_the_local_one() {
    for (zone, evening, morning) in [
        ("Europe/Berlin", "2026-03-28T21:30:00Z", "2026-03-29T07:00:00Z"),
        ("Europe/Berlin", "2026-10-24T20:30:00Z", "2026-10-25T08:00:00Z"),
        ("America/New_York", "2026-03-08T03:30:00Z", "2026-03-08T13:00:00Z"),
        ("America/New_York", "2026-11-01T02:30:00Z", "2026-11-01T14:00:00Z"),
    ] {
        assert_eq!(window(zone).next_open(at(evening)), at(morning), "{zone}");
    }
}

#[test]
fn day_that_a_zone_left_out_has_no_opening() {
    // Samoa went from the 29th straight to the 31st of December 2011.
    assert_eq!(
        window("Pacific/Apia").next_open(at("2011-12-30T09:30:00Z")),
        at("2011-12-30T19:00:00Z")
    );
}

#[test]
fn zone_that_nobody_knows_is_indias() {
    assert_eq!(Zone::named(Some("Mars/Olympus")), Zone::default());
    assert_eq!(Zone::named(None).name(), "Asia/Kolkata");
    assert_eq!(reread(&Zone::named(Some("Europe/Berlin"))).name(), "Europe/Berlin");
}

#[test]
fn second_call_waits_four_hours_the_third_eight_and_there_is_no_fourth() {
    let window = CallingWindow::default();
    let early = at("2026-11-20T04:00:00Z"); // 09:30 in India.
    assert_eq!(retry_due(1, window, early), Some(early + Duration::hours(4)));
    assert_eq!(retry_due(2, window, early), Some(early + Duration::hours(8)));
    assert_eq!(retry_due(3, window, early), None);
    assert_eq!(retry_due(u32::MAX, window, early), None);
    assert_eq!(retry_due(0, window, early), Some(early + Duration::hours(4)));
}

#[test]
fn retry_that_would_fall_into_the_night_waits_for_the_morning() {
    let evening = at("2026-11-20T12:30:00Z"); // 18:00 in India: four hours later it is 22:00.
    assert_eq!(retry_due(1, CallingWindow::default(), evening), Some(at("2026-11-21T03:30:00Z")));
}

fn score(value: f64) -> Option<Score> {
    Some(Score::parse(value).unwrap())
}

#[test]
fn final_score_is_the_weighted_mean_of_the_stages_that_exist() {
    let weights = StageWeights::parse(1.0, 1.0, 2.0).unwrap();
    let all = Stages { resume: score(80.0), quiz: score(60.0), call: score(71.0) };
    assert_eq!(weighted_mean(all, weights), score(70.5));
    let two = Stages { quiz: None, ..all };
    assert_eq!(weighted_mean(two, weights), score(74.0));
    assert_eq!(weighted_mean(Stages::default(), weights), None);
}

#[test]
fn stages_that_weigh_nothing_count_alike() {
    let weights = StageWeights::parse(0.0, 1.0, 0.0).unwrap();
    let stages = Stages { resume: score(80.0), quiz: None, call: score(61.0) };
    assert_eq!(weighted_mean(stages, weights), score(70.5));
}

#[test]
fn final_score_has_two_decimals() {
    let stages = Stages { resume: score(100.0), quiz: score(0.0), call: score(0.0) };
    assert_eq!(weighted_mean(stages, StageWeights::default()), score(33.33));
}

#[test]
fn scores_and_weights_out_of_range_are_refused() {
    for value in [-0.1, 100.1, f64::NAN, f64::INFINITY] {
        assert!(Score::parse(value).is_err());
    }
    assert!(StageWeights::parse(-1.0, 1.0, 1.0).is_err());
    assert!(StageWeights::parse(1.0, f64::NAN, 1.0).is_err());
}

/// Any minute of some years, in zones with and without changes of clocks, at whole and half hours.
fn any_moment() -> impl Strategy<Value = (CallingWindow, Tz, DateTime<Utc>)> {
    let zones = vec![
        Tz::Asia__Kolkata,
        Tz::Europe__Berlin,
        Tz::America__New_York,
        Tz::Australia__Lord_Howe,
        Tz::America__Sao_Paulo,
        Tz::UTC,
    ];
    (select(zones), 0..(3 * 366 * 24 * 60_i64)).prop_map(|(zone, minutes)| {
        let moment = at("2025-01-01T00:00:00Z") + Duration::minutes(minutes);
        (window(zone.name()), zone, moment)
    })
}

proptest! {
    #[test]
    fn next_opening_is_the_first_open_minute((window, zone, from) in any_moment()) {
        let open = window.next_open(from);
        let mut minute = from;
        while !(9..22).contains(&minute.with_timezone(&zone).hour()) {
            minute += Duration::minutes(1);
        }
        prop_assert_eq!(open, minute);
        prop_assert!(window.contains(open));
    }

    #[test]
    fn mean_lies_between_the_lowest_and_the_highest_score(
        scores in proptest::array::uniform3(proptest::option::of(0.0..=100.0_f64)),
        weights in proptest::array::uniform3(0.0..10.0_f64),
    ) {
        let [resume, quiz, call] = scores.map(|value| value.and_then(score));
        let [a, b, c] = weights;
        let mean = weighted_mean(Stages { resume, quiz, call }, StageWeights::parse(a, b, c).unwrap());
        let present: Vec<f64> = scores.into_iter().flatten().collect();
        let lowest = present.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = present.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        prop_assert_eq!(mean.is_some(), !present.is_empty());
        if let Some(mean) = mean {
            prop_assert!(mean.get() >= lowest - 0.005_001 && mean.get() <= highest + 0.005_001);
            prop_assert_eq!(reread(&mean), mean);
        }
    }
}
