//! How facts move a screening. Nothing is judged here: a fact that does not fit moves nothing.

use super::fact::Fact;
use super::state::{Analyzing, Calling, Known, RequestStage, Screening, Stage, Standing, Trouble};

impl Screening {
    pub(super) fn fold(&mut self, fact: &Fact) {
        match (&mut self.standing, fact) {
            (Standing::Absent, Fact::Imported { profile }) => {
                self.standing = Standing::Known(Box::new(Known {
                    profile: (**profile).clone(),
                    calls: Vec::new(),
                    orders: 0,
                    requests: 0,
                    stage: Stage::AwaitingCall,
                }));
            }
            (Standing::Absent, _) => {}
            (Standing::Known(known), fact) => known.fold(fact),
        }
    }
}

impl Known {
    fn fold(&mut self, fact: &Fact) {
        match fact {
            Fact::Imported { profile } => self.profile = (**profile).clone(),
            Fact::CallPlaced { call_id, at, .. } => {
                if let Stage::Calling(calling) = &mut self.stage {
                    calling.call_id = Some(call_id.clone());
                    calling.since = *at;
                }
            }
            Fact::CallHeard { end } => self.hear(end),
            Fact::RetryPlanned { attempt, due, reason } => {
                self.stage = Stage::RetryWaiting { attempt: *attempt, due: *due, reason: *reason };
            }
            Fact::RetryMoved { due: moved } => {
                if let Stage::RetryWaiting { due, .. } = &mut self.stage {
                    *due = *moved;
                }
            }
            Fact::CallOrdered { attempt, order, interview, at } => {
                self.orders = *order;
                self.stage = Stage::Calling(Calling {
                    attempt: *attempt,
                    interview: *interview,
                    call_id: None,
                    since: *at,
                });
            }
            Fact::CallAwaited { interview, call_id, at } => {
                self.stage = Stage::Calling(Calling {
                    attempt: self.counted() + 1,
                    interview: *interview,
                    call_id: call_id.clone(),
                    since: *at,
                });
            }
            Fact::AnalysisPlanned { .. }
            | Fact::AnalysisSent { .. }
            | Fact::AnalysisMissed { .. }
            | Fact::ScoringUnknown { .. } => self.fold_analysis(fact),
            Fact::Scored { .. } | Fact::Exhausted { .. } | Fact::CallUnknown { .. } => {
                self.fold_end(fact);
            }
        }
    }

    fn fold_analysis(&mut self, fact: &Fact) {
        if let Fact::AnalysisPlanned { interview, call_id, at } = fact {
            self.requests = self.requests.saturating_add(1);
            self.stage = Stage::Analyzing(Analyzing {
                interview: *interview,
                call_id: call_id.clone(),
                first: self.requests,
                request: RequestStage::Planned,
                trouble: Trouble::None,
                since: *at,
            });
            return;
        }
        let Stage::Analyzing(analyzing) = &mut self.stage else { return };
        match fact {
            Fact::AnalysisSent { .. } => analyzing.request = RequestStage::Sent,
            Fact::AnalysisMissed { at, .. } => {
                self.requests = self.requests.saturating_add(1);
                analyzing.request = RequestStage::Planned;
                if analyzing.trouble == Trouble::None {
                    analyzing.trouble = Trouble::Since(*at);
                }
            }
            Fact::ScoringUnknown { at } => {
                self.stage = Stage::ScoringUnknown {
                    interview: analyzing.interview,
                    call_id: analyzing.call_id.clone(),
                    first: analyzing.first,
                    at: *at,
                };
            }
            _ => {}
        }
    }

    fn fold_end(&mut self, fact: &Fact) {
        match fact {
            Fact::Scored { scores, candidate, result, at } => {
                let (Stage::Analyzing(Analyzing { call_id, .. })
                | Stage::ScoringUnknown { call_id, .. }) = &self.stage
                else {
                    return;
                };
                self.stage = Stage::Scored {
                    call_id: call_id.clone(),
                    scores: *scores,
                    candidate: candidate.clone(),
                    result: *result,
                    at: *at,
                };
            }
            Fact::Exhausted { reason, call_id, result, at } => {
                let (reason, call_id) = (*reason, call_id.clone());
                self.stage = Stage::Exhausted { reason, call_id, result: *result, at: *at };
            }
            Fact::CallUnknown { call_id, at } => {
                self.stage = Stage::CallUnknown { call_id: call_id.clone(), at: *at };
            }
            _ => {}
        }
    }
}
