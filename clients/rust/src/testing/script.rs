//! What a double of the service answers: by plan, by record, or by executing.

use std::collections::HashMap;

use prost::Message;
use tonic::Code;

use super::answers::{Executes, facts, facts_of_check};
use super::failure::Failure;
use super::recorded::{Record, RecordedCall, Sent, intent_of, rpc_of};
use crate::v1::{ErrorReason, GetIntentRequest, GetIntentResponse, Outcome, Replay};

/// How a call fails.
#[derive(Clone, Debug)]
pub(super) enum Ending {
    Failure(Box<Failure>),
    /// Without details, as a proxy makes it.
    Nothing(Code, String),
}

#[derive(Debug)]
struct Plan {
    /// Name of the RPC; empty: any.
    rpc: String,
    /// For how many calls it still holds.
    left: usize,
    ending: Ending,
}

impl Plan {
    /// Whether a call ends so although its intent is settled.
    fn comes_before_the_record(&self) -> bool {
        match &self.ending {
            Ending::Failure(failure) => failure.outcome() == Outcome::NotSent,
            Ending::Nothing(..) => true,
        }
    }
}

/// Decides what each call ends with, and keeps the records of intents.
#[derive(Debug, Default)]
pub(super) struct Script {
    plans: Vec<Plan>,
    records: HashMap<(&'static str, String), Record>,
    number: u64,
}

impl Script {
    /// Adds a plan, after the others.
    pub(super) fn plan(&mut self, rpc: String, left: usize, ending: Ending) {
        self.plans.push(Plan { rpc, left, ending });
    }

    /// Answers a request that only reads.
    pub(super) fn read(&mut self, call: &mut RecordedCall) -> Result<(), Ending> {
        self.next_ending(call.rpc, false).map_or(Ok(()), |ending| Err(failed(call, ending)))
    }

    pub(super) fn intent(&self, request: &GetIntentRequest) -> GetIntentResponse {
        let rpc = rpc_of(request.operation);
        intent_of(self.records.get(&(rpc, request.request_id.clone())), rpc)
    }

    /// Answers a request that is executed once, and notes in the call what became of it.
    pub(super) fn answer<R: Executes>(&mut self, request: &R, call: &mut RecordedCall) -> Result<R::Answer, Ending> {
        let key = (call.rpc, call.request_id.clone());
        let settled = self.records.get(&key).is_some_and(|record| record.settled);
        let failure = match self.next_ending(call.rpc, settled) {
            // What was not sent, and what a proxy answered, says nothing of the request.
            Some(Ending::Failure(failure)) if failure.outcome() != Outcome::NotSent => Some(failure),
            Some(ending) => return Err(failed(call, ending)),
            None => None,
        };
        if let Some(refusal) = refusal(self.records.get(&key), request) {
            return Err(failed(call, Ending::Failure(Box::new(refusal))));
        }
        if failure.is_none() && request.is_only_checked() {
            return Ok(with_facts::<R>(R::checked(), facts_of_check(&call.request_id, &call.track_id)));
        }
        self.run(request, call, failure)
    }

    /// Executes an intent, fails it, or answers it from its record.
    fn run<R: Executes>(
        &mut self,
        request: &R,
        call: &mut RecordedCall,
        failure: Option<Box<Failure>>,
    ) -> Result<R::Answer, Ending> {
        let key = (call.rpc, call.request_id.clone());
        let record = self.records.entry(key).or_insert_with(|| Record::of(call.request.clone()));
        record.track_ids.push(call.track_id.clone());
        if record.settled {
            return match record.failure.clone() {
                Some(failure) => Err(failed(call, Ending::Failure(Box::new(failure)))),
                None => Ok(replayed::<R>(record, call)),
            };
        }
        let runs = failure.as_ref().is_none_or(|failure| failure.executed);
        let mut answer = R::Answer::default();
        if runs {
            self.number += 1;
            answer = with_facts::<R>(request.executed(self.number), facts(&call.request_id, &call.track_id));
            record.answer = Some(Sent(answer.encode_to_vec().into()));
        }
        record.settled = runs || failure.as_ref().is_some_and(|failure| failure.settles(call.rpc));
        record.failure = failure.as_deref().filter(|_| !runs).cloned();
        call.executed = runs;
        failure.map_or(Ok(answer), |failure| Err(failed(call, Ending::Failure(failure))))
    }

    fn next_ending(&mut self, rpc: &str, settled: bool) -> Option<Ending> {
        let fits = |plan: &Plan| plan.rpc.is_empty() || plan.rpc == rpc;
        let position = self.plans.iter().position(|plan| fits(plan) && (!settled || plan.comes_before_the_record()))?;
        let plan = &mut self.plans[position];
        plan.left = plan.left.saturating_sub(1);
        let ending = plan.ending.clone();
        if plan.left == 0 {
            self.plans.remove(position);
        }
        Some(ending)
    }
}

/// Returns why a request is refused before it is executed.
fn refusal<R: Executes>(record: Option<&Record>, request: &R) -> Option<Failure> {
    let with_violations = |reason, broken: Vec<(String, String)>| {
        let failure = Failure::of(reason);
        broken.into_iter().fold(failure, |failure, (field, description)| failure.violation(field, description))
    };
    let broken = request.broken_rules();
    if !broken.is_empty() {
        return Some(with_violations(ErrorReason::RequestInvalid, broken));
    }
    let first = R::decode(record?.request.0.clone()).unwrap_or_default();
    let differing = |name| (name, "differs from the first request with this request_id".to_owned());
    let broken: Vec<_> = first.differing(request).into_iter().map(differing).collect();
    (!broken.is_empty()).then(|| with_violations(ErrorReason::IntentMismatch, broken))
}

fn failed(call: &mut RecordedCall, ending: Ending) -> Ending {
    call.reason = match &ending {
        Ending::Failure(failure) => failure.name().into(),
        Ending::Nothing(code, _) => crate::call_error::code_name(*code).into(),
    };
    ending
}

fn replayed<R: Executes>(record: &Record, call: &RecordedCall) -> R::Answer {
    let first = record.answer.as_ref().map(|answer| answer.0.clone()).unwrap_or_default();
    let mut answer = R::Answer::decode(first).unwrap_or_default();
    if let Some(facts) = R::call(&mut answer) {
        facts.replayed = Replay::Yes.into();
        facts.track_id.clone_from(&call.track_id);
    }
    answer
}

fn with_facts<R: Executes>(mut answer: R::Answer, facts: crate::v1::CallInfo) -> R::Answer {
    if let Some(place) = R::call(&mut answer) {
        *place = facts;
    }
    answer
}
