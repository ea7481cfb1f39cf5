//! The trace context of the caller, for every attempt of a call.

use tonic::metadata::MetadataMap;

/// Adds what the propagator of the OpenTelemetry API writes for the current context.
#[cfg(feature = "opentelemetry")]
pub(crate) fn inject(metadata: &mut MetadataMap) {
    use opentelemetry::propagation::Injector;
    use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue};

    struct Into<'m>(&'m mut MetadataMap);

    impl Injector for Into<'_> {
        fn set(&mut self, key: &str, value: String) {
            // What no header may contain is left out: a call matters more than its trace.
            if let (Ok(key), Ok(value)) = (key.parse::<AsciiMetadataKey>(), value.parse::<AsciiMetadataValue>()) {
                self.0.insert(key, value);
            }
        }
    }

    let context = opentelemetry::Context::current();
    opentelemetry::global::get_text_map_propagator(|propagator| {
        propagator.inject_context(&context, &mut Into(metadata))
    });
}

/// Calls carry no trace context without the feature `opentelemetry`.
#[cfg(not(feature = "opentelemetry"))]
pub(crate) fn inject(_: &mut MetadataMap) {}
