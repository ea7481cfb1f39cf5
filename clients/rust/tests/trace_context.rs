//! Calls carry the trace context of the OpenTelemetry API.

mod support;

use opentelemetry::trace::{FutureExt, SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use opentelemetry::{Context, global};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use payorch::testing::FakePayorch;
use payorch::v1::ErrorReason;

use support::session;

#[tokio::test]
async fn every_attempt_carries_the_context_of_the_call() {
    global::set_text_map_propagator(TraceContextPropagator::new());
    let payorch = FakePayorch::start();
    payorch.fail_with(ErrorReason::Overloaded);
    let span = SpanContext::new(TraceId::from(1), SpanId::from(2), TraceFlags::SAMPLED, true, TraceState::default());
    let context = Context::new().with_remote_span_context(span);
    let (client, request) = (payorch.client(), session());
    async { client.create_session(&request).await }.with_context(context).await.unwrap();

    let parents: Vec<_> = payorch.calls().iter().map(|call| call.metadata["traceparent"].clone()).collect();
    assert_eq!(["00-00000000000000000000000000000001-0000000000000002-01"; 2], *parents);
}
