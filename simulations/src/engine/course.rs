//! The course of one call, drawn when it begins: what happens when, and what is told of it.

use std::time::Duration;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::faults::{EarlyForm, WebhookFaults};
use super::profile::{Outcome, Profile};
use super::wire::CallStatus;
use super::world::CallScript;
use crate::talk::Shape;
use crate::units::{Span, seconds};

/// Where a call is. Finer than [`CallStatus`]: a call is over some time before its transcript is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Queued,
    Ringing,
    InProgress,
    HungUp,
    Complete,
    Failed,
}

impl Stage {
    pub(super) const fn status(self) -> CallStatus {
        match self {
            Self::Queued => CallStatus::Queued,
            Self::Ringing => CallStatus::Ringing,
            Self::InProgress => CallStatus::InProgress,
            Self::HungUp | Self::Complete => CallStatus::Ended,
            Self::Failed => CallStatus::Failed,
        }
    }
}

/// How much of a call its webhook tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// What is known.
    Whole,
    /// Without transcript and turns.
    WithoutTranscript,
    /// With an empty transcript and no turns.
    EmptyTranscript,
    /// With only the first turns.
    Shrunk { turns: usize },
}

/// One webhook that will be sent, unless it is lost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Emission {
    /// When, counted from the call's beginning.
    pub at: Duration,
    pub stage: Stage,
    pub form: Form,
    /// Distinguishes the events of a call; a duplicate shares it or not.
    pub event: u32,
    pub lost: bool,
}

/// What happens in a call. All times are simulated and counted from its beginning.
#[derive(Clone, Debug)]
pub(super) struct Course {
    pub outcome: Outcome,
    /// When the phone begins to ring, if it does.
    pub rings_at: Option<Duration>,
    /// When it is over, with or without a conversation.
    pub over_at: Duration,
    /// Seconds of conversation.
    pub talk_s: f64,
    pub shape: Shape,
    /// When each stage is reached, in order; skipped ones are not in it.
    pub stages: Vec<(Duration, Stage)>,
    pub recording_at: Duration,
    pub detail_lag: Duration,
}

impl Course {
    /// Draws a call by `profile`, except for what `script` fixes.
    pub(super) fn draw(profile: &Profile, script: &CallScript, dice: &mut ChaCha8Rng) -> Self {
        // Everything is drawn whether it is used or not: a script then changes nothing else.
        let drawn_outcome = profile.odds.draw(dice);
        let queued = profile.queued.draw(dice);
        let drawn_ring = profile.ringing.draw(dice);
        let drawn_talk_s = profile.talk_s(dice);
        let machine_s = (Span::seconds(12.0, 25.0).draw(dice).as_secs_f64() * 10.0).round() / 10.0;
        let transcript_after = profile.transcript_after.draw(dice);
        let recording_after = profile.recording_after.draw(dice);
        let detail_lag = profile.detail_lag.draw(dice);
        let (blank, tool) = (dice.random_bool(0.25), dice.random_bool(0.2));

        let outcome = outcome_of(script).unwrap_or(drawn_outcome);
        let ring = script.ringing_s.map_or(drawn_ring, seconds);
        let talk_s = match outcome {
            Outcome::Answered => script.duration_s.unwrap_or(drawn_talk_s),
            Outcome::Voicemail => script.duration_s.unwrap_or(machine_s),
            _ => 0.0,
        };
        let rings_at = outcome.rings().then_some(queued);
        let rung_at = queued + if outcome.rings() { ring } else { Duration::ZERO };
        let over_at = rung_at + seconds(talk_s);
        let mut stages = vec![(Duration::ZERO, Stage::Queued)];
        stages.extend(rings_at.map(|at| (at, Stage::Ringing)));
        if outcome.is_picked_up() {
            stages.push((rung_at, Stage::InProgress));
            stages.push((over_at, Stage::HungUp));
            stages.push((over_at + transcript_after, Stage::Complete));
        } else {
            stages.push((over_at, Stage::Failed));
        }
        let shape = shape_of(outcome, talk_s, (blank, tool), script.transcript_chars);
        let recording_at = over_at + recording_after;
        Self { outcome, rings_at, over_at, talk_s, shape, stages, recording_at, detail_lag }
    }

    /// Returns the stage that is reached `elapsed` after the beginning, and since when.
    pub(super) fn stage_at(&self, elapsed: Duration) -> (Duration, Stage) {
        let reached = self.stages.iter().rev().find(|(at, _)| *at <= elapsed);
        reached.copied().unwrap_or((Duration::ZERO, Stage::Queued))
    }

    /// Decides which webhooks are sent, in the order in which they are, and what goes wrong.
    ///
    /// Takes the states out of the course that the engine jumps over.
    pub(super) fn emissions(
        &mut self,
        profile: &Profile,
        faults: &WebhookFaults,
        dice: &mut ChaCha8Rng,
    ) -> Vec<Emission> {
        self.stages.retain(|(_, stage)| {
            let skipped = faults.skip_states.hits(dice);
            !(skipped && matches!(stage, Stage::Ringing | Stage::InProgress))
        });
        let mut emissions = self.plain_emissions(profile, faults, dice);
        reorder(&mut emissions, faults, dice);
        delay(&mut emissions, faults, dice);
        duplicate(&mut emissions, faults, dice);
        for emission in &mut emissions {
            emission.lost = faults.lose.hits(dice);
        }
        emissions.sort_by_key(|emission| emission.at);
        emissions
    }

    /// One webhook per stage, the early and the shrunk `ended` included where they come up.
    fn plain_emissions(
        &self,
        profile: &Profile,
        faults: &WebhookFaults,
        dice: &mut ChaCha8Rng,
    ) -> Vec<Emission> {
        let early = faults.early_ended.hits(dice).then(|| early_form(faults.early_form, dice));
        let shrunk = faults.shrink_messages.hits(dice);
        let mut emissions = Vec::with_capacity(self.stages.len() + 1);
        for &(reached_at, stage) in &self.stages {
            let at = reached_at + profile.webhook_after.draw(dice);
            let event = event_of(stage);
            let form = match (stage, early) {
                (Stage::Queued, _) | (Stage::HungUp, None) => continue, // Only a pull shows these.
                (Stage::HungUp, Some(form)) => form,
                _ => Form::Whole,
            };
            emissions.push(Emission { at, stage, form, event, lost: false });
            if stage == Stage::Complete && shrunk {
                let form = Form::Shrunk { turns: self.shape.turns * 2 / 3 };
                let at = at + SHRUNK_AFTER;
                emissions.push(Emission { at, stage, form, event: EVENT_SHRUNK, lost: false });
            }
        }
        emissions
    }
}

/// How long after the whole `ended` the shrunk one follows.
const SHRUNK_AFTER: Duration = Duration::from_secs(5);
/// How long after its successor an overtaken webhook is sent.
const OVERTAKEN_BY: Duration = Duration::from_millis(50);
/// How long after a webhook its duplicate is sent.
const DUPLICATE_AFTER: Duration = Duration::from_millis(500);
/// The event of the shrunk `ended`; each stage has the event of its rank.
const EVENT_SHRUNK: u32 = 6;
/// Added to an event's number when its duplicate gets one of its own.
const EVENT_DUPLICATE: u32 = 10;
/// A turn is about this long; 12 turns fill a conversation of the median length.
const TURN_S: f64 = 12.5;

fn outcome_of(script: &CallScript) -> Option<Outcome> {
    let talks = script.duration_s.is_some() || script.transcript_chars.is_some();
    script.outcome.or(talks.then_some(Outcome::Answered))
}

fn shape_of(
    outcome: Outcome,
    talk_s: f64,
    (blank, tool): (bool, bool),
    chars: Option<usize>,
) -> Shape {
    let turns = match outcome {
        Outcome::Answered => ((talk_s / TURN_S).round() as usize).clamp(2, 40),
        Outcome::Voicemail => 1,
        _ => 0,
    };
    let roomy = turns >= 4; // A silent turn in a conversation of two would leave nothing.
    Shape { turns, blank: blank && roomy, tool: tool && roomy, chars }
}

/// Returns the number of the event that tells of `stage`; pulls name the same one.
pub(super) const fn event_of(stage: Stage) -> u32 {
    stage as u32
}

fn early_form(form: EarlyForm, dice: &mut ChaCha8Rng) -> Form {
    match form {
        EarlyForm::Absent => Form::WithoutTranscript,
        EarlyForm::Empty => Form::EmptyTranscript,
        EarlyForm::Either if dice.random_bool(0.5) => Form::WithoutTranscript,
        EarlyForm::Either => Form::EmptyTranscript,
    }
}

fn reorder(emissions: &mut [Emission], faults: &WebhookFaults, dice: &mut ChaCha8Rng) {
    for position in 1..emissions.len() {
        if faults.reorder.hits(dice) {
            emissions[position - 1].at = emissions[position].at + OVERTAKEN_BY;
        }
    }
}

fn delay(emissions: &mut [Emission], faults: &WebhookFaults, dice: &mut ChaCha8Rng) {
    for emission in emissions {
        let held_for = faults.delay_by.draw(dice);
        if faults.delay.hits(dice) {
            emission.at += held_for;
        }
    }
}

fn duplicate(emissions: &mut Vec<Emission>, faults: &WebhookFaults, dice: &mut ChaCha8Rng) {
    let mut copies = Vec::new();
    for emission in emissions.iter() {
        let times = 1 + u32::from(dice.random_bool(0.5));
        if faults.duplicate_same_event.hits(dice) {
            let copy = |time| Emission { at: emission.at + DUPLICATE_AFTER * time, ..*emission };
            copies.extend((1..=times).map(copy));
        }
        if faults.duplicate_new_event.hits(dice) {
            let event = emission.event + EVENT_DUPLICATE;
            copies.push(Emission { at: emission.at + DUPLICATE_AFTER, event, ..*emission });
        }
    }
    emissions.extend(copies);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::{Purpose, dice};
    use crate::units::Rate;

    fn course(script: &CallScript) -> Course {
        Course::draw(&Profile::default(), script, &mut dice(3, Purpose::Call, 1))
    }

    fn told(script: &CallScript, faults: &WebhookFaults) -> Vec<(Stage, Form)> {
        let emissions =
            course(script).emissions(&Profile::default(), faults, &mut dice(3, Purpose::Fault, 1));
        emissions.iter().map(|emission| (emission.stage, emission.form)).collect()
    }

    #[test]
    fn the_course_of_a_call_is_the_same_every_time_and_moves_forward() {
        for number in 0..500 {
            let draw = || {
                let mut dice = dice(9, Purpose::Call, number);
                Course::draw(&Profile::default(), &CallScript::default(), &mut dice)
            };
            let course = draw();
            assert_eq!(course.stages, draw().stages);
            assert!(course.stages.is_sorted());
            assert!(course.stages.last().unwrap().1.status().is_final());
        }
    }

    #[test]
    fn a_script_fixes_the_length_of_a_call_and_nothing_else() {
        let free = course(&CallScript::ending(Outcome::Answered));
        let fixed = course(&CallScript::boundary(59.9, 50));
        assert_eq!(fixed.talk_s, 59.9);
        assert_eq!(fixed.rings_at, free.rings_at);
        assert_eq!(fixed.detail_lag, free.detail_lag);
    }

    #[test]
    fn without_faults_each_state_is_told_once() {
        let script = CallScript::ending(Outcome::Answered);
        let whole = |stage| (stage, Form::Whole);
        let expected = [Stage::Ringing, Stage::InProgress, Stage::Complete].map(whole);
        assert_eq!(told(&script, &WebhookFaults::default()), expected);
    }

    #[test]
    fn an_overtaken_webhook_comes_after_its_successor() {
        let script = CallScript::ending(Outcome::Busy);
        let faults = WebhookFaults { reorder: Rate::ALWAYS, ..WebhookFaults::default() };
        let stages: Vec<_> = told(&script, &faults).into_iter().map(|(stage, _)| stage).collect();
        assert_eq!(stages, [Stage::Failed, Stage::Ringing]);
    }
}
