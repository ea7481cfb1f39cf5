use std::fmt::{self, Write};

use crate::v1::{Advice, Outcome};
use crate::{CallError, FieldViolation};

/// The page with every reason, in the project's repository.
pub(crate) const ERRORS_URL: &str = "docs/errors.md";
const MOST_VIOLATIONS: usize = 3;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// What an [`Error`] means for the payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Something is wrong with what the caller passed; nothing left the process.
    Argument,
    /// The supplier of tokens failed, and nothing was sent before; its error is the source.
    Token,
    /// Nothing of this call reached Zuora; an earlier call of the same intent may have.
    NotSent,
    /// Zuora refused, and did nothing.
    Refused,
    /// A part was done: `existing` of the call's [`CallOutcome`](crate::v1::CallOutcome) names it.
    Partial,
    /// It may or may not have been done; start no new intent before that is settled.
    OutcomeUnknown,
}

/// Why a call failed, or why it was not made.
///
/// [`kind`](Self::kind) says what happened, [`advice`](Self::advice) what to do next. The text alone is enough for a
/// ticket: it is one line and names reason, broken fields, request id and Track-Id, and no value of the request.
pub struct Error(Box<Content>);

struct Content {
    kind: ErrorKind,
    text: String,
    source: Option<Source>,
    request_id: String,
    attempts: Vec<CallError>,
    /// Position of the attempt that is the error of the call.
    raised: usize,
}

impl Error {
    pub(crate) fn argument(text: impl Into<String>) -> Self {
        Self::local(ErrorKind::Argument, text.into(), None)
    }

    pub(crate) fn token(source: Source) -> Self {
        Self::local(ErrorKind::Token, one_line(&format!("token: the supplier failed: {source}")), Some(source))
    }

    fn local(kind: ErrorKind, text: String, source: Option<Source>) -> Self {
        Self(Box::new(Content { kind, text, source, request_id: String::new(), attempts: Vec::new(), raised: 0 }))
    }

    /// Returns the error of a call.
    ///
    /// There is at least one attempt, and `raised` is the position of one.
    pub(crate) fn of_call(request_id: String, attempts: Vec<CallError>, raised: usize, errors_url: &str) -> Self {
        let text = text(&attempts, raised, &request_id, errors_url);
        let kind = match attempts[raised].outcome {
            Outcome::NotSent => ErrorKind::NotSent,
            Outcome::Refused => ErrorKind::Refused,
            Outcome::Partial => ErrorKind::Partial,
            _ => ErrorKind::OutcomeUnknown,
        };
        Self(Box::new(Content { kind, text, source: None, request_id, attempts, raised }))
    }

    /// Adds what ended the attempts.
    pub(crate) fn caused_by(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Returns what it means for the payment.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns how the least certain attempt ended; none if nothing was to be sent at all.
    pub fn call_error(&self) -> Option<&CallError> {
        self.0.attempts.get(self.0.raised)
    }

    /// Returns the name of the `ErrorReason` without its prefix; empty if the service did not make the error.
    pub fn reason(&self) -> &str {
        self.call_error().map_or("", |error| &error.reason)
    }

    /// Returns what to do next; none if nothing was to be sent at all.
    pub fn advice(&self) -> Option<Advice> {
        self.call_error().map(|error| error.advice)
    }

    /// Returns the fields that break rules.
    pub fn violations(&self) -> &[FieldViolation] {
        self.call_error().map_or(&[], |error| &error.violations)
    }

    /// Returns the id of the intent, for a resend; empty where the call has none.
    pub fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// Returns how all attempts of the call ended, in their order.
    pub fn attempts(&self) -> &[CallError] {
        &self.0.attempts
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.text)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}: {}", self.0.kind, self.0.text)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// Returns an error in one line: what, which fields, what it means, and the ids by which others find the call.
fn text(attempts: &[CallError], raised: usize, request_id: &str, errors_url: &str) -> String {
    let error = &attempts[raised];
    let anchor = if error.reason.is_empty() { "outcomes-and-advice".into() } else { error.reason.to_lowercase() };
    let facts = facts(attempts, raised, request_id).join(", ");
    let text = format!("{}: {}{} ({facts}, {errors_url}#{anchor})", error.name(), error.message, fields(error));
    one_line(&text)
}

/// Returns the first violations in brackets, and how many there are beside them.
///
/// The service puts the first one at the end of the message, and then it is left out here.
fn fields(error: &CallError) -> String {
    let first = error.violations.iter().take(MOST_VIOLATIONS);
    let texts = first.clone().map(|broken| format!("{}: {}", broken.field, broken.description));
    let mut shown: Vec<_> = texts.collect();
    if shown.first().is_some_and(|text| format!(" {}", error.message).ends_with(&format!(" {text}"))) {
        shown.remove(0);
    }
    let omitted = error.metadata.get("violationsOmitted").and_then(|number| number.parse().ok()).unwrap_or(0);
    let more = (error.violations.len() - first.len()).saturating_add(omitted);
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
    if shown.is_empty() {
        return String::new();
    }
    format!(" [{}]", shown.join("; "))
}

fn facts(attempts: &[CallError], raised: usize, request_id: &str) -> Vec<String> {
    let error = &attempts[raised];
    let outcome = error.outcome.as_str_name().trim_start_matches("OUTCOME_");
    let advice = error.advice.as_str_name().trim_start_matches("ADVICE_");
    let mut facts = vec![format!("outcome {outcome}"), format!("advice {advice}")];
    if attempts.len() > 1 {
        facts.push(format!("after {} attempts", attempts.len()));
    }
    if let Some(last) = attempts.get(raised + 1..).and_then(<[_]>::last) {
        facts.push(format!("the last one ended as {}", last.name()));
    }
    if !request_id.is_empty() {
        facts.push(format!("request id {request_id}"));
    }
    if !error.track_id.is_empty() {
        facts.push(format!("Track-Id {}", error.track_id));
    }
    if !error.zuora_codes.is_empty() {
        facts.push(format!("Zuora codes {}", error.zuora_codes.join(" ")));
    }
    facts
}

/// Escapes what others wrote and must not begin a new line in a log, or be invisible there.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        let shown_as_it_is = matches!(character, '"' | '\'' | '\\');
        let escaped = character.escape_debug();
        if shown_as_it_is || escaped.len() == 1 {
            line.push(character);
        } else {
            // Writing into a String cannot fail.
            let _ = write!(line, "{escaped}");
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    fn violation(field: &str) -> FieldViolation {
        FieldViolation { field: field.into(), rule: "r".into(), description: "must hold".into() }
    }

    #[test]
    fn the_text_is_enough_for_a_ticket() {
        let mut error = CallError::of(Code::InvalidArgument, "The request breaks rules.");
        error.reason = "REQUEST_INVALID".into();
        (error.outcome, error.advice) = (Outcome::NotSent, Advice::FixRequest);
        error.violations = ["a", "b", "c", "d"].map(violation).into();
        error.metadata = [("violationsOmitted".into(), "3".into())].into();
        error.track_id = "t-1".into();
        error.zuora_codes = vec!["50".into(), "51".into()];

        let text = Error::of_call("order-4711-attempt-1".into(), vec![error], 0, ERRORS_URL).to_string();

        let expected = "REQUEST_INVALID: The request breaks rules. \
            [a: must hold; b: must hold; c: must hold; and 4 more] \
            (outcome NOT_SENT, advice FIX_REQUEST, request id order-4711-attempt-1, Track-Id t-1, \
            Zuora codes 50 51, docs/errors.md#request_invalid)";
        assert_eq!(expected, text);
    }

    #[test]
    fn the_text_says_nothing_twice() {
        let mut error = CallError::of(Code::InvalidArgument, "It breaks rules. a: must hold");
        error.violations = ["a", "b"].map(violation).into();
        assert_eq!(" [b: must hold]", fields(&error));

        error.violations.truncate(1);
        assert_eq!("", fields(&error));
    }

    #[test]
    fn the_text_leaves_out_the_first_violation_alone_and_where_it_ends_the_message() {
        for message in ["a: must hold, it says", "It breaks rules. b: must hold", "rules.a: must hold"] {
            let mut error = CallError::of(Code::InvalidArgument, message);
            error.violations = ["a", "b"].map(violation).into();
            assert_eq!(" [a: must hold; b: must hold]", fields(&error), "{message}");
        }
    }

    #[test]
    fn the_text_of_a_doubt_names_the_attempts_and_the_last_one() {
        let doubt = CallError::of(Code::Unavailable, "a proxy\nfailed\u{2028}");
        let mut last = CallError::not_started(Code::PermissionDenied, "");
        last.reason = "CALLER_NOT_PERMITTED".into();

        let error = Error::of_call(String::new(), vec![doubt, last], 0, "https://docs.example/errors");

        let expected = "UNAVAILABLE: a proxy\\nfailed\\u{2028} (outcome UNKNOWN, advice RESEND_SAME_REQUEST_ID, \
            after 2 attempts, the last one ended as CALLER_NOT_PERMITTED, \
            https://docs.example/errors#outcomes-and-advice)";
        assert_eq!((ErrorKind::OutcomeUnknown, expected), (error.kind(), error.to_string().as_str()));
    }

    #[test]
    fn an_argument_error_has_no_attempt() {
        let error = Error::argument("target: it is empty");

        assert_eq!(("Argument: target: it is empty", None), (format!("{error:?}").as_str(), error.advice()));
    }
}
