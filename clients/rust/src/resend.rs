//! When a call is sent again: a state machine that neither sends nor sleeps.
//!
//! It follows the advice of the service alone, and never makes an outcome more certain than the least certain attempt.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tonic::Code;

use crate::CallError;
use crate::v1::{Advice, Outcome};

const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(8);
const MOST_DOUBLINGS: u32 = 10;
/// An attempt with less time left could only make the outcome less certain.
const LEAST_ATTEMPT: Duration = Duration::from_secs(1);
const MOST_TOKENS: f64 = 10.0;
const TOKENS_OF_SUCCESS: f64 = 0.1;

/// How often and for how long a call is sent again under its request id, where the service advises it.
///
/// ```
/// let patient = payorch::Resend { attempts: 6, within: std::time::Duration::from_secs(60) };
/// let builder = payorch::Client::builder("payorch:50051").resend(patient);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resend {
    /// How often a call is sent in total; at least 1.
    pub attempts: u32,
    /// How long a call takes at most with all its attempts and waits, unless it is given a deadline.
    pub within: Duration,
}

impl Default for Resend {
    fn default() -> Self {
        Self { attempts: 4, within: Duration::from_secs(20) }
    }
}

/// Stops resends while many calls of a client fail, as gRPC's own retry throttling does.
#[derive(Debug)]
pub(crate) struct Budget {
    tokens: Mutex<f64>,
}

impl Budget {
    pub(crate) fn full() -> Self {
        Self { tokens: Mutex::new(MOST_TOKENS) }
    }

    /// Counts a success.
    pub(crate) fn succeeded(&self) {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        *tokens = (*tokens + TOKENS_OF_SUCCESS).min(MOST_TOKENS);
    }

    /// Counts a failure; returns whether it may be sent again.
    fn allows_resend(&self) -> bool {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        *tokens = (*tokens - 1.0).max(0.0);
        *tokens > MOST_TOKENS / 2.0
    }
}

/// What the machine has to know of the world when an attempt has failed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// How much time the call has left.
    pub(crate) left: Duration,
    /// To compare with what the service names.
    pub(crate) clock: SystemTime,
    /// At least 0 and less than 1.
    pub(crate) random: f64,
}

/// What follows a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Next {
    End,
    WaitAndSend(Duration),
    RefreshTokenAndSend,
}

/// The attempts of one call.
#[derive(Debug)]
pub(crate) struct ResendLoop {
    /// None: a call is sent once, and once more with a fresh token.
    policy: Option<Resend>,
    /// Whether there is a supplier of tokens.
    can_refresh: bool,
    attempts: Vec<CallError>,
    /// Position of the newest attempt that may have been executed.
    doubt: Option<usize>,
    counted: u32,
    refreshed: bool,
    resend_before: Option<SystemTime>,
}

impl ResendLoop {
    pub(crate) fn new(policy: Option<Resend>, can_refresh: bool) -> Self {
        let attempts = Vec::new();
        Self { policy, can_refresh, attempts, doubt: None, counted: 1, refreshed: false, resend_before: None }
    }

    /// Returns what follows an attempt that failed.
    pub(crate) fn after(&mut self, error: CallError, budget: &Budget, moment: Moment) -> Next {
        self.remember(&error);
        let next = match error.code {
            // A wrong credential is never sent twice.
            Code::Unauthenticated => self.after_wrong_credential(moment),
            // Its caller has given it up.
            Code::Cancelled => Next::End,
            _ => self.after_advice(&error, budget, moment),
        };
        self.attempts.push(error);
        next
    }

    /// Whether an attempt may have been executed.
    pub(crate) fn in_doubt(&self) -> bool {
        self.doubt.is_some()
    }

    /// Returns how the attempts ended, in their order, and the position of the one that is the error of the call: the
    /// newest, unless that says nothing of an earlier one that is in doubt.
    pub(crate) fn into_attempts(self) -> (Vec<CallError>, usize) {
        let newest = self.attempts.len().saturating_sub(1);
        let not_sent = self.attempts.last().is_some_and(|newest| newest.outcome == Outcome::NotSent);
        let raised = self.doubt.filter(|_| not_sent).unwrap_or(newest);
        (self.attempts, raised)
    }

    fn remember(&mut self, error: &CallError) {
        if error.outcome == Outcome::Unknown {
            self.doubt = Some(self.attempts.len());
        }
        self.resend_before = [self.resend_before, error.resend_before_time].into_iter().flatten().min();
    }

    fn after_wrong_credential(&mut self, moment: Moment) -> Next {
        if !self.can_refresh || self.refreshed || !self.in_time(Duration::ZERO, moment) {
            return Next::End;
        }
        self.refreshed = true;
        Next::RefreshTokenAndSend
    }

    fn after_advice(&mut self, error: &CallError, budget: &Budget, moment: Moment) -> Next {
        let Some(policy) = self.policy.filter(|_| error.advice == Advice::ResendSameRequestId) else {
            return Next::End;
        };
        if !budget.allows_resend() || self.counted >= policy.attempts {
            return Next::End;
        }
        let jitter = self.most_jitter().mul_f64(moment.random);
        let wait = error.retry_delay.unwrap_or_default().saturating_add(jitter);
        if !self.in_time(wait, moment) {
            return Next::End;
        }
        self.counted += 1;
        Next::WaitAndSend(wait)
    }

    fn most_jitter(&self) -> Duration {
        (FIRST_WAIT * 2_u32.pow((self.counted - 1).min(MOST_DOUBLINGS))).min(LONGEST_WAIT)
    }

    fn in_time(&self, wait: Duration, moment: Moment) -> bool {
        let in_deadline = wait.saturating_add(LEAST_ATTEMPT) <= moment.left;
        // A time that no clock shows is after every time that the service names.
        let before = |limit| moment.clock.checked_add(wait).is_some_and(|then| then < limit);
        in_deadline && self.resend_before.is_none_or(before)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MOMENT: Moment = Moment { left: Duration::from_secs(20), clock: SystemTime::UNIX_EPOCH, random: 0.5 };

    fn error(outcome: Outcome, advice: Advice) -> CallError {
        CallError { outcome, advice, ..CallError::of(Code::Unavailable, "") }
    }

    fn resendable() -> CallError {
        error(Outcome::NotSent, Advice::ResendSameRequestId)
    }

    fn machine() -> ResendLoop {
        ResendLoop::new(Some(Resend::default()), true)
    }

    #[test]
    fn waits_grow_up_to_the_longest_and_end_with_the_attempts() {
        let mut calls = ResendLoop::new(Some(Resend { attempts: 8, ..Resend::default() }), false);
        let moment = Moment { random: 1.0, ..MOMENT };
        let waits_ms: Vec<_> = (0..8)
            .map_while(|_| match calls.after(resendable(), &Budget::full(), moment) {
                Next::WaitAndSend(wait) => Some(wait.as_millis()),
                _ => None,
            })
            .collect();

        assert_eq!(vec![200, 400, 800, 1600, 3200, 6400, 8000], waits_ms);
    }

    #[test]
    fn the_time_that_the_service_names_is_waited_for() {
        let told = CallError { retry_delay: Some(Duration::from_secs(3)), ..resendable() };

        let next = machine().after(told, &Budget::full(), Moment { random: 0.0, ..MOMENT });

        assert_eq!(Next::WaitAndSend(Duration::from_secs(3)), next);
    }

    #[test]
    fn nothing_is_sent_that_would_come_too_late() {
        let short = Moment { left: Duration::from_millis(1050), ..MOMENT };
        assert_eq!(Next::End, machine().after(resendable(), &Budget::full(), short));

        let limited = CallError { resend_before_time: Some(MOMENT.clock + Duration::from_millis(100)), ..resendable() };
        assert_eq!(Next::End, machine().after(limited, &Budget::full(), MOMENT));
    }

    #[test]
    fn an_earlier_limit_holds_for_later_attempts() {
        let mut calls = machine();
        let limit = Some(MOMENT.clock + Duration::from_millis(150));
        calls.after(CallError { resend_before_time: limit, ..resendable() }, &Budget::full(), MOMENT);

        assert_eq!(Next::End, calls.after(resendable(), &Budget::full(), MOMENT));
    }

    #[test]
    fn a_wrong_credential_is_refreshed_once_even_without_the_loop() {
        let wrong = || CallError { code: Code::Unauthenticated, ..resendable() };
        let mut calls = ResendLoop::new(None, true);

        assert_eq!(Next::RefreshTokenAndSend, calls.after(wrong(), &Budget::full(), MOMENT));
        assert_eq!(Next::End, calls.after(wrong(), &Budget::full(), MOMENT));
        assert_eq!(Next::End, ResendLoop::new(None, false).after(wrong(), &Budget::full(), MOMENT));
    }

    #[test]
    fn what_its_caller_gave_up_is_not_sent_again() {
        let given_up = CallError { code: Code::Cancelled, ..resendable() };

        assert_eq!(Next::End, machine().after(given_up, &Budget::full(), MOMENT));
    }

    #[test]
    fn many_failures_stop_resends_until_calls_succeed() {
        let budget = Budget::full();
        let allowed = (0..6).filter(|_| budget.allows_resend()).count();
        (0..21).for_each(|_| budget.succeeded());

        assert_eq!((4, true), (allowed, budget.allows_resend()));
    }

    #[test]
    fn a_doubt_outlives_what_was_not_sent_and_ends_with_what_settles() {
        for (last, expected) in [(Outcome::NotSent, 0), (Outcome::Refused, 1), (Outcome::Unknown, 1)] {
            let mut calls = machine();
            calls.after(error(Outcome::Unknown, Advice::ResendSameRequestId), &Budget::full(), MOMENT);
            calls.after(error(last, Advice::LookUp), &Budget::full(), MOMENT);

            assert_eq!(expected, calls.into_attempts().1, "{last:?}");
        }
    }

    fn outcomes() -> impl Strategy<Value = Outcome> {
        prop::sample::select(vec![Outcome::NotSent, Outcome::Refused, Outcome::Partial, Outcome::Unknown])
    }

    fn advices() -> impl Strategy<Value = Advice> {
        let all = vec![Advice::FixRequest, Advice::ResendSameRequestId, Advice::UseNewRequestId, Advice::LookUp];
        prop::sample::select(all)
    }

    proptest! {
        #[test]
        fn whatever_happens_advice_and_limits_are_followed(
            seen in prop::collection::vec((outcomes(), advices(), 0_u64..5_000, 0_u64..25_000, 0.0..1.0), 1..12),
        ) {
            let (mut calls, budget) = (machine(), Budget::full());
            let mut sends = 1;
            for (outcome, advice, delay_ms, left_ms, random) in seen {
                let delay = Duration::from_millis(delay_ms);
                let told = CallError { retry_delay: Some(delay), ..error(outcome, advice) };
                let left = Duration::from_millis(left_ms);
                match calls.after(told, &budget, Moment { left, random, ..MOMENT }) {
                    Next::End => break,
                    Next::RefreshTokenAndSend => prop_assert!(false, "no credential was wrong"),
                    Next::WaitAndSend(wait) => {
                        sends += 1;
                        prop_assert_eq!(Advice::ResendSameRequestId, advice);
                        prop_assert!(wait >= delay && wait + LEAST_ATTEMPT <= left);
                    }
                }
            }
            prop_assert!(sends <= Resend::default().attempts);
        }

        #[test]
        fn the_error_is_never_more_certain_than_the_attempts(
            seen in prop::collection::vec((outcomes(), advices()), 1..12),
        ) {
            let mut calls = machine();
            for (outcome, advice) in &seen {
                calls.after(error(*outcome, *advice), &Budget::full(), MOMENT);
            }
            let (attempts, raised) = calls.into_attempts();

            let settled = attempts.last().is_some_and(|newest| matches!(newest.outcome, Outcome::Refused | Outcome::Partial));
            let doubtful = attempts.iter().any(|attempt| attempt.outcome == Outcome::Unknown);
            prop_assert_eq!(doubtful && !settled, attempts[raised].outcome == Outcome::Unknown);
        }
    }
}
